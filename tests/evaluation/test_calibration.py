"""Calibration: every figure against one worked out by hand."""

import math

import numpy as np
import pytest

from gallery.evaluation.calibration import (
    LEVELS,
    SCORES,
    auroc,
    calibrate,
    choose_score,
    conformal_quantile,
    nearest_length,
    prediction_set,
    reliability,
    share_below,
    softmax,
    temperature,
)

LOGITS = np.log([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]]) + 2.0


def test_scores_of_two_passages() -> None:
    assert SCORES["energy"](LOGITS) == pytest.approx([2.0, 2.0])
    assert SCORES["max_logit"](LOGITS) == pytest.approx([2 + math.log(0.5), 2 + math.log(0.7)])
    assert SCORES["max_probability"](LOGITS) == pytest.approx([0.5, 0.7])
    assert SCORES["margin"](LOGITS) == pytest.approx([math.log(2), math.log(3.5)])
    assert softmax(LOGITS) == pytest.approx(np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]]))


def test_energy_of_large_logits_is_finite() -> None:
    assert SCORES["energy"](np.array([[1000.0, 1000.0]])) == pytest.approx([1000 + math.log(2)])


def test_auroc_counts_pairs_and_ties_half() -> None:
    # Of six pairs four are in order and one is a tie.
    assert auroc(np.array([3.0, 2.0, 0.5]), np.array([1.0, 2.0])) == pytest.approx((2 + 1.5 + 0) / 6)
    assert auroc(np.array([2.0]), np.array([1.0])) == 1.0
    assert auroc(np.array([1.0, 1.0]), np.array([1.0])) == 0.5


def test_the_score_that_separates_best_is_chosen() -> None:
    known = np.array([[5.0, 0.0], [4.0, -1.0]])
    # As sure as the known ones, and lower: only scores that keep the logits' level can tell.
    other = np.array([[1.0, -4.0], [0.0, -5.0]])
    assert choose_score(known, other) in {"energy", "max_logit"}


def test_conformal_quantile_is_the_ranked_score() -> None:
    scores = np.array([0.9, 0.1, 0.4, 0.3, 0.2, 0.5, 0.6, 0.7, 0.8])
    assert conformal_quantile(scores, 0.9) == 0.9  # ceil(10 * 0.9) = 9th of nine
    assert conformal_quantile(scores, 0.5) == 0.5  # 5th
    assert conformal_quantile(scores[:5], 0.9) == math.inf  # ceil(6 * 0.9) = 6th of five


def test_prediction_set_is_never_empty() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2], [0.9, 0.06, 0.04], [0.4, 0.35, 0.25]])
    assert prediction_set(probabilities, 0.7).tolist() == [[True, True, False], [True, False, False], [True, True, False]]
    assert prediction_set(probabilities, 0.0).tolist() == [[True, False, False]] * 3


def test_conformal_sets_cover_as_promised() -> None:
    draw = np.random.default_rng(1)
    probabilities = draw.dirichlet([0.5] * 4, size=6000)
    truth = np.array([draw.choice(4, p=row) for row in probabilities])
    quantile = conformal_quantile(1 - probabilities[np.arange(3000), truth[:3000]], 0.9)
    covered = prediction_set(probabilities[3000:], quantile)[np.arange(3000), truth[3000:]]
    assert covered.mean() == pytest.approx(0.9, abs=0.02)


def test_temperature_of_a_model_that_is_twice_as_sure_as_it_may_be() -> None:
    # Right in 3 of 4; the odds 3 : 1 are a logit of log 3, and the model says twice that.
    logits = np.tile([2 * math.log(3), 0.0], (4, 1))
    assert temperature(logits, np.array([0, 0, 0, 1])) == pytest.approx(2, rel=0.02)


def test_reliability_bins() -> None:
    table = reliability(np.array([0.15, 0.19, 0.95, 1.0]), np.array([True, False, True, True]))
    assert [row["n"] for row in table] == [0, 2, 0, 0, 0, 0, 0, 0, 0, 2]
    assert table[1]["confidence"] == 0.17
    assert table[1]["accuracy"] == 0.5
    assert table[1]["interval"] == [0.0, 1.0]
    assert table[9]["interval"] == [1.0, 1.0]
    assert table[0] == {"low": 0.0, "high": 0.1, "n": 0, "confidence": None, "accuracy": None, "interval": None}


def test_share_below_interpolates_quantiles() -> None:
    assert share_below(1.5, [0.0, 1.0, 2.0], [0.0, 0.5, 1.0]) == 0.75
    assert share_below(-3, [0.0, 1.0, 2.0], [0.0, 0.5, 1.0]) == 0.0
    assert share_below(9, [0.0, 1.0, 2.0], [0.0, 0.5, 1.0]) == 1.0


def test_nearest_length_is_by_ratio() -> None:
    assert nearest_length(127, (64, 256, 510)) == 64
    assert nearest_length(129, (64, 256, 510)) == 256
    assert nearest_length(1, (64, 256, 510)) == 64


def test_calibrate_gives_quantiles_per_length() -> None:
    draw = np.random.default_rng(0)
    logits, truth = draw.normal(size=(50, 3)), draw.integers(0, 3, 50)
    found = calibrate({64: (logits, truth)}, "max_logit")
    entry = found["lengths"]["64"]
    assert entry["n"] == 50
    assert len(entry["score_quantiles"]) == len(LEVELS)
    assert entry["score_quantiles"][0] == round(float(logits.max(1).min()), 4)
    assert entry["score_quantiles"][-1] == round(float(logits.max(1).max()), 4)
    assert sum(row["n"] for row in entry["reliability"]) == 50
    assert found["score"] == "max_logit"
