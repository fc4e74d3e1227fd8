"""The manifest: the list of passages and of their entries, which the explain half writes and the render half reads.

A JSON object on each line: the header, a row for each passage in the gallery's order, and the number of rows.
Each line carries its own sha256, so that a changed title is noticed like a changed entry.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from gallery.errors import StoreError, command, reason
from gallery.store.entries import MANIFEST, Store
from gallery.store.keys import SCHEMA, canonical
from gallery.store.records import Model


class EntryName(NamedTuple):
    """Name of an entry among those of its passage: its kind and, where the kind has them, its method and class.

    Written `kind`, `kind/method` or `kind/method/class`, as in `attribution/integrated_gradients/3`.

    >>> str(EntryName("attribution", "occlusion", 3))
    'attribution/occlusion/3'
    >>> EntryName.parse("chance")
    EntryName(kind='chance', method='', target=None)
    """

    kind: str
    method: str = ""
    target: int | None = None

    def __str__(self) -> str:
        """Return the name as manifests write it."""
        return "/".join(str(part) for part in self if part not in ("", None))

    @classmethod
    def parse(cls, text: str) -> "EntryName":
        """Return the name that `str` has written.

        Raises ValueError where it is no name of an entry.
        """
        kind, method, target = [*text.split("/"), "", ""][:3]
        return cls(kind, method, int(target) if target else None)


@dataclass(frozen=True)
class Header:
    """The model and the settings of the whole gallery.

    >>> read_header(store).methods
    ('integrated_gradients', 'decomposition', 'gradient_x_input', 'gradient_norm', 'attention_rollout')
    """

    model: Model
    methods: tuple[str, ...]
    """Attribution methods, beginning with the method that pages show first."""
    scripts: str | None
    """Key of the scripts that bertviz's views need; None without bertviz."""
    parts: dict[str, Any] = field(default_factory=dict)
    """Everything on which keys depend besides the passages, by part, as the planner gives it."""
    problems: tuple[str, ...] = ()
    """Messages about the configured passages that are not in the manifest, since they could not be read or explained."""
    unfinished: tuple[str, ...] = ()
    """Parts that are still being computed, where this is not the state at the end of a run; `methods` has none of them."""

    @property
    def unfinished_methods(self) -> list[str]:
        """Methods whose attributions are still being computed."""
        return [name.method for name in map(EntryName.parse, self.unfinished) if name.kind == "attribution"]

    @property
    def unfinished_bertviz(self) -> bool:
        """Whether the excerpts for bertviz are still being computed."""
        return "bertviz" in self.unfinished

    @property
    def unfinished_trials(self) -> bool:
        """Whether the trials are still being computed."""
        return any(EntryName.parse(part).kind in {"faithfulness", "chance"} for part in self.unfinished)


@dataclass(frozen=True)
class Row:
    """A passage and the keys of its entries.

    >>> row.id, row.title
    ('dusty-road', 'Пыльная дорога')
    >>> sorted({name.kind for name in row.entries})
    ['attention', 'attribution', 'bertviz', 'chance', 'every_class', 'faithfulness', 'flip', 'heads', 'layers', 'prediction', 'verification']
    """

    id: str
    title: str
    work: str
    source: str
    note: str
    true_class: int
    """The true class; of a multi-label model the first of them, or the most probable where none is true."""
    targets: tuple[int, ...]
    """The classes explained: true, predicted, runner-up, each once."""
    entries: dict[EntryName, str]
    """Name -> key."""
    true_classes: tuple[int, ...] | None = None
    """All true classes, perhaps none, of a passage of a multi-label model; None for other models."""
    kind: str = ""
    """What the passage is where its author did not write it, such as `stylisation`; empty for a genuine passage."""
    year: str = ""
    edition: str = ""

    @property
    def truth(self) -> tuple[int, ...]:
        """The true classes: one, but for multi-label models."""
        return (self.true_class,) if self.true_classes is None else self.true_classes

    def values(self) -> dict[str, Any]:
        """Return the row as JSON holds it."""
        values = {**asdict(self), "entries": {str(name): key for name, key in self.entries.items()}}
        return values if self.true_classes is not None else {name: value for name, value in values.items() if name != "true_classes"}


def write_manifest(store: Store, header: Header, rows: Iterable[Row]) -> None:
    """Write the manifest whole or not at all; `rows` are never held in memory together.

    Raises StoreError if the system refuses.
    """
    written = 0

    def lines() -> Iterator[str]:
        nonlocal written
        yield _seal({"schema": SCHEMA, **{name: value for name, value in asdict(header).items() if name != "unfinished" or value}})
        for row in rows:
            written += 1
            yield _seal(row.values())
        yield _seal({"rows": written})

    store.files.write(MANIFEST, (f"{line}\n".encode() for line in lines()))


def has_manifest(store: Store) -> bool:
    """Tell whether a run has ever written its manifest, sound or damaged."""
    return store.files.has(MANIFEST)


def read_header(store: Store) -> Header:
    """Return the manifest's header.

    Raises StoreError if the manifest is missing, damaged or of another schema.

    >>> header = read_header(store)
    >>> header.model.architecture
    'bert'
    """
    path = store.files.where(MANIFEST)
    try:
        head = _unseal(next(store.files.lines(MANIFEST), ""))
        if head.pop("schema") != SCHEMA:
            raise ValueError("it was written by another version")
        used = dict(head["model"]).get("weights_used")
        model = Model(**{**head["model"], "labels": tuple(head["model"]["labels"]), "weights_used": None if used is None else tuple(used)})
        methods, problems, unfinished = tuple(head["methods"]), tuple(head.get("problems", ())), tuple(head.get("unfinished", ()))
        return Header(model=model, methods=methods, scripts=head["scripts"], parts=head.get("parts", {}), problems=problems, unfinished=unfinished)
    except FileNotFoundError as error:
        raise StoreError(f"{path}: no such file, so nothing has been explained yet. Run: {command('explain')}") from error
    except OSError as error:
        damage = reason(error)
        raise StoreError(f"{path}: {damage}. Run: {command('explain')}", damage) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        damage = f"cannot be read: {reason(error)}"
        raise StoreError(f"{path}: {damage}. Run: {command('explain')}", damage) from error


def read_rows(store: Store) -> Iterator[Row]:
    """Yield the manifest's rows, in order.

    Raises StoreError, naming the line, if a line is damaged or the last lines are missing.

    >>> [row.title for row in read_rows(store)]
    ['Пыльная дорога', 'Старый Йорик', 'Белая стена']
    """
    path = store.files.where(MANIFEST)
    number = 0
    try:
        for number, line in enumerate(store.files.lines(MANIFEST)):
            values = _unseal(line)
            if values.get("rows") == number - 1:
                return
            if number:
                entries = {EntryName.parse(name): key for name, key in values["entries"].items()}
                several = None if values.get("true_classes") is None else tuple(values["true_classes"])
                yield Row(**{**values, "targets": tuple(values["targets"]), "true_classes": several, "entries": entries})
        raise ValueError("it is cut short")
    except OSError as error:
        damage = reason(error)
        raise StoreError(f"{path}: {damage}. Run: {command('explain')}", damage) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        damage = f"line {number + 1}: damaged: {reason(error)}"
        raise StoreError(f"{path}: {damage}. Run: {command('explain')}", damage) from error


def _seal(values: dict[str, Any]) -> str:
    """Return values as a line of canonical JSON with its own sha256."""
    return canonical({**values, "sha256": hashlib.sha256(canonical(values).encode()).hexdigest()})


def _unseal(line: str) -> dict[str, Any]:
    """Return the values of a line; raise ValueError if a character of it has changed."""
    values = json.loads(line)
    if not isinstance(values, dict) or values.pop("sha256", None) != hashlib.sha256(canonical(values).encode()).hexdigest():
        raise ValueError("the checksum does not match")
    return values
