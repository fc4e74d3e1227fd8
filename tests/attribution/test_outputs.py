"""What is explained of a class: by hand."""

from math import exp, log

import numpy as np
import pytest
import torch

from gallery.attribution.outputs import class_outputs, output_values

LOGITS = [log(1.0), log(2.0), log(5.0)]  # odds of 1 : 2 : 5


@pytest.mark.parametrize(
    ("output", "values"),
    [("logit", LOGITS), ("probability", [1 / 8, 2 / 8, 5 / 8]), ("log-odds", [log(1 / 7), log(2 / 6), log(5 / 3)])],
)
def test_each_class_has_its_logit_its_probability_or_its_odds_against_the_others(output: str, values: list[float]) -> None:
    assert class_outputs(torch.tensor(LOGITS, dtype=torch.float64), output).tolist() == pytest.approx(values)
    several = class_outputs(torch.tensor([[LOGITS, LOGITS[::-1]]], dtype=torch.float64), output)
    assert several[0, 1].tolist() == pytest.approx(values[::-1])


def test_odds_of_a_class_that_is_all_but_sure_are_finite() -> None:
    assert class_outputs(torch.tensor([200.0, 0.0, 0.0]), "log-odds").tolist() == pytest.approx([200 - log(2), -200, -200])


def test_an_output_that_nobody_knows_is_named() -> None:
    with pytest.raises(ValueError, match="'odds' is none of logit, probability, sigmoid and log-odds"):
        class_outputs(torch.zeros(2), "odds")


def test_values_of_stored_logits_have_double_precision() -> None:
    found = output_values(np.array([0.0, 40.0], np.float32), "probability")
    assert found.dtype == np.float64
    assert found[0] == pytest.approx(exp(-40) / (1 + exp(-40)), rel=1e-12)
