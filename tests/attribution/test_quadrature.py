"""Where nodes are put and what they add up to, held against integrals that are known without us."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import roots_legendre

from gallery.attribution.quadrature import Estimate, delta_scale, estimate, first_nodes, gauss_legendre

Function = Callable[[float], float]
EVEN = np.linspace(0, 1, 17)


def taken(nodes: np.ndarray, functions: list[Function], tolerance: float = 0.01) -> Estimate:
    """The estimate of tokens whose parts of the derivative are known functions, with exact outputs."""
    values = np.array([[function(node) for function in functions] for node in nodes])
    outputs = np.array([sum(quad(function, 0, node, points=PEAKS, limit=500)[0] for function in functions) for node in nodes])
    return estimate(nodes, values, outputs, tolerance)


def peak(at: float, width: float) -> Function:
    return lambda node: float(np.exp(-(((node - at) / width) ** 2)))


PEAKS = [0.34, 0.4, 0.55]


@pytest.mark.parametrize("steps", [1, 2, 7, 50])
def test_fixed_nodes_are_scipys(steps: int) -> None:
    nodes, weights = gauss_legendre(steps)
    theirs, shares = roots_legendre(steps)
    np.testing.assert_allclose(nodes, (theirs + 1) / 2, atol=1e-14)
    np.testing.assert_allclose(weights, shares / 2, atol=1e-14)


def test_it_begins_with_sixteen_equal_intervals() -> None:
    assert first_nodes().tolist() == [n / 16 for n in range(17)]


@pytest.mark.parametrize("nodes", [EVEN, np.array([0, 0.03, 0.1, 0.15, 0.4, 0.5, 0.8, 0.85, 1])])
def test_polynomials_of_degree_five_are_integrated_exactly_between_any_nodes(nodes: np.ndarray) -> None:
    found = taken(nodes, [lambda a, k=k: (k + 1) * a**k for k in range(6)])
    np.testing.assert_allclose(found.totals, np.ones(6), atol=1e-12)
    assert found.delta == pytest.approx(0, abs=1e-12)


def test_three_nodes_are_simpsons_rule_and_two_the_trapezoid() -> None:
    values = np.array([[1.0, 3.0], [2.0, -1.0], [7.0, 5.0]])
    assert estimate(np.array([0, 0.5, 1]), values, np.zeros(3), 0.01).totals == pytest.approx([(1 + 4 * 2 + 7) / 6, (3 - 4 + 5) / 6])
    assert estimate(np.array([0, 1]), values[:2], np.zeros(2), 0.01).totals == pytest.approx([1.5, 1.0])


def test_delta_is_what_the_integrals_miss_of_the_change_of_output() -> None:
    found = estimate(EVEN, np.tile([2.0, 1.0], (17, 1)), np.linspace(5, 7.5, 17), 0.01)
    assert found.delta == pytest.approx(3 - 2.5)
    assert not found.converged


def test_a_smooth_path_is_done_at_once() -> None:
    found = taken(EVEN, [lambda a: np.cos(a), lambda a: -(a**2)])
    assert found.converged
    assert found.more.tolist() == []
    assert found.error < 0.001
    assert found.totals == pytest.approx([np.sin(1), -1 / 3], abs=1e-6)


@pytest.mark.parametrize("functions", [[peak(0.34, 0.02), lambda a: 0.1], [peak(0.4, 0.005)], [peak(0.34, 0.01), lambda a: -peak(0.55, 0.02)(a)]])
def test_refinement_halves_intervals_until_every_token_is_known(functions: list[Function]) -> None:
    nodes = EVEN
    for _ in range(12):
        found = taken(nodes, functions)
        if found.converged:
            break
        assert len(found.more) > 0
        middles = (nodes[:-1] + nodes[1:]) / 2
        assert set(found.more) <= set(middles), "every node found is kept, and new ones lie half way between"
        nodes = np.sort(np.concatenate([nodes, found.more]))
    exact = np.array([quad(function, 0, 1, points=PEAKS, limit=500)[0] for function in functions])
    assert found.converged
    assert len(nodes) < 60, "nodes go where the path bends"
    assert np.abs(found.totals - exact).max() <= 0.03 * np.abs(exact).max()


def test_nodes_are_added_where_the_path_bends() -> None:
    found = taken(EVEN, [peak(0.4, 0.01), lambda a: 1.0])
    assert not found.converged
    assert len(found.more) > 0
    assert np.abs(found.more - 0.4).max() < 2 / 16


def test_errors_that_cancel_in_the_sum_are_not_passed_over() -> None:
    """Two tokens with the same peak, one for and one against: their sum misses nothing, and each is wrong."""
    found = taken(EVEN, [peak(0.34, 0.03), lambda a: -peak(0.34, 0.03)(a), lambda a: 0.1])
    assert found.delta == pytest.approx(0, abs=1e-6)
    assert found.error > 0.025
    assert not found.converged
    assert len(found.more) > 0


def test_intervals_that_miss_opposite_changes_are_not_passed_over() -> None:
    """Outputs that rise in one interval more than the gradients say, and in another less: together they miss nothing."""
    outputs = EVEN.copy()
    outputs[4:9] += 0.2  # from the interval that ends at node 4 to the one that ends at node 9
    found = estimate(EVEN, np.ones((17, 1)), outputs, 0.01)
    assert found.delta == pytest.approx(0, abs=1e-12)
    assert found.error == pytest.approx(0, abs=1e-9)
    assert not found.converged
    assert found.more.tolist() == [3.5 / 16, 8.5 / 16]


def test_own_errors_may_add_up_to_some_share_of_the_largest_attribution() -> None:
    for missed, passes in ((0.16, True), (0.18, False)):  # 0.17 of an attribution of 1
        outputs = EVEN.copy()
        outputs[4:9] += missed / 2
        assert estimate(EVEN, np.ones((17, 1)), outputs, 0.01).converged is passes


def test_intervals_nearly_as_bad_as_the_worst_are_halved_with_it() -> None:
    outputs = EVEN.copy()
    outputs[2:] += 0.4
    outputs[6:] += 0.2  # half of the worst
    outputs[10:] -= 0.16  # less than 0.45 of it
    outputs[14:] -= 0.44
    found = estimate(EVEN, np.ones((17, 1)), outputs, 0.01)
    assert found.more.tolist() == [1.5 / 16, 5.5 / 16, 13.5 / 16]


def test_delta_may_be_the_tolerances_share_of_the_change_of_output() -> None:
    for missed, passes in ((0.0100, True), (0.0102, False)):  # of a change of 1 and what is missed
        assert estimate(EVEN, np.ones((17, 1)), EVEN * (1 + missed), 0.01).converged is passes


def test_intervals_too_short_for_float32_are_not_halved() -> None:
    """A jump between two nodes next to each other is told as an error and not split, though it is by far the worst interval."""
    nodes = np.sort(np.concatenate([EVEN, [0.5 + 2.0**-12]]))
    found = estimate(nodes, np.ones((18, 1)), nodes + 0.5 * (nodes > 0.5), 0.01)
    assert found.delta == pytest.approx(-0.5)
    assert not found.converged
    assert 0.5 + 2.0**-13 not in found.more.tolist()


def test_the_error_of_a_token_is_what_the_trapezoid_misses_of_a_parabola() -> None:
    """16 intervals of h = 1/16 miss h^3 / 6 each, of an integral of 1/3."""
    assert taken(EVEN, [lambda a: a**2]).error == pytest.approx(16 * (1 / 16) ** 3 / 6 * 3)


def test_the_first_intervals_are_integrated_by_the_polynomial_through_the_first_six_nodes() -> None:
    values = np.zeros((17, 1))
    values[0] = 1
    through = np.polynomial.Polynomial.fit(np.arange(6), values[:6, 0], 5, domain=[0, 5], window=[0, 5]).integ()
    assert estimate(EVEN, values, np.zeros(17), 0.01).totals[0] == pytest.approx((through(3) - through(0)) / 16)


@pytest.mark.parametrize(
    ("totals", "change", "scale"),
    [([3.0, -1.0], 2.0, 2.0), ([3.0, -1.0], -2.0, 2.0), ([30.0, -29.0], 1.0, 5.9), ([0.0, 0.0], 0.0, 2.0**-23)],
)
def test_delta_is_measured_against_the_change_or_a_tenth_of_all_evidence(totals: list[float], change: float, scale: float) -> None:
    assert delta_scale(np.array(totals), change) == pytest.approx(scale)
