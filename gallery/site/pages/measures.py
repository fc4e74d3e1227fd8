"""The methods over the whole gallery: each passage's figures, then their median and quartiles."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gallery.evaluation.metrics import chance_measures
from gallery.methods import Method, method_of
from gallery.site.entries import by_method, first_of
from gallery.site.views import alike
from gallery.store.manifest import EntryName
from gallery.store.records import Array, Attribution, Chance, Faithfulness, Record, Sanity, Verification

MEASURES = ("delta", "aopc_comprehensiveness", "aopc_sufficiency", "deletion_area", "insertion_area")
"""Columns of the figures: the convergence delta as a share, and the measures of gallery/evaluation/faithfulness.py."""

Values = list[list[float | None]]


@dataclass(frozen=True)
class Tested:
    """Figures of each of M methods on one passage, all for the predicted class; None where a method has no such figure.

    S shares of the words. Plain values, since they are kept for the next build.
    """

    figures: Values
    """[M + 1, len(MEASURES)]; the last row is chance, the mean over the random orders."""
    deletion: Values
    """[M + 1, S] probability of the class as words are erased."""
    tau: Values
    """[M, M] Kendall's tau over the words."""
    overlap: Values
    """[M, M] share of the ten strongest words in common."""
    steps: list[str]
    """Stages of randomisation by `build.py sanity`; empty where it was not run on this passage."""
    likeness: dict[str, list[float]]
    """Method -> [steps] rank correlation with the trained model's words."""
    captum: dict[str, float]
    """Method -> difference from Captum, as a share of the largest contribution; empty where `build.py verify` was not run on this passage."""


def tested(methods: Sequence[str], predicted: int, records: Mapping[EntryName, Record]) -> Tested:
    """Return one passage's figures from its records by entry name; any of the records may be missing."""
    figures = np.full((len(methods) + 1, len(MEASURES)), np.nan)
    attributions, trials = by_method(records.values(), Attribution), by_method(records.values(), Faithfulness)
    sanities, verifications = by_method(records.values(), Sanity), by_method(records.values(), Verification)
    explained = [attributions.get((method, predicted)) for method in methods]
    tried = {row: trials[method, predicted] for row, method in enumerate(methods) if (method, predicted) in trials}
    control = first_of(records.values(), Chance)
    shares = next((len(record.shares) for record in (control, *tried.values()) if record is not None), 0)
    deletion = np.full((len(methods) + 1, shares), np.nan)
    for row, attribution in enumerate(explained):
        if attribution is not None and attribution.delta_share is not None:
            figures[row, 0] = attribution.delta_share
    for row, trial in tried.items():
        figures[row, 1:5] = [trial.measures[name] for name in MEASURES[1:5]]
        deletion[row] = trial.deletion
    if control is not None:
        random = chance_measures(control, predicted)
        figures[-1, 1:5] = [random[name].mean() for name in MEASURES[1:5]]
        deletion[-1] = control.deletion[..., predicted].mean(0)
    randomised = [sanities[method, predicted] for method in methods if (method, predicted) in sanities]
    tau, overlap = _agreement(explained)
    return Tested(
        figures=_plain(figures),
        deletion=_plain(deletion),
        tau=_plain(tau),
        overlap=_plain(overlap),
        steps=list(randomised[0].steps) if randomised else [],
        likeness={record.method: record.correlations.tolist() for record in randomised},
        captum={method: verifications[method, predicted].difference for method in methods if (method, predicted) in verifications},
    )


def _plain(values: Array) -> Values:
    return [[None if np.isnan(value) else float(f"{value:.6g}") for value in row] for row in values]


def _array(values: Sequence[Values]) -> Array:
    result: Array = np.array(values, float)  # None becomes NaN
    return result


def _agreement(explained: Sequence[Attribution | None]) -> tuple[Array, Array]:
    """Return Kendall's tau and the overlap of the strongest words, [M, M], see `alike`; NaN where a method has no attribution."""
    tau, overlap = (np.full((len(explained), len(explained)), np.nan) for _ in range(2))
    named = [(row, (attribution.method, attribution.words)) for row, attribution in enumerate(explained) if attribution is not None]
    for row, words in named:
        for column, other in named:
            tau[row, column], overlap[row, column] = (1.0, 1.0) if row == column else alike(words, other)
    return tau, overlap


@dataclass(frozen=True)
class Spread:
    """Quartiles and median of a figure over the passages."""

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
    """Passages on which erasing the method's words costs more than erasing random words."""
    passages: int
    """Passages on which both were measured."""


@dataclass(frozen=True)
class Overview:
    """All methods over the whole gallery."""

    methods: tuple[MethodSummary, ...]
    chance: MethodSummary | None
    tau: Mapping[tuple[int, int], Spread]
    """By the numbers of two methods, the smaller first."""
    overlap: Mapping[tuple[int, int], Spread]

    @property
    def best(self) -> MethodSummary | None:
        """The method whose words cost most when erased, at the median; None where no trial was made."""
        measured = [(spread.median, method) for method in self.methods if (spread := method.figures["aopc_comprehensiveness"]) is not None]
        return max(measured, key=lambda pair: pair[0])[1] if measured else None


def overview(methods: Sequence[str], tests: Sequence[Tested]) -> Overview:
    """Return median and quartiles over the passages; a passage that lacks a figure is left out of that figure alone."""
    if not tests:
        return Overview((), None, {}, {})
    figures = _array([test.figures for test in tests])
    longest = max(len(test.deletion[0]) for test in tests)
    curves = _array([test.deletion for test in tests if len(test.deletion[0]) == longest])
    rows = tuple(_row(name, figures[:, row], curves[:, row], figures[:, -1]) for row, name in enumerate((*methods, "")))
    tau, overlap = _pairs(_array([test.tau for test in tests])), _pairs(_array([test.overlap for test in tests]))
    return Overview(rows[:-1], rows[-1] if rows[-1].passages else None, tau, overlap)


def _pairs(values: Array) -> dict[tuple[int, int], Spread]:
    """Return the spread of [P, M, M] over the passages, for each pair of methods."""
    pairs = zip(*np.triu_indices(values.shape[1], 1), strict=True)
    spreads = {(int(a), int(b)): _spread(values[:, a, b]) for a, b in pairs}
    return {pair: spread for pair, spread in spreads.items() if spread is not None}


def _row(method: str, figures: Array, curves: Array, chance: Array) -> MethodSummary:
    compared = MEASURES.index("aopc_comprehensiveness")
    known = ~np.isnan(figures[:, compared]) & ~np.isnan(chance[:, compared])
    drawn = curves[~np.isnan(curves).any(1)]
    return MethodSummary(
        method=method,
        figures={name: _spread(figures[:, column]) for column, name in enumerate(MEASURES)},
        deletion=np.percentile(drawn, [25, 50, 75], axis=0) if drawn.size else np.zeros((3, 0)),
        better=int((figures[known, compared] > chance[known, compared]).sum()),
        passages=int(known.sum()),
    )


def _spread(values: Array) -> Spread | None:
    known = values[~np.isnan(values)]
    return Spread(*(float(value) for value in np.percentile(known, [25, 50, 75]))) if known.size else None


def bound(difference: float) -> float:
    """Return a difference rounded up to a tenth of a per cent, as pages state it."""
    return max(1, math.ceil(1000 * difference - 1e-9)) / 1000


@dataclass(frozen=True)
class Held:
    """One method held against Captum."""

    method: Method
    worst: float | None
    """Largest difference on any passage, as a share of the largest contribution there; None where none was verified."""
    passages: int


def held(methods: Sequence[str], tests: Sequence[Tested]) -> list[Held]:
    """Return each method's largest difference from Captum, in the order of `methods`."""
    rows = []
    for name in methods:
        differences = [test.captum[name] for test in tests if name in test.captum]
        rows.append(Held(method_of(name), max(differences, default=None), len(differences)))
    return rows


@dataclass(frozen=True)
class Forgetting:
    """Likeness of one method's attributions to its own as the model is randomised step by step, over a few passages."""

    method: str
    steps: tuple[str, ...]
    curve: Array
    """[3, steps] least, median and most of the rank correlations."""
    passages: int

    @property
    def left(self) -> float:
        """The median for the wholly randomised model."""
        return float(self.curve[1, -1])


def forgetting(methods: Sequence[str], tests: Sequence[Tested]) -> list[Forgetting]:
    """Return each method's curve, in the order of `methods`; methods that were not tried are left out."""
    rows = []
    for method in methods:
        own = [test for test in tests if method in test.likeness]
        if own:
            curves = np.array([test.likeness[method] for test in own])
            rows.append(Forgetting(method, tuple(own[0].steps), np.stack([curves.min(0), np.median(curves, 0), curves.max(0)]), len(own)))
    return rows
