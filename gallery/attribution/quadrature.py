"""Where on the path from the baseline to the passage gradients are taken, and what they add up to.

Plain numbers in and out; nothing here knows of models. A path runs from 0 to 1; at a node a, `values` are the
tokens' parts of the derivative of the output F along it, so that their sum is dF/da.
"""

from dataclasses import dataclass

import numpy as np

from gallery.store.records import Array

_FIRST = 17
"""Nodes to begin with: sixteen equal intervals, both ends included; with fewer, a narrow peak can pass between them."""
_SHORTEST = 2.0**-12
"""Intervals below this are not split: float32 cannot tell their ends' outputs apart."""
_TOKEN_TOLERANCE = 0.025
"""Estimated error of a single attribution, as a share of the largest, that ends refinement."""
_OWN_TOLERANCE = 0.17
"""Sum of the intervals' own errors, as a share of the largest attribution, that ends refinement.

What an interval misses may all belong to one token, so it is held against the largest attribution and not against the
change of output; above the tolerance of a token, since it mostly belongs to many. This and the tolerance of a token are what,
held against references on a trained classifier, keeps every attribution within 3 % of the largest one (tests/benchmarks/attribution.py)."""
_WORST = 0.45
"""Intervals that need as much of the worst one's refinement are halved with it; fewer rounds below, fewer nodes above."""


def gauss_legendre(steps: int) -> tuple[Array, Array]:
    """Return nodes and weights [steps] on [0, 1], as Captum's `gausslegendre` has them."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return (nodes + 1) / 2, weights / 2


def first_nodes() -> Array:
    """Return the nodes [17] that adaptive integration starts from."""
    return np.linspace(0, 1, _FIRST)


@dataclass(frozen=True)
class Estimate:
    """What a set of nodes says: the integrals, how far off they are, and where more nodes are needed."""

    totals: Array
    """[T] integrals of T tokens."""
    delta: float
    """Sum of the integrals less F(1) - F(0)."""
    error: float
    """Largest estimated error of a token's integral, as a share of the largest integral."""
    converged: bool
    more: Array
    """Nodes to add; empty where all is well, or nothing is left to split."""


def estimate(nodes: Array, values: Array, outputs: Array, tolerance: float) -> Estimate:
    """Integrate values [N, T] known at nodes [N] with outputs F [N], and say where to refine.

    Each interval is integrated by the polynomial of degree 5 through its six nearest nodes. Two errors are known
    without further passes: the interval's own, |sum of its attributions - (F(b) - F(a))|, which the forward passes give for
    nothing; and, per token, the larger of what separates degree 5 from 3 and 3 from the trapezoid: the one betrays an oscillating
    polynomial, the other a peak that both polynomials pass by. The worst interval is halved, and those nearly as bad, so that
    every node found is kept.
    All is well when |delta| is within `tolerance` of its scale (see `delta_scale`), and neither the own errors nor those of any
    token add up to more than their share of the largest attribution: errors that merely cancel in the sum do not pass.
    """
    sixth, fourth, second = (_interval_weights(nodes, points) for points in (6, 4, 2))
    parts = sixth @ values
    totals = parts.sum(0)
    change = float(outputs[-1] - outputs[0])
    delta = float(totals.sum() - change)
    largest = max(float(np.abs(totals).max()), float(np.finfo(np.float32).tiny))
    own = np.abs(parts.sum(-1) - np.diff(outputs)) / largest
    rough = np.maximum(np.abs((sixth - fourth) @ values), np.abs((fourth - second) @ values)) / largest
    error = float(rough.sum(0).max())
    converged = abs(delta) <= tolerance * delta_scale(totals, change) and own.sum() <= _OWN_TOLERANCE and error <= _TOKEN_TOLERANCE
    need = np.maximum(own / _OWN_TOLERANCE, rough.max(-1) / _TOKEN_TOLERANCE)
    need[np.diff(nodes) <= _SHORTEST] = 0
    pick = (need > 0) & (need >= _WORST * need.max())
    middles = (nodes[:-1] + nodes[1:]) / 2
    return Estimate(totals, delta, error, bool(converged), middles[:0] if converged else middles[pick])


def delta_scale(totals: Array, change: float) -> float:
    """Return what a convergence delta is measured against: |F(1) - F(0)|, or a tenth of all evidence where that is more.

    Where the evidence for and against, sum |attribution|, all but cancels, F hardly changes along the path, and a share of
    that change would ask for more digits than anyone reads.
    """
    return max(abs(change), 0.1 * float(np.abs(totals).sum()), float(np.finfo(np.float32).eps))


def _interval_weights(nodes: Array, points: int) -> Array:
    """Return [N-1, N]: row i integrates over [nodes[i], nodes[i+1]] the polynomial through its nearest nodes."""
    count = len(nodes)
    points = min(points, count)
    powers = np.arange(points)
    moments = np.where(powers % 2, 0.0, 2 * 0.5 ** (powers + 1) / (powers + 1))
    weights = np.zeros((count - 1, count))
    for i in range(count - 1):
        low = min(max(i - points // 2 + 1, 0), count - points)
        near = slice(low, low + points)
        width = nodes[i + 1] - nodes[i]
        powers_of = np.vander((nodes[near] - (nodes[i] + nodes[i + 1]) / 2) / width, points, increasing=True)
        weights[i, near] = np.linalg.solve(powers_of.T, moments) * width
    return weights
