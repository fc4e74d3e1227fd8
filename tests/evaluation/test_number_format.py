"""A shorter number format, held against float32 on every passage."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gallery.attribution.attribute import attribute
from gallery.evaluation.number_format import compare_with_float32
from gallery.methods import method_of
from gallery.store.record_files import decode, encode
from gallery.store.records import Precision
from tests.support.classifiers import TEXT, load, parameters
from tests.support.galleries import make_gallery, run


def test_the_difference_is_that_to_the_model_loaded_in_float32(tiny: Callable[[str], Path]) -> None:
    short, full = load(tiny("bert"), dtype="bfloat16"), load(tiny("bert"))
    tokenized = short.tokenize(TEXT)
    one, true = (attribute(method_of("gradient_x_input"), c, [tokenized], [[1]], parameters("gradient_x_input"))[0][0].words for c in (short, full))
    (prediction,) = short.predict([tokenized])
    attribution = attribute(method_of("gradient_x_input"), short, [tokenized], [[1]], parameters("gradient_x_input", dtype="bfloat16"))[0][0]
    found = compare_with_float32(short, tokenized, prediction, attribution, parameters("gradient_x_input", dtype="bfloat16"))
    assert found.difference == pytest.approx(np.abs(one - true).max() / np.abs(true).max())
    assert 0 < found.difference < 0.5
    assert found.exact_probability == pytest.approx(full.predict([tokenized])[0].probabilities[1])
    assert found.probability != found.exact_probability
    assert decode(encode(found), "precision") == found
    assert isinstance(found, Precision)


def test_the_page_says_what_a_shorter_format_changes(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tiny("bert"), language="en")
    result = run(config, "build", "--dtype", "bfloat16")
    assert result.exit_code == 0, result.output
    page = tmp_path / "site" / "passages" / "white-wall" / "index.html"
    assert "Computed in bfloat16" in page.read_text("utf-8")
    assert "To the empty text of the same length" in page.read_text("utf-8")
    assert run(config, "build").exit_code == 0
    assert "Computed in" not in page.read_text("utf-8")
