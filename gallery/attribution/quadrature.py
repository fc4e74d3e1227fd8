"""Where on the path from the baseline to the passage gradients are taken, and what they add up to.

Plain numbers in and out; nothing here knows of models. A path runs from 0 to 1; at a node a, `values` are the
tokens' parts of the derivative of the output F along it, so that their sum is dF/da.
"""

from dataclasses import dataclass

import numpy as np

from gallery.records import Array

_FIRST = 9
"""Nodes to begin with: eight equal intervals, both ends included."""
_SHORTEST = 2.0**-12
"""Intervals below this are not split: float32 cannot tell their ends' outputs apart."""
_TOKEN_TOLERANCE = 0.035
"""Estimated error of a single attribution, as a share of the largest, that ends refinement."""
_OWN_TOLERANCE = 3.5
"""Sum of the intervals' own errors, in units of the tolerated delta, that ends refinement.

The own errors are those of the rule before interpolation errors of neighbours cancel, hence the factor: held
against 2,000 nodes, it is what keeps every attribution within 3 % (tests/benchmarks/attribution.py)."""


def gauss_legendre(steps: int) -> tuple[Array, Array]:
    """Return nodes and weights [steps] on [0, 1], as Captum's `gausslegendre` has them."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return (nodes + 1) / 2, weights / 2


def first_nodes() -> Array:
    """Return the nodes [9] that adaptive integration starts from."""
    return np.linspace(0, 1, _FIRST)


@dataclass(frozen=True)
class Estimate:
    """What a set of nodes says: the integrals, how far off they are, and where more nodes are needed."""

    totals: Array
    """[K, T] integrals for K outputs and T tokens."""
    delta: Array
    """[K], sum of the integrals less F(1) - F(0)."""
    error: Array
    """[K] largest estimated error of a token's integral, as a share of the largest integral."""
    converged: Array
    """[K] bool."""
    more: Array
    """Nodes to add; empty where all outputs have converged, or nothing is left to split."""


def estimate(nodes: Array, values: Array, outputs: Array, tolerance: float) -> Estimate:
    """Integrate values [N, K, T] known at nodes [N] with outputs F [N, K], and say where to refine.

    Each interval is integrated by the polynomial of degree 5 through its six nearest nodes. Two errors are known
    without further passes: the interval's own, |sum of its attributions - (F(b) - F(a))|, which the
    forward passes give for nothing; and, per token, the difference from the polynomial of degree 3. Intervals whose
    errors are a fair share of the worst are halved, so that every node found is kept.
    An output has converged when |delta| is within `tolerance` of its scale (see `delta_scale`), the own errors add
    up to no more than a few times that, and no token's error estimate passes 3.5 % of the largest attribution: errors
    that merely cancel in the sum do not pass.
    """
    sixth, fourth = _interval_weights(nodes, 6), _interval_weights(nodes, 4)
    totals = np.einsum("n,nkt->kt", sixth.sum(0), values)
    change = outputs[-1] - outputs[0]
    allowed = tolerance * delta_scale(totals, change)
    largest = np.maximum(np.abs(totals).max(-1), np.finfo(float).tiny)
    own = np.abs(np.einsum("in,nk->ik", sixth, values.sum(-1)) - np.diff(outputs, axis=0))
    rough = np.abs(np.einsum("in,nkt->ikt", sixth - fourth, values))
    delta = totals.sum(-1) - change
    error = rough.sum(0).max(-1) / largest
    converged = (np.abs(delta) <= allowed) & (own.sum(0) <= _OWN_TOLERANCE * allowed) & (error <= _TOKEN_TOLERANCE)
    need = np.maximum(own / allowed / _OWN_TOLERANCE, rough.max(-1) / largest / _TOKEN_TOLERANCE)
    need = np.where(converged, 0.0, need).max(-1)
    need[np.diff(nodes) <= _SHORTEST] = 0
    pick = (need > 0) & (need >= 0.25 * need.max()) if len(need) else need > 0
    return Estimate(totals, delta, error, converged, ((nodes[:-1] + nodes[1:]) / 2)[pick])


def delta_scale(totals: Array, change: Array) -> Array:
    """Return [K] what a convergence delta is measured against: |F(1) - F(0)|, or a tenth of all evidence where that is more.

    Where the evidence for and against, sum |attribution|, all but cancels, F hardly changes along the path, and a share of
    that change would ask for more digits than anyone reads.
    """
    scale: Array = np.maximum(np.abs(change), np.maximum(0.1 * np.abs(totals).sum(-1), np.finfo(np.float32).eps))
    return scale


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
