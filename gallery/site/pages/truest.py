"""Which method was truest in this gallery: what the loss of its words cost on average, with bootstrap intervals over the passages."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gallery.site.pages.measures import MEASURES, Tested
from gallery.store.records import Array

FEWEST = 5
"""Passages below which no method is called truest: the bootstrap of a handful says nothing."""
_RESAMPLED = 2000
_TOGETHER = 100
"""Bootstrap samples that are drawn together: memory grows with them times the passages."""


@dataclass(frozen=True)
class Interval:
    """A mean over the passages with its 95 % interval by the percentile bootstrap."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Rival:
    """Another method beside the truest, on the same passages."""

    method: str
    loss: Interval
    behind: Interval
    """What the truest method's words cost more, passage by passage."""

    @property
    def apart(self) -> bool:
        """Whether chance in the choice of passages does not explain the difference."""
        return self.behind.low > 0


@dataclass(frozen=True)
class Truest:
    """The method whose words cost most when erased, on average over the passages."""

    method: str
    loss: Interval
    """Mean comprehensiveness (AOPC), a difference of probabilities."""
    rivals: tuple[Rival, ...]
    """The other methods, the nearest first."""
    passages: int


def truest(methods: Sequence[str], tests: Sequence[Tested]) -> Truest | None:
    """Return the truest method over the passages on which all methods were tried; None below two methods or `FEWEST` passages."""
    column = MEASURES.index("aopc_comprehensiveness")
    losses = np.array([[row[column] for row in test.figures[: len(methods)]] for test in tests], float).reshape(-1, len(methods))
    tried = [number for number in range(len(methods)) if not np.isnan(losses[:, number]).all()]
    losses = losses[:, tried]
    losses = losses[~np.isnan(losses).any(1)]
    if len(tried) < 2 or len(losses) < FEWEST:
        return None
    means, drawn = losses.mean(0), _resampled(losses)
    order = np.argsort(-means, kind="stable").tolist()
    best = order[0]
    return Truest(
        method=methods[tried[best]],
        loss=_interval(means[best], drawn[:, best]),
        rivals=tuple(
            Rival(methods[tried[other]], _interval(means[other], drawn[:, other]), _interval(means[best] - means[other], drawn[:, best] - drawn[:, other]))
            for other in order[1:]
        ),
        passages=len(losses),
    )


def _resampled(values: Array) -> Array:
    """Return the means [samples, M] of rows drawn with replacement from values [P, M]; the same draws for the same number of rows."""
    generator, count = np.random.default_rng(0), len(values)
    means = [values[generator.integers(count, size=(_TOGETHER, count))].mean(1) for _ in range(_RESAMPLED // _TOGETHER)]
    result: Array = np.concatenate(means)
    return result


def _interval(mean: float, drawn: Array) -> Interval:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(float(mean), float(low), float(high))
