"""Integrals of gradients along paths: with a fixed number of nodes, or with as many as it takes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gallery.attribution.path import Parameters, Path, RunFrom, Walk, end_logits, output_values, walk
from gallery.attribution.quadrature import Estimate, delta_scale, estimate, first_nodes, gauss_legendre
from gallery.classifier import Classifier
from gallery.records import Array


@dataclass(frozen=True)
class Integral:
    """The integrals along one path for its K targets, with their errors."""

    totals: Array
    """[K, T] float64."""
    delta: Array
    """[K] sum of the totals less the change of output."""
    converged: Array
    """[K] bool."""
    error: Array | None
    """[K] estimated error of the worst token, as a share of the largest; None for a fixed number of nodes."""
    steps: int
    nodes: Array
    """[N] from 0 to 1, both ends included."""
    logits: Array
    """[N, C] what the model says along the path."""


def integrate(classifier: Classifier, paths: Sequence[Path], parameters: Parameters, run_from: RunFrom) -> list[Integral]:
    """Return one integral per path, over `n_steps` Gauss-Legendre nodes or, where that is None, as many as the tolerance asks for."""
    if parameters["n_steps"] is None:
        return _adaptive(classifier, paths, parameters, run_from)
    return _fixed(classifier, paths, parameters, run_from)


def _fixed(classifier: Classifier, paths: Sequence[Path], parameters: Parameters, run_from: RunFrom) -> list[Integral]:
    nodes, weights = gauss_legendre(parameters["n_steps"])
    results = []
    for path, along in zip(paths, walk(classifier, paths, [nodes] * len(paths), parameters["output"], run_from), strict=True):
        ends = end_logits(classifier, path, run_from)
        outputs = output_values(ends, parameters["output"])[:, path.targets]
        totals = np.einsum("n,nkt->kt", weights, along.values)
        change = outputs[1] - outputs[0]
        delta = totals.sum(-1) - change
        converged = np.abs(delta) <= parameters["delta_tolerance"] * delta_scale(totals, change)
        profile = np.concatenate([ends[:1], along.logits, ends[1:]])
        results.append(Integral(totals, delta, converged, None, len(nodes), np.concatenate([[0.0], nodes, [1.0]]), profile))
    return results


def _adaptive(classifier: Classifier, paths: Sequence[Path], parameters: Parameters, run_from: RunFrom) -> list[Integral]:
    output, most = parameters["output"], parameters["max_steps"]
    nodes = [first_nodes() for _ in paths]
    walks = walk(classifier, paths, nodes, output, run_from)
    while True:
        estimates = [_estimate(known, along, path, parameters) for known, along, path in zip(nodes, walks, paths, strict=True)]
        more = [found.more[: max(0, most - len(known))] for found, known in zip(estimates, nodes, strict=True)]
        unfinished = [i for i, new in enumerate(more) if len(new)]
        if not unfinished:
            break
        fresh = walk(classifier, [paths[i] for i in unfinished], [more[i] for i in unfinished], output, run_from)
        for i, found in zip(unfinished, fresh, strict=True):
            joined = np.concatenate([nodes[i], more[i]])
            order = np.argsort(joined)
            nodes[i] = joined[order]
            walks[i] = Walk(np.concatenate([walks[i].values, found.values])[order], np.concatenate([walks[i].logits, found.logits])[order])
    return [
        Integral(found.totals, found.delta, found.converged, found.error, len(known), known, along.logits)
        for found, known, along in zip(estimates, nodes, walks, strict=True)
    ]


def _estimate(nodes: Array, along: Walk, path: Path, parameters: Parameters) -> Estimate:
    outputs = output_values(along.logits, parameters["output"])[:, path.targets]
    return estimate(nodes, along.values, outputs, parameters["delta_tolerance"])
