"""From the empty text to the verdict: how each explained class's score changes, by the strongest words and all the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

from gallery.site.views import View

STEPS = 5
"""Words that are steps of their own."""


@dataclass(frozen=True)
class Step:
    """A word's contribution, or that of all the rest, as a bar between two scores; x and width in hundredths of the picture."""

    word: str
    """Empty for all the rest: other words, special tokens, and the error of the sum."""
    value: float
    x: float
    width: float


@dataclass(frozen=True)
class Track:
    """The way of one class's score."""

    target: int
    start: float
    """The score of the empty text."""
    end: float
    """The score of the passage."""
    from_x: float
    to_x: float
    steps: tuple[Step, ...]

    @property
    def change(self) -> float:
        """What the passage adds to the score."""
        return self.end - self.start

    @property
    def height(self) -> int:
        """Height of the picture, in units of its SVG."""
        return 4 * len(self.steps)


@dataclass(frozen=True)
class Tracks:
    """The tracks of a passage's explained classes, on one scale."""

    rows: tuple[Track, ...]
    winner: int
    """The model's answer."""

    @property
    def overtaken(self) -> Track | None:
        """The class to which the words add most, where it is not the model's answer."""
        most = max(self.rows, key=lambda track: track.change, default=None)
        return most if most is not None and most.target != self.winner else None


def tracks(views: Sequence[View], texts: Sequence[str]) -> Tracks:
    """Return the tracks of the first method's classes; none where the method has no baseline. texts: the words [W]."""
    shown = [view for view in views if view.method == views[0].method and view.against is None and view.baseline_value is not None]
    walks = [(view, _steps(view, texts)) for view in shown]
    ends = [at for view, steps in walks for at in _positions(view, steps)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)

    def across(score: float) -> float:
        return round(100 * (score - low) / ((high - low) or 1.0), 2)

    rows = []
    for view, steps in walks:
        places = _positions(view, steps)
        bars = [
            Step(word, value, min(across(a), across(b)), round(abs(across(b) - across(a)), 2))
            for (word, value), a, b in zip(steps, places, places[1:], strict=False)
        ]
        rows.append(Track(view.target, places[0], places[-1], across(places[0]), across(places[-1]), tuple(bars)))
    return Tracks(tuple(rows), views[0].target)


def _steps(view: View, texts: Sequence[str]) -> list[tuple[str, float]]:
    """Return the strongest words and their contributions, then what remains of the change of the score."""
    assert view.change is not None
    strongest = sorted(range(len(texts)), key=lambda word: (-abs(view.words[word]), word))[:STEPS]
    steps = [(texts[word], view.words[word]) for word in strongest]
    return [*steps, ("", view.change - sum(value for _, value in steps))]


def _positions(view: View, steps: Sequence[tuple[str, float]]) -> list[float]:
    """Return the score before the first step and after each."""
    assert view.baseline_value is not None
    places = [view.baseline_value]
    for _, value in steps:
        places.append(places[-1] + value)
    return places
