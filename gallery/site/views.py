"""Views of a passage: the method and the class by which its words are shaded, and each word's shade."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from gallery.evaluation.metrics import kendall_taus, top_overlap
from gallery.methods import Method, method_names, method_of
from gallery.store.manifest import Row
from gallery.store.records import Array, Attribution, EveryClass, Prediction

LEVELS = 8
"""Steps of the shading for each sign."""


def level(value: float, scale: float, root: bool = False) -> int:
    """Return a contribution's step of shading, -LEVELS to LEVELS, where `scale` is the deepest; with `root`, of its square root."""
    if scale <= 0:
        return 0
    share = min(abs(value) / scale, 1)
    step = round(LEVELS * (share**0.5 if root else share))
    return step if value > 0 else -step


def shade(step: int, signed: bool = True) -> str:
    """Return the CSS class of a step of shading: for1…, against1…, ink1… for a method without signs, or none."""
    if not signed:
        return f"ink{abs(step)}" if step else ""
    return f"for{step}" if step > 0 else f"against{-step}" if step < 0 else ""


def is_signed(method: str) -> bool:
    """Tell whether a negative number of a method speaks against the class; so for a method that is not installed here."""
    declared = _declared(method)
    return declared is None or declared.signed


def knows_classes(method: str) -> bool:
    """Tell whether a method's numbers differ between classes; so for a method that is not installed here."""
    declared = _declared(method)
    return declared is None or declared.by_class


@cache
def _declared(method: str) -> Method | None:
    return method_of(method) if method in method_names() else None


@dataclass(frozen=True)
class Piece:
    """A word of the text, or the text between two words."""

    text: str
    number: int | None
    """Number of the word; None between words."""
    value: float = 0.0
    css: str = ""


def paragraphs(prediction: Prediction, values: Sequence[float], signed: bool = True, most: int | None = None) -> list[list[Piece]]:
    """Return the passage, or its first `most` words, as paragraphs of pieces with their white space.

    signed: whether a negative value speaks against the class. A word's shade is relative to the largest |value|.
    """
    scale = max((abs(v) for v in values), default=0.0)
    pieces: list[list[Piece]] = [[]]

    def between(text: str) -> None:
        for index, line in enumerate(text.split("\n")):
            if index and pieces[-1]:
                pieces.append([])
            if line:
                pieces[-1].append(Piece(line, None))

    position = prediction.start
    for number, (start, end) in enumerate(prediction.words[:most].tolist()):
        between(prediction.text[position:start])
        pieces[-1].append(Piece(prediction.text[start:end], number, values[number], shade(level(values[number], scale), signed)))
        position = end
    if most is None:
        between(prediction.text[position : prediction.cut])
    return [paragraph for paragraph in pieces if paragraph]


@dataclass(frozen=True)
class View:
    """A shading of the passage: a method, and the class or pair of classes that it explains."""

    method: str
    target: int
    against: int | None
    """For a difference of classes, the class that is subtracted."""
    words: tuple[float, ...]
    specials: float
    """Contribution of the special tokens."""
    output: str
    output_value: float
    baseline_value: float | None
    delta: float | None
    error: float | None
    """The convergence delta as a share, see Attribution.delta_share."""
    converged: bool | None
    steps: int
    biases: float | None = None
    """What the model's biases add to the output whatever the words; None if the method does not tell it apart."""
    rounding: float | None = None
    """Error of the bfloat16 gradient where the path is steepest, as a share of the largest; None where gradients are float32."""
    tenth: float = 0.0
    """A tenth of the sum of all |contribution| of the tokens, see Attribution.delta_share; 0 for a difference of classes."""

    @property
    def class_name(self) -> str:
        """The class, or the two classes, as the address and the switches write them."""
        return f"{self.target}" if self.against is None else f"{self.target}-{self.against}"

    @property
    def signed(self) -> bool:
        """Whether a negative number speaks against the class."""
        return is_signed(self.method)

    @property
    def start(self) -> float | None:
        """See Attribution.start."""
        return self.baseline_value if self.biases is None else self.biases

    @property
    def change(self) -> float | None:
        """F(x) - start: the sum of words and specials, less delta."""
        return None if self.start is None else self.output_value - self.start

    @property
    def balanced(self) -> bool:
        """Whether contributions for and against cancel out so far that the error is a share of their tenth and not of the change.

        False for an error that is printed as 0.00 %, which needs no explaining.
        """
        return self.delta is not None and self.change is not None and self.tenth > abs(self.change) and (self.error or 0.0) >= 0.00005


def views(
    true_class: int, ranking: Sequence[int], attributions: Mapping[tuple[str, int], Attribution], methods: Sequence[str], contrast: bool = True
) -> list[View]:
    """Return the views of a passage, method by method: the model's answer, the answer against the true class where they differ, the true class, the rest.

    `ranking` has the classes, the most probable first; contrast: whether one class must win, so that two can be compared; `attributions`
    come by method and class. The difference of two classes needs no
    attribution of its own: every method that has a baseline is linear in the output.
    """
    result = []
    predicted = ranking[0]
    for method in methods:
        own = {target: attributions[method, target] for target in class_order(true_class, ranking) if (method, target) in attributions}
        shown = [view_of(attribution) for attribution in own.values()]
        if contrast and true_class != predicted and {true_class, predicted} <= own.keys() and own[true_class].delta is not None:
            shown.insert(1, _difference(own[predicted], own[true_class]))
        result += shown
    return result


def further_views(row: Row, every: EveryClass) -> list[View]:
    """Return the views of the classes that only `every` explains, by their number."""
    return [
        View(
            method=every.method,
            target=target,
            against=None,
            words=tuple(every.words[target].tolist()),
            specials=float(every.specials[target]),
            output=every.output,
            output_value=float(every.outputs[target]),
            baseline_value=None,
            delta=None,
            error=_known(every.errors[target]),
            converged=None,
            steps=1,
            biases=_known(every.biases[target]),
        )
        for target in range(len(every.words))
        if target not in row.targets
    ]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def class_order(true_class: int, ranking: Sequence[int]) -> list[int]:
    """Return the classes in the order in which pages show them: the model's answer, the true class, the others by probability."""
    return list(dict.fromkeys([ranking[0], true_class, *ranking]))


def view_of(a: Attribution) -> View:
    """Return the view that one attribution gives."""
    return View(
        method=a.method,
        target=a.target,
        against=None,
        words=tuple(float(v) for v in a.words),
        specials=float(a.tokens.sum() - a.words.sum()),
        output=a.output,
        output_value=a.output_value,
        baseline_value=a.baseline_value,
        delta=a.delta,
        error=a.delta_share,
        converged=a.converged,
        steps=a.steps,
        biases=a.biases,
        rounding=a.extra.get("rounding"),
        tenth=0.1 * float(np.abs(a.tokens).sum()),
    )


def _difference(a: Attribution, b: Attribution) -> View:
    """Return the view of one class against another."""
    minuend, subtrahend = view_of(a), view_of(b)
    assert minuend.delta is not None
    assert subtrahend.delta is not None
    return View(
        method=a.method,
        target=a.target,
        against=b.target,
        words=tuple(x - y for x, y in zip(minuend.words, subtrahend.words, strict=True)),
        specials=minuend.specials - subtrahend.specials,
        output=a.output,
        output_value=minuend.output_value - subtrahend.output_value,
        baseline_value=_less(minuend.baseline_value, subtrahend.baseline_value),
        delta=minuend.delta - subtrahend.delta,
        error=max(a.delta_share or 0.0, b.delta_share or 0.0),
        converged=None if a.converged is None else bool(a.converged and b.converged),
        steps=max(a.steps, b.steps),
        biases=_less(minuend.biases, subtrahend.biases),
    )


def _less(minuend: float | None, subtrahend: float | None) -> float | None:
    return None if minuend is None or subtrahend is None else minuend - subtrahend


@dataclass(frozen=True)
class Agreement:
    """Agreement of another method with the first one, on the same class."""

    method: str
    tau: float
    """Kendall's tau over the words."""
    overlap: float
    """Share of the ten strongest words that both methods name."""


def agreements(views: Sequence[View]) -> list[Agreement]:
    """Return the agreement of every other method with the first view, on the first view's class; see `alike`."""
    first = views[0]
    others = [view for view in views if view.method != first.method and view.target == first.target and view.against is None]
    return [Agreement(view.method, *alike((first.method, np.array(first.words)), (view.method, np.array(view.words)))) for view in others]


def alike(first: tuple[str, Array], second: tuple[str, Array]) -> tuple[float, float]:
    """Return Kendall's tau and the overlap of the ten strongest words of two attributions, each given as method and words [W].

    Where one of the methods has no signs, the magnitudes of both are compared: a strong word against the class is no weak word.
    """
    signed = is_signed(first[0]) and is_signed(second[0])
    one, other = (words if signed else np.abs(words) for _, words in (first, second))
    return float(kendall_taus(np.stack([one, other]))[0, 1]), top_overlap(one, other)
