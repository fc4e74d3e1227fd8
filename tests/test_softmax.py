"""The softmax of plain numbers."""

import numpy as np
import pytest

from gallery.softmax import log_softmax, log_sum_exp, softmax


def test_shares_follow_the_exponentials_and_add_up_to_one() -> None:
    shares = softmax(np.array([[0.0, np.log(3)], [np.log(4), 0.0]]))
    np.testing.assert_allclose(shares, [[0.25, 0.75], [0.8, 0.2]])
    np.testing.assert_allclose(log_softmax(np.array([0.0, np.log(3)])), np.log([0.25, 0.75]))
    assert log_sum_exp(np.array([[0.0, np.log(3)]])) == pytest.approx(np.log(4))


def test_large_scores_overflow_nothing() -> None:
    scores = np.array([1e5, 1e5 - 1, -1e5])
    np.testing.assert_allclose(softmax(scores), [1 / (1 + np.exp(-1)), np.exp(-1) / (1 + np.exp(-1)), 0])
    assert np.isfinite(log_softmax(scores)).all()
    assert log_sum_exp(scores) == pytest.approx(1e5 + np.log(1 + np.exp(-1)))


def test_the_number_format_stays_and_what_is_masked_gets_nothing() -> None:
    shares = softmax(np.array([1.0, -np.inf, 1.0], np.float32))
    assert shares.dtype == np.float32
    assert shares.tolist() == [0.5, 0.0, 0.5]
