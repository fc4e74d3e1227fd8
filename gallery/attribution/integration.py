"""Integrals of gradients along paths: with a fixed number of nodes, or with as many as it takes."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gallery.attribution.method import Parameters
from gallery.attribution.outputs import output_values
from gallery.attribution.path import Found, Path, Point, RunFrom, end_logits, walk
from gallery.attribution.quadrature import Estimate, delta_scale, estimate, first_nodes, gauss_legendre
from gallery.model.classifier import Classifier
from gallery.store.records import Array


@dataclass(frozen=True)
class Integral:
    """The integral along one path for one class, with its errors."""

    target: int
    totals: Array
    """[T] float64."""
    delta: float
    """Sum of the totals less the change of output."""
    converged: bool
    error: float | None
    """Estimated error of the worst token, as a share of the largest; None for a fixed number of nodes."""
    steps: int
    """Nodes at which the gradient was taken."""
    nodes: Array
    """[N] from 0 to 1, both ends included."""
    logits: Array
    """[N, C] what the model says along the path."""
    values: Array
    """Tokens' parts of the derivative [S, T] at the nodes where the gradient was taken, in their order."""


def integrate(
    classifier: Classifier, paths: Sequence[Path], targets: Sequence[Sequence[int]], parameters: Parameters, run_from: RunFrom
) -> list[list[Integral]]:
    """Return, for each path, one integral per class in its `targets`.

    Over `n_steps` Gauss-Legendre nodes or, where that is None, as many as `delta_tolerance` asks for, up to `max_steps`.
    Each class refines for itself and is done when it is done, so what is found for one does not depend on the others;
    where several want the same node they share its forward pass.
    """
    if parameters["n_steps"] is None:
        return _adaptive(classifier, paths, targets, parameters, run_from)
    return _fixed(classifier, paths, targets, parameters, run_from)


def _fixed(classifier: Classifier, paths: Sequence[Path], targets: Sequence[Sequence[int]], parameters: Parameters, run_from: RunFrom) -> list[list[Integral]]:
    nodes, weights = gauss_legendre(parameters["n_steps"])
    points = [Point(p, float(node), tuple(targets[p])) for p in range(len(paths)) for node in nodes]
    every = walk(classifier, paths, points, parameters["output"], run_from)
    results = []
    for p, path in enumerate(paths):
        along = every[p * len(nodes) : (p + 1) * len(nodes)]
        ends = end_logits(classifier, path, run_from)
        logits = np.stack([ends[0], *(found.logits for found in along), ends[1]])
        one = []
        for k, target in enumerate(targets[p]):
            values = np.stack([found.values[k] for found in along])
            totals = weights @ values
            change = float(np.diff(output_values(ends, parameters["output"])[:, target])[0])
            delta = float(totals.sum() - change)
            fine = abs(delta) <= parameters["delta_tolerance"] * delta_scale(totals, change)
            one.append(Integral(target, totals, delta, fine, None, len(nodes), np.concatenate([[0.0], nodes, [1.0]]), logits, values))
        results.append(one)
    return results


def _adaptive(
    classifier: Classifier, paths: Sequence[Path], targets: Sequence[Sequence[int]], parameters: Parameters, run_from: RunFrom
) -> list[list[Integral]]:
    values: dict[tuple[int, int], dict[float, Array]] = {(p, target): {} for p, wanted in enumerate(targets) for target in wanted}
    logits: list[dict[float, Array]] = [{} for _ in paths]
    estimates: dict[tuple[int, int], Estimate] = {}
    more = {key: first_nodes() for key in values}
    while more:
        together: dict[tuple[int, float], list[int]] = defaultdict(list)
        for (p, target), nodes in more.items():
            for node in nodes.tolist():
                together[p, node].append(target)
        points = [Point(p, node, tuple(wanted)) for (p, node), wanted in together.items()]
        for point, found in zip(points, walk(classifier, paths, points, parameters["output"], run_from), strict=True):
            _keep(point, found, values, logits)
        estimates |= {key: _estimate(values[key], logits[key[0]], key[1], parameters) for key in more}
        more = {key: estimates[key].more[: parameters["max_steps"] - len(values[key])] for key in more}
        more = {key: nodes for key, nodes in more.items() if len(nodes)}
    return [[_integral(target, estimates[p, target], values[p, target], logits[p]) for target in wanted] for p, wanted in enumerate(targets)]


def _keep(point: Point, found: Found, values: dict[tuple[int, int], dict[float, Array]], logits: list[dict[float, Array]]) -> None:
    logits[point.path].setdefault(point.node, found.logits)
    for target, one in zip(point.targets, found.values, strict=True):
        values[point.path, target][point.node] = one


def _estimate(values: dict[float, Array], logits: dict[float, Array], target: int, parameters: Parameters) -> Estimate:
    nodes = sorted(values)
    outputs = output_values(np.stack([logits[node] for node in nodes]), parameters["output"])[:, target]
    return estimate(np.array(nodes), np.stack([values[node] for node in nodes]), outputs, parameters["delta_tolerance"])


def _integral(target: int, found: Estimate, values: dict[float, Array], logits: dict[float, Array]) -> Integral:
    nodes = sorted(values)
    along = np.stack([logits[node] for node in nodes])
    return Integral(
        target, found.totals, found.delta, found.converged, found.error, len(nodes), np.array(nodes), along, np.stack([values[node] for node in nodes])
    )
