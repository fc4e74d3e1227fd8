"""Architectures of transformers through the whole pipeline: the page's numbers are those of transformers and Captum, or it says what is absent."""

import pytest

from tests.support.architecture_results import PAGE, outcome, page
from tests.support.architectures import ARCHITECTURES


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_page_says_what_transformers_and_captum_compute(name: str) -> None:
    found = outcome(name)
    assert found.probabilities <= 1e-4
    assert found.attributions <= 1e-4
    assert found.empty <= 1e-4, "the empty text has one probability"
    if found.weights is None:
        assert 'class="g-absent"' in found.page
        assert "<gallery-attention" not in found.page
        assert "attention_rollout" not in found.page
    else:
        assert found.weights <= (2e-3 if found.encoding["kind"] == "products" else 5e-3)
        assert "<gallery-attention" in found.page


def test_the_list_of_the_documentation_is_what_came_out() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tests.support.architecture_results"
