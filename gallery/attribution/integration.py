"""Integrals of gradients along paths: with a fixed number of nodes, or with as many as the tolerance needs."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gallery.attribution.method import Parameters
from gallery.attribution.outputs import output_values
from gallery.attribution.path import Path, Point, PointGradients, end_logits, walk
from gallery.attribution.quadrature import Estimate, delta_scale, estimate, first_nodes, gauss_legendre
from gallery.model.classifier import Classifier
from gallery.model.hooks import RunFrom
from gallery.store.records import Array


@dataclass(frozen=True)
class Integral:
    """The integral along a path for one class, with its errors."""

    target: int
    totals: Array
    """[T] float64."""
    delta: float
    """Sum of the totals less the change of the output."""
    converged: bool
    error: float | None
    """Estimated error of the worst token, as a share of the largest total; None for a fixed number of nodes."""
    steps: int
    """Nodes at which the gradient was computed."""
    nodes: Array
    """[N] from 0 to 1, both ends included."""
    logits: Array
    """[N, C] along the path."""
    values: Array
    """[S, T] tokens' parts of the derivative at the nodes with a gradient, in their order."""


def integrate(
    classifier: Classifier, paths: Sequence[Path], targets: Sequence[Sequence[int]], parameters: Parameters, run_from: RunFrom
) -> list[list[Integral]]:
    """Return, for each path, an integral for each class in its `targets`.

    Over `n_steps` Gauss-Legendre nodes or, where that is None, as many as `delta_tolerance` needs, up to `max_steps`. Each
    class is refined by itself until it converges, so its integral does not depend on the other classes. Classes that need the
    same node share its forward pass.
    """
    if parameters["n_steps"] is None:
        return _adaptive(classifier, paths, targets, parameters, run_from)
    return _fixed(classifier, paths, targets, parameters, run_from)


def _fixed(classifier: Classifier, paths: Sequence[Path], targets: Sequence[Sequence[int]], parameters: Parameters, run_from: RunFrom) -> list[list[Integral]]:
    nodes, weights = gauss_legendre(parameters["n_steps"])
    points = [Point(p, float(node), tuple(targets[p])) for p in range(len(paths)) for node in nodes]
    gradients = walk(classifier, paths, points, parameters["output"], run_from)
    results = []
    for p, path in enumerate(paths):
        along = gradients[p * len(nodes) : (p + 1) * len(nodes)]
        ends = end_logits(classifier, path, run_from)
        logits = np.stack([ends[0], *(at_node.logits for at_node in along), ends[1]])
        integrals = []
        for k, target in enumerate(targets[p]):
            values = np.stack([at_node.values[k] for at_node in along])
            totals = weights @ values
            change = float(np.diff(output_values(ends, parameters["output"])[:, target])[0])
            delta = float(totals.sum() - change)
            converged = abs(delta) <= parameters["delta_tolerance"] * delta_scale(totals, change)
            integrals.append(Integral(target, totals, delta, converged, None, len(nodes), np.concatenate([[0.0], nodes, [1.0]]), logits, values))
        results.append(integrals)
    return results


def _adaptive(
    classifier: Classifier, paths: Sequence[Path], targets: Sequence[Sequence[int]], parameters: Parameters, run_from: RunFrom
) -> list[list[Integral]]:
    values: dict[tuple[int, int], dict[float, Array]] = {(p, target): {} for p, own_targets in enumerate(targets) for target in own_targets}
    logits: list[dict[float, Array]] = [{} for _ in paths]
    estimates: dict[tuple[int, int], Estimate] = {}
    more = {key: first_nodes() for key in values}
    while more:
        targets_at: dict[tuple[int, float], list[int]] = defaultdict(list)
        for (p, target), nodes in more.items():
            for node in nodes.tolist():
                targets_at[p, node].append(target)
        points = [Point(p, node, tuple(own_targets)) for (p, node), own_targets in targets_at.items()]
        for point, gradients in zip(points, walk(classifier, paths, points, parameters["output"], run_from), strict=True):
            _keep(point, gradients, values, logits)
        estimates |= {key: _estimate(values[key], logits[key[0]], key[1], parameters) for key in more}
        more = {key: estimates[key].more[: parameters["max_steps"] - len(values[key])] for key in more}
        more = {key: nodes for key, nodes in more.items() if len(nodes)}
    return [[_integral(target, estimates[p, target], values[p, target], logits[p]) for target in own_targets] for p, own_targets in enumerate(targets)]


def _keep(point: Point, gradients: PointGradients, values: dict[tuple[int, int], dict[float, Array]], logits: list[dict[float, Array]]) -> None:
    logits[point.path].setdefault(point.node, gradients.logits)
    for target, own_values in zip(point.targets, gradients.values, strict=True):
        values[point.path, target][point.node] = own_values


def _estimate(values: dict[float, Array], logits: dict[float, Array], target: int, parameters: Parameters) -> Estimate:
    nodes = sorted(values)
    outputs = output_values(np.stack([logits[node] for node in nodes]), parameters["output"])[:, target]
    return estimate(np.array(nodes), np.stack([values[node] for node in nodes]), outputs, parameters["delta_tolerance"])


def _integral(target: int, last: Estimate, values: dict[float, Array], logits: dict[float, Array]) -> Integral:
    nodes = sorted(values)
    along = np.stack([logits[node] for node in nodes])
    return Integral(target, last.totals, last.delta, last.converged, last.error, len(nodes), np.array(nodes), along, np.stack([values[node] for node in nodes]))
