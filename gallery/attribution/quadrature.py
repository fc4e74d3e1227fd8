"""Numerical integration along a path from 0 to 1: with Gauss-Legendre nodes, or with nodes added where the error is large.

Plain numbers in and out; nothing here knows of models. At a node a, `values` are the tokens' parts of the derivative of the
output F along the path, so that their sum is dF/da.
"""

from dataclasses import dataclass

import numpy as np

from gallery.store.records import Array

_FIRST = 17
"""Nodes to begin with, both ends included, for sixteen equal intervals; with fewer, a narrow peak can lie between two nodes."""
_SHORTEST = 2.0**-12
"""Shortest interval that is split: in shorter ones, float32 cannot tell the outputs at the ends apart."""
_TOKEN_TOLERANCE = 0.025
"""Refinement ends when the estimated error of every attribution is at most this share of the largest attribution."""
_OWN_TOLERANCE = 0.17
"""Refinement ends when the errors of the intervals add up to at most this share of the largest attribution.

An interval's error is the sum over all tokens. It may all belong to a single token, so it is compared with the largest attribution and
not with the change of output. It mostly belongs to many tokens, so this tolerance is above that of a token. With both tolerances
every attribution stays within 3 % of the largest, compared with references on a trained classifier (tests/benchmarks/attribution.py)."""
_WORST = 0.45
"""Also split every interval whose error is at least this share of the worst; a smaller share gives fewer rounds, a larger one fewer nodes."""


def gauss_legendre(steps: int) -> tuple[Array, Array]:
    """Return nodes and weights [steps] on [0, 1]; the same as Captum's `gausslegendre`."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return (nodes + 1) / 2, weights / 2


def first_nodes() -> Array:
    """Return the nodes [17] that adaptive integration begins with."""
    return np.linspace(0, 1, _FIRST)


@dataclass(frozen=True)
class Estimate:
    """The integrals over a set of nodes, their estimated errors, and where more nodes are needed."""

    totals: Array
    """[T] integrals of T tokens."""
    delta: float
    """Sum of the integrals less F(1) - F(0)."""
    error: float
    """Largest estimated error of a token's integral, as a share of the largest integral."""
    converged: bool
    more: Array
    """Nodes to add; empty after convergence, or where no interval is long enough to split."""


def estimate(nodes: Array, values: Array, outputs: Array, tolerance: float) -> Estimate:
    """Return the integral of values [N, T] at nodes [N], its errors, and the nodes to add; outputs F [N].

    Each interval is integrated by the polynomial of degree 5 through its six nearest nodes. Two errors need no further passes.
    The error of an interval is |sum of its attributions - (F(b) - F(a))|, from outputs that the forward passes computed anyway.
    The error of a token in an interval is the larger of two differences: between degree 5 and 3, which shows an oscillating
    polynomial; and between degree 3 and the trapezoid, which shows a peak that both polynomials miss. The worst interval is
    halved, with those nearly as bad, so that all earlier nodes stay in use.
    The estimate has converged when |delta| is within `tolerance` of its scale (see `delta_scale`), and neither the errors of the
    intervals nor those of any token add up to more than their share of the largest attribution. Errors that only cancel in the sum
    do not pass.
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
    """Return the scale of a convergence delta: |F(1) - F(0)|, or a tenth of all evidence, sum |attribution|, where that is more.

    Where evidence for and against nearly cancels, F hardly changes along the path. A share of that change would demand more
    digits than anybody reads.
    """
    return max(abs(change), 0.1 * float(np.abs(totals).sum()), float(np.finfo(np.float32).eps))


def _interval_weights(nodes: Array, points: int) -> Array:
    """Return weights [N-1, N]; row i integrates the polynomial through the nearest nodes over [nodes[i], nodes[i+1]]."""
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
