"""Erase and see: the probabilities of all classes as words go, a picture of them, and how many words hold the answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gallery.evaluation.metrics import number_of
from gallery.site.entries import by_method
from gallery.site.passage_input import PassageInput
from gallery.store.records import Array, Chance, Faithfulness, Flip, Prediction

_WIDTH, _HEIGHT = 320, 120


@dataclass(frozen=True)
class Line:
    """A curve of the picture: the probability of a class by stop of the slider."""

    name: int
    """Class."""
    points: str
    """For an SVG polyline."""
    end: tuple[float, float]
    """x and y of its last point."""


@dataclass(frozen=True)
class Held:
    """How many words hold the answer."""

    words: tuple[tuple[int, str], ...]
    """Number and text of the words without which the answer is another, strongest first."""
    becomes: int
    share: float
    """Probability of the answer without them."""
    others: int
    """Random orders in which as many random words change the answer."""
    orders: int
    pruned: bool


@dataclass(frozen=True)
class Erasing:
    """What the page says and draws of a passage whose words are erased, strongest first."""

    method: str
    target: int
    """The model's answer, in whose order of words they go."""
    counts: tuple[int, ...]
    """Words that are erased at each stop."""
    ticks: tuple[tuple[float, int], ...]
    """x and words of the marks below the picture."""
    own: Line
    rival: Line
    """The class that is likeliest besides the answer, over all stops."""
    random: Line | None
    """The answer as random words go: the mean over the orders, at the stops where it was computed."""
    dots: tuple[tuple[float, float], ...]
    """The points of `random`."""
    held: Held | None
    """None where the answer holds until no word is left, or was not looked for."""
    holds: bool
    """Whether the answer holds until no word is left."""


def erasing(passage: PassageInput) -> Erasing | None:
    """Return what the page shows, None for a passage whose record has no stops."""
    tried = _tried(passage)
    if tried is None:
        return None
    control = passage.first(Chance)
    answer = tried.without[:, tried.target]
    others = tried.without.max(0)
    others[tried.target] = -1
    rival = int(others.argmax())
    where = _places(tried.steps)
    random = (
        None if control is None else _line(tried.target, [where[_stop(tried, share)] for share in control.shares], control.deletion[..., tried.target].mean(0))
    )
    found = by_method(passage.records.values(), Flip).get((tried.method, tried.target))
    counts = _counts(passage.prediction, tried.steps)
    return Erasing(
        method=tried.method,
        target=tried.target,
        counts=counts,
        ticks=tuple((where[stop], counts[stop]) for stop in (0, 3, 6, 9, len(counts) - 1) if stop < len(counts)),
        own=_line(tried.target, where, answer),
        rival=_line(rival, where, tried.without[:, rival]),
        random=random,
        dots=() if random is None else tuple((float(x), float(y)) for x, y in (point.split(",") for point in random.points.split())),
        held=None if found is None else _held(passage.prediction, found),
        holds=found is not None and found.becomes is None,
    )


def erasing_data(passage: PassageInput) -> dict[str, Any] | None:
    """Return the part of explanation.json that the slider reads: by stop, the probabilities of all classes."""
    tried = _tried(passage)
    if tried is None:
        return None
    order = np.argsort(-passage.attributions[tried.method, tried.target].words, kind="stable")
    data = {
        "method": tried.method,
        "target": tried.target,
        "classes": list(passage.labels),
        "order": order.tolist(),
        "counts": list(_counts(passage.prediction, tried.steps)),
        "without": _rounded(tried.without),
        "alone": _rounded(tried.alone),
    }
    control = passage.first(Chance)
    if control is not None:
        orders = len(control.deletion)
        random = {"orders": orders, "stops": [_stop(tried, share) for share in control.shares]}
        data["random"] = random | {"without": _rounded(control.deletion.mean(0)), "alone": _rounded(control.insertion.mean(0))}
    return data


def _tried(passage: PassageInput) -> Faithfulness | None:
    if passage.header.model.problem == "multi_label":
        return None  # a text has any number of its classes: there is no single answer to hold
    tried = by_method(passage.records.values(), Faithfulness).get((passage.header.methods[0], passage.predicted))
    return tried if tried is not None and len(tried.steps) and (tried.method, tried.target) in passage.attributions else None


def _stop(tried: Faithfulness, share: float) -> int:
    return int(np.abs(tried.steps - share).argmin())


def _counts(prediction: Prediction, steps: Array) -> tuple[int, ...]:
    return tuple(number_of(len(prediction.words), float(share)) for share in steps)


def _places(steps: Array) -> list[float]:
    return [round(_WIDTH * stop / (len(steps) - 1), 1) for stop in range(len(steps))]


def _line(name: int, where: Sequence[float], values: Array) -> Line:
    heights = [round(_HEIGHT * (1 - float(value)), 1) for value in values]
    return Line(name, " ".join(f"{x},{y}" for x, y in zip(where, heights, strict=True)), (where[-1], heights[-1]))


def _held(prediction: Prediction, found: Flip) -> Held | None:
    if found.becomes is None:
        return None
    texts = prediction.word_texts()
    return Held(
        words=tuple((number, texts[number]) for number in found.words.tolist()),
        becomes=found.becomes,
        share=float(found.probabilities[found.becomes]),
        others=int((found.random != found.target).sum()),
        orders=len(found.random),
        pruned=found.pruned,
    )


def _rounded(values: Array) -> list[list[float]]:
    return [[float(f"{value:.4g}") for value in row] for row in values]
