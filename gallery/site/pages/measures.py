"""How the methods fare over the whole gallery: each passage's figures, then their median and quartiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gallery.evaluation.metrics import chance_measures, kendall_taus, normalised_aopc, top_overlap
from gallery.store.records import Array, Attribution, Chance, Faithfulness, Record, Sanity

MEASURES = ("delta", "aopc_comprehensiveness", "aopc_sufficiency", "deletion_area", "insertion_area", "normalised_aopc")
"""Columns of the figures: the convergence delta as a share, and what the trials measure (gallery/evaluation/faithfulness.py)."""


Values = list[list[float | None]]


@dataclass(frozen=True)
class Tested:
    """What the trials of one passage say of each of M methods, all on the predicted class; None where a method has no such figure.

    S shares of the words. Plain values, since they outlive their build.
    """

    figures: Values
    """[M + 1, len(MEASURES)]; the last row is chance, the mean over the random orders."""
    deletion: Values
    """[M + 1, S] probability of the class as words are taken away."""
    tau: Values
    """[M, M] Kendall's tau over the words."""
    overlap: Values
    """[M, M] share of the ten strongest words in common."""
    steps: list[str]
    """What `build.py sanity` has randomised; empty where it was not tried on this passage."""
    likeness: dict[str, list[float]]
    """Method -> [steps] rank correlation with the trained model's words."""


def tested(methods: Sequence[str], predicted: int, records: Mapping[str, Record]) -> Tested:
    """Return one passage's figures from its records by entry name; none of them needs to be there."""
    figures = np.full((len(methods) + 1, len(MEASURES)), np.nan)
    explained = [records.get(f"attribution/{method}/{predicted}") for method in methods]
    tried = [records.get(f"faithfulness/{method}/{predicted}") for method in methods]
    control = records.get("chance")
    shares = next((len(one.shares) for one in (control, *tried) if isinstance(one, Chance | Faithfulness)), 0)
    deletion = np.full((len(methods) + 1, shares), np.nan)
    for row, one in enumerate(explained):
        if isinstance(one, Attribution) and one.delta_share is not None:
            figures[row, 0] = one.delta_share
    for row, found in enumerate(tried):
        if isinstance(found, Faithfulness):
            figures[row, 1:5] = [found.measures[name] for name in MEASURES[1:5]]
            deletion[row] = found.deletion
    if isinstance(control, Chance):
        random = chance_measures(control, predicted)
        figures[-1, 1:5] = [random[name].mean() for name in MEASURES[1:5]]
        deletion[-1] = control.deletion[..., predicted].mean(0)
        rows = [row for row, found in enumerate(tried) if isinstance(found, Faithfulness)]
        own, others = normalised_aopc([found for found in tried if isinstance(found, Faithfulness)], control)
        figures[rows, 5] = [np.nan if value is None else value for value in own]
        figures[-1, 5] = np.mean(others) if others else np.nan
    forgot = [one for method in methods if isinstance(one := records.get(f"sanity/{method}/{predicted}"), Sanity)]
    tau, overlap = _agreement(explained)
    return Tested(
        figures=_plain(figures),
        deletion=_plain(deletion),
        tau=_plain(tau),
        overlap=_plain(overlap),
        steps=list(forgot[0].steps) if forgot else [],
        likeness={one.method: one.correlations.tolist() for one in forgot},
    )


def _plain(values: Array) -> Values:
    return [[None if np.isnan(value) else float(f"{value:.6g}") for value in row] for row in values]


def _array(values: Sequence[Values]) -> Array:
    result: Array = np.array(values, float)  # None becomes NaN
    return result


def _agreement(explained: Sequence[Record | None]) -> tuple[Array, Array]:
    tau, overlap = (np.full((len(explained), len(explained)), np.nan) for _ in range(2))
    rows = [row for row, one in enumerate(explained) if isinstance(one, Attribution)]
    words = [one.words for one in explained if isinstance(one, Attribution)]
    if words:
        tau[np.ix_(rows, rows)] = kendall_taus(np.stack(words))
        overlap[np.ix_(rows, rows)] = [[top_overlap(a, b) for b in words] for a in words]
    return tau, overlap


@dataclass(frozen=True)
class Spread:
    """Of a figure over the passages: quartiles and median."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class MethodSummary:
    """One method over the whole gallery, or chance."""

    method: str
    """Empty for chance."""
    figures: Mapping[str, Spread | None]
    """By measure; None where the method has no such figure."""
    deletion: Array
    """[3, S] quartiles and median of the deletion curves, low to high; empty where there are none."""
    better: int
    """Passages on which taking the method's words away costs more than taking random ones."""
    passages: int
    """Passages on which that was tried."""


@dataclass(frozen=True)
class Overview:
    """All methods over the whole gallery."""

    methods: tuple[MethodSummary, ...]
    chance: MethodSummary | None
    tau: Mapping[tuple[int, int], Spread]
    """By the places of two methods, the first in front."""
    overlap: Mapping[tuple[int, int], Spread]

    @property
    def best(self) -> MethodSummary | None:
        """The method whose words, once taken away, cost most at the median."""
        tried = [(found.median, one) for one in self.methods if (found := one.figures["aopc_comprehensiveness"]) is not None]
        return max(tried, key=lambda pair: pair[0])[1] if tried else None


def overview(methods: Sequence[str], tests: Sequence[Tested]) -> Overview:
    """Return median and quartiles over the passages; a passage that lacks a figure is left out of that figure alone."""
    if not tests:
        return Overview((), None, {}, {})
    figures = _array([one.figures for one in tests])
    longest = max(len(one.deletion[0]) for one in tests)
    curves = _array([one.deletion for one in tests if len(one.deletion[0]) == longest])
    rows = tuple(_row(name, figures[:, row], curves[:, row], figures[:, -1]) for row, name in enumerate((*methods, "")))
    tau, overlap = _pairs(_array([one.tau for one in tests])), _pairs(_array([one.overlap for one in tests]))
    return Overview(rows[:-1], rows[-1] if rows[-1].passages else None, tau, overlap)


def _pairs(values: Array) -> dict[tuple[int, int], Spread]:
    """Return the spread of [P, M, M] over the passages, for each pair of methods."""
    pairs = zip(*np.triu_indices(values.shape[1], 1), strict=True)
    found = {(int(a), int(b)): _spread(values[:, a, b]) for a, b in pairs}
    return {pair: spread for pair, spread in found.items() if spread is not None}


def _row(method: str, figures: Array, curves: Array, chance: Array) -> MethodSummary:
    column = MEASURES.index("aopc_comprehensiveness")
    known = ~np.isnan(figures[:, column]) & ~np.isnan(chance[:, column])
    drawn = curves[~np.isnan(curves).any(1)]
    return MethodSummary(
        method=method,
        figures={name: _spread(figures[:, at]) for at, name in enumerate(MEASURES)},
        deletion=np.percentile(drawn, [25, 50, 75], axis=0) if drawn.size else np.zeros((3, 0)),
        better=int((figures[known, column] > chance[known, column]).sum()),
        passages=int(known.sum()),
    )


def _spread(values: Array) -> Spread | None:
    known = values[~np.isnan(values)]
    return Spread(*(float(value) for value in np.percentile(known, [25, 50, 75]))) if known.size else None


@dataclass(frozen=True)
class Forgetting:
    """What is left of one method's explanations as the model forgets, over a few passages."""

    method: str
    steps: tuple[str, ...]
    curve: Array
    """[3, steps] least, median and most of the rank correlations."""
    passages: int

    @property
    def left(self) -> float:
        """The median when everything is forgotten."""
        return float(self.curve[1, -1])


def forgetting(methods: Sequence[str], tests: Sequence[Tested]) -> list[Forgetting]:
    """Return each method's curve, in the order of `methods`; those that were not tried are left out."""
    rows = []
    for method in methods:
        own = [one for one in tests if method in one.likeness]
        if own:
            curves = np.array([one.likeness[method] for one in own])
            rows.append(Forgetting(method, tuple(own[0].steps), np.stack([curves.min(0), np.median(curves, 0), curves.max(0)]), len(own)))
    return rows
