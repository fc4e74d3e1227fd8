"""Which method the page on methods calls truest: computed from the gallery at hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import bootstrap

from gallery.site.pages.measures import MEASURES, Tested, overview
from gallery.site.pages.methods import measures_fragment
from gallery.site.pages.truest import FEWEST, truest

METHODS = ("integrated_gradients", "decomposition")


def passages(losses: np.ndarray) -> list[Tested]:
    """Return passages with the comprehensiveness [P, 2] of two methods, and 0.1 for random words."""
    tests = []
    for row in losses:
        figures: list[list[float | None]] = [[None] * len(MEASURES) for _ in range(3)]
        for figure, value in zip(figures, [*row.tolist(), 0.1], strict=True):
            figure[MEASURES.index("aopc_comprehensiveness")] = value
        curve: list[float | None] = [0.9, 0.1]
        tests.append(Tested(figures, [curve] * 3, [[1.0, 0.5], [0.5, 1.0]], [[1.0, 0.5], [0.5, 1.0]], [], {}, {}))
    return tests


def losses(first: float, second: float, spread: float = 0.02) -> np.ndarray:
    return np.array([first, second]) + spread * np.random.default_rng(1).normal(size=(30, 2))


def test_means_and_intervals_are_scipys() -> None:
    values = losses(0.5, 0.3)
    found = truest(METHODS, passages(values))
    assert found is not None
    assert (found.method, found.passages, [rival.method for rival in found.rivals]) == ("integrated_gradients", 30, ["decomposition"])
    for interval, column in ((found.loss, values[:, 0]), (found.rivals[0].loss, values[:, 1]), (found.rivals[0].behind, values[:, 0] - values[:, 1])):
        theirs = bootstrap((column,), np.mean, method="percentile", n_resamples=5000, random_state=0).confidence_interval
        assert interval.mean == pytest.approx(column.mean(), abs=1e-5)
        assert (interval.low, interval.high) == pytest.approx((theirs.low, theirs.high), abs=0.002)


@pytest.mark.parametrize(
    ("first", "second", "spread", "said"),
    [
        (0.5, 0.3, 0.02, "integrated gradients is the truest method here"),
        (0.3, 0.5, 0.02, "decomposition is the truest method here"),
        (0.41, 0.4, 0.2, "is not to be told from it"),
    ],
)
def test_the_page_says_what_the_passages_show(first: float, second: float, spread: float, said: str) -> None:
    tests = passages(losses(first, second, spread))
    page = " ".join(str(measures_fragment("en", METHODS, overview(METHODS, tests), len(tests), truest(METHODS, tests))).split())
    assert said in page
    assert ("which may be chance" in page) == (said == "is not to be told from it")


def test_a_handful_of_passages_decides_nothing_and_missing_figures_are_left_out() -> None:
    tests = passages(losses(0.5, 0.3))
    assert truest(METHODS, tests[: FEWEST - 1]) is None
    assert truest(METHODS[:1], [replace(test, figures=[test.figures[0], test.figures[2]]) for test in tests]) is None
    found = truest(METHODS, [*tests, replace(tests[0], figures=[[None] * len(MEASURES)] * 3)])
    assert found is not None
    assert found.passages == 30
