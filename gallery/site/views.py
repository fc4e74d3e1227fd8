"""Ways to shade a passage: by which method, for which class, and how deep each word's shade is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gallery.evaluation.metrics import kendall_taus, top_overlap
from gallery.store.manifest import Row
from gallery.store.records import Attribution, Prediction, Record

LEVELS = 8
"""Steps of the shading, each way."""


def level(value: float, scale: float, root: bool = False) -> int:
    """Return the step of shading, -LEVELS to LEVELS, of a contribution on a scale whose end is `scale`; by the square root, if asked."""
    if scale <= 0:
        return 0
    share = min(abs(value) / scale, 1)
    step = round(LEVELS * (share**0.5 if root else share))
    return step if value > 0 else -step


def shade(step: int) -> str:
    """Return the CSS class of a step of shading: for1…, against1…, or none."""
    return f"for{step}" if step > 0 else f"against{-step}" if step < 0 else ""


@dataclass(frozen=True)
class Piece:
    """A word of the text, or what stands between words."""

    text: str
    number: int | None
    """Which word it is; None between words."""
    value: float = 0.0
    css: str = ""


def paragraphs(prediction: Prediction, values: Sequence[float], most: int | None = None) -> list[list[Piece]]:
    """Return the passage, or its first words, as paragraphs of pieces, shaded relative to the largest |value|; white space kept."""
    scale = max((abs(v) for v in values), default=0.0)
    pieces: list[list[Piece]] = [[]]

    def between(text: str) -> None:
        for index, line in enumerate(text.split("\n")):
            if index and pieces[-1]:
                pieces.append([])
            if line:
                pieces[-1].append(Piece(line, None))

    at = 0
    for number, (start, end) in enumerate(prediction.words[:most].tolist()):
        between(prediction.text[at:start])
        pieces[-1].append(Piece(prediction.text[start:end], number, values[number], shade(level(values[number], scale))))
        at = end
    if most is None:
        between(prediction.text[at : prediction.cut])
    return [paragraph for paragraph in pieces if paragraph]


@dataclass(frozen=True)
class View:
    """One way to shade the passage: a method and the class, or pair of classes, that is explained."""

    method: str
    target: int
    against: int | None
    """For a difference of classes, the one that is subtracted."""
    words: tuple[float, ...]
    specials: float
    """What the special tokens contribute."""
    output: str
    output_value: float
    baseline_value: float | None
    delta: float | None
    error: float | None
    """The convergence delta as a share, see Attribution.delta_share."""
    converged: bool | None
    steps: int
    rounding: float | None = None
    """What rounding changed in the gradient where the path is steepest, as a share of the largest; None where nothing was rounded."""

    @property
    def change(self) -> float | None:
        """F(x) - F(baseline), to which words, specials and delta add up."""
        return None if self.baseline_value is None else self.output_value - self.baseline_value


def views(row: Row, predicted: int, attributions: Mapping[str, Attribution], methods: Sequence[str]) -> list[View]:
    """Return the ways to shade a passage: each method, each class, and true against predicted where they differ.

    A difference of two classes needs no computing of its own: every method that has a baseline is linear in the output.
    """
    result = []
    true_class = row.true_class
    for method in methods:
        of = {target: attributions[f"attribution/{method}/{target}"] for target in row.targets if f"attribution/{method}/{target}" in attributions}
        result += [view_of(attribution) for attribution in of.values()]
        if true_class != predicted and {true_class, predicted} <= of.keys() and of[true_class].delta is not None:
            result.append(_difference(of[true_class], of[predicted]))
    return result


def view_of(a: Attribution) -> View:
    """Return one attribution as a way to shade the passage."""
    specials = float(a.tokens.sum() - a.words.sum())
    words = tuple(float(v) for v in a.words)
    rounding = a.extra.get("rounding")
    return View(a.method, a.target, None, words, specials, a.output, a.output_value, a.baseline_value, a.delta, a.delta_share, a.converged, a.steps, rounding)


def _difference(a: Attribution, b: Attribution) -> View:
    one, two = view_of(a), view_of(b)
    assert one.baseline_value is not None
    assert two.baseline_value is not None
    assert one.delta is not None
    assert two.delta is not None
    return View(
        method=a.method,
        target=a.target,
        against=b.target,
        words=tuple(x - y for x, y in zip(one.words, two.words, strict=True)),
        specials=one.specials - two.specials,
        output=a.output,
        output_value=one.output_value - two.output_value,
        baseline_value=one.baseline_value - two.baseline_value,
        delta=one.delta - two.delta,
        error=max(a.delta_share or 0.0, b.delta_share or 0.0),
        converged=bool(a.converged and b.converged),
        steps=max(a.steps, b.steps),
    )


@dataclass(frozen=True)
class Agreement:
    """How far another method agrees with the one shown first, on the same class."""

    method: str
    tau: float
    """Kendall's tau over the words."""
    overlap: float
    """Share of the ten strongest words that both name."""


def agreements(ways: Sequence[View]) -> list[Agreement]:
    """Return how each other method orders the words of the first view."""
    first = ways[0]
    others = [view for view in ways if view.method != first.method and view.target == first.target and view.against is None]
    words = np.array([view.words for view in (first, *others)])
    taus = kendall_taus(words)[0]
    return [Agreement(view.method, float(taus[at]), top_overlap(words[0], words[at])) for at, view in enumerate(others, 1)]


def explained(records: Mapping[str, Record]) -> tuple[Prediction, dict[str, Attribution]]:
    """Return a passage's prediction, and its attributions by entry name."""
    prediction = records["prediction"]
    assert isinstance(prediction, Prediction)
    return prediction, {name: record for name, record in records.items() if isinstance(record, Attribution)}
