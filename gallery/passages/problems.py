"""Messages about passages that cannot be used: one for each fault, with the number of passages that have it."""

from dataclasses import dataclass, field

from gallery.errors import PassageError

_NAMED = 3
"""At most so many further passages are named in a message."""


@dataclass
class _Kind:
    """The passages of one fault."""

    message: str
    """The message of the first."""
    others: list[str] = field(default_factory=list)
    """Origins of the next passages, at most `_NAMED`."""
    count: int = 1


class Problems:
    """Gathers errors of passages; its size does not grow with the number of passages that share a fault."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}

    def add(self, error: PassageError) -> None:
        """Count an error among those of its fault."""
        kind = self._kinds.get(error.fault)
        if kind is None:
            self._kinds[error.fault] = _Kind(error.message)
            return
        kind.count += 1
        if error.origin and len(kind.others) < _NAMED:
            kind.others.append(error.origin)

    @property
    def count(self) -> int:
        """Number of passages, or tables, that cannot be used."""
        return sum(kind.count for kind in self._kinds.values())

    def messages(self) -> list[str]:
        """Return a message for each fault: that of the first passage, and how many others have it.

        >>> problems = Problems()
        >>> for row in range(2, 9):
        ...     problems.add(PassageError(f"a.csv: line {row}: the text is empty.", f"a.csv: line {row}"))
        >>> problems.messages()
        ['a.csv: line 2: the text is empty. The same with 6 more: a.csv: line 3, a.csv: line 4, a.csv: line 5, …']
        """
        return [_message(kind) for kind in self._kinds.values()]


def _message(kind: _Kind) -> str:
    if kind.count == 1:
        return kind.message
    rest = ", …" if kind.count - 1 > len(kind.others) else "."
    return f"{kind.message} The same with {kind.count - 1:,} more: {', '.join(kind.others)}{rest}" if kind.others else kind.message
