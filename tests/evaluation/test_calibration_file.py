"""calibration.json: what it says of a passage, and what is said of a file that is not as it should be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gallery.errors import SourceError
from gallery.evaluation.calibration import calibrate
from gallery.evaluation.calibration_file import certainty, read_calibration
from gallery.site.pages.quality import qualities
from gallery.site.templates import rendered

Change = Callable[[dict[str, Any]], object]
LABELS = ("Толстой", "Чехов", "Гоголь")


def _bins() -> list[dict[str, Any]]:
    empty = {"n": 0, "confidence": None, "accuracy": None, "interval": None}
    table = [{"low": number / 10, "high": (number + 1) / 10, **empty} for number in range(10)]
    table[7] |= {"n": 40, "confidence": 0.74, "accuracy": 0.83, "interval": [0.7, 0.93]}
    table[4] |= {"n": 4, "confidence": 0.44, "accuracy": 0.5, "interval": [0.0, 1.0]}
    return table


@pytest.fixture
def calibration() -> dict[str, Any]:
    part = {"n": 44, "temperature": 1.0, "score_quantiles": [0.0, 1.0, 5.0], "conformal_quantile": 0.8, "reliability": _bins()}
    short = {**part, "conformal_quantile": 1.0}
    return {"version": 1, "score": "max_logit", "coverage": 0.9, "levels": [0.0, 0.04, 1.0], "lengths": {"64": short, "256": part}}


def _logits(*probabilities: float, highest: float) -> np.ndarray:
    values = np.log(probabilities)
    return (values - values.max() + highest).astype(np.float32)


def test_a_passage_is_told_by_the_bin_of_its_own_length(calibration: dict[str, Any]) -> None:
    found = certainty(calibration, _logits(0.72, 0.05, 0.23, highest=3.0), 300)
    assert (found.length, found.right, found.passages) == (256, 0.83, 40)
    assert found.possible == (0, 2), "0.05 is more than 0.8 below 1, and 0.23 is not"
    assert found.familiar == pytest.approx(0.04 + 0.96 * 2 / 4)
    assert not found.stranger
    assert certainty(calibration, _logits(0.72, 0.05, 0.23, highest=3.0), 60).possible == (0, 2, 1), "at 64 tokens nobody can be ruled out"


def test_few_passages_say_nothing_and_a_low_score_is_somebody_else(calibration: dict[str, Any]) -> None:
    found = certainty(calibration, _logits(0.45, 0.3, 0.25, highest=0.5), 256)
    assert found.right is None
    assert found.stranger
    assert found.familiar == pytest.approx(0.02)
    assert certainty(calibration, _logits(0.45, 0.3, 0.25, highest=-9), 256).familiar == 0


def test_the_page_says_it_in_words(calibration: dict[str, Any]) -> None:
    sure = rendered("ru", "certainty.html", certainty=certainty(calibration, _logits(0.72, 0.05, 0.23, highest=3.0), 300), labels=LABELS)
    assert "Из 100 отрывков, о которых модель говорит так уверенно, она права в 83." in sure
    assert "Измерено на 40 отложенных отрывках длиной около 256 токенов." in sure
    assert "Толстой или Гоголь." in sure
    assert "кого-то другого" not in sure
    strange = rendered("ru", "certainty.html", certainty=certainty(calibration, _logits(0.45, 0.3, 0.25, highest=0.5), 60), labels=LABELS)
    assert "Похоже на кого-то другого: в таком виде модель встречает 2\u00a0% отрывков своих авторов." in strange
    assert "нельзя исключить ни одного из авторов" in strange
    assert "Из 100" not in strange
    assert rendered("ru", "certainty.html", certainty=None, labels=LABELS).strip() == ""


def test_the_file_that_is_written_is_read(tmp_path: Path) -> None:
    assert read_calibration(tmp_path) is None
    draw = np.random.default_rng(0)
    made = calibrate({64: (draw.normal(size=(5, 3)), draw.integers(0, 3, 5))}, "energy")
    (tmp_path / "calibration.json").write_text(json.dumps(made, allow_nan=False), "utf-8")
    assert read_calibration(tmp_path) == made
    assert made["lengths"]["64"]["conformal_quantile"] == 1, "of five texts none is the 90 % worst, so nobody is ruled out"


def _drop(*keys: str) -> Callable[[dict[str, Any]], object]:
    def drop(values: dict[str, Any]) -> None:
        for key in keys[:-1]:
            values = values[key]
        del values[keys[-1]]

    return drop


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_drop("lengths"), "lengths: "),
        (_drop("lengths", "256", "score_quantiles"), "lengths.256.score_quantiles"),
        (lambda values: values.update(score="distance"), "score: 'distance' is none of energy"),
        (lambda values: values.update(version=2), "version"),
        (lambda values: values["lengths"].update(long=values["lengths"]["64"]), "'long' is no number of tokens"),
        (lambda values: values["lengths"]["64"]["score_quantiles"].pop(), "2 numbers, but there are 3 levels"),
        (lambda values: values["lengths"]["64"]["score_quantiles"].reverse(), "must not fall"),
        (lambda values: values["lengths"]["64"].update(conformal_quantile=float("inf")), "conformal_quantile"),
        (lambda values: values["lengths"]["64"]["reliability"][7].update(n="many"), "reliability.7.n"),
    ],
)
def test_a_malformed_file_is_one_message_that_names_it(calibration: dict[str, Any], tmp_path: Path, change: Change, said: str) -> None:
    change(calibration)
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(calibration), "utf-8")
    with pytest.raises(SourceError) as caught:
        read_calibration(tmp_path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert "gallery calibrate" in str(caught.value)


@pytest.mark.parametrize("text", ["[1]", "{", "null", "\0"])
def test_what_is_no_object_is_one_message(tmp_path: Path, text: str) -> None:
    (tmp_path / "calibration.json").write_text(text, "utf-8")
    with pytest.raises(SourceError, match=r"calibration\.json: .*gallery calibrate"):
        read_calibration(tmp_path)


def test_the_diagram_has_a_dot_for_each_bin_that_holds_passages(calibration: dict[str, Any]) -> None:
    [short, long] = qualities(None, calibration)
    assert [quality.length for quality in (short, long)] == [64, 256]
    assert [(found.passages, found.accuracy) for found in long.bins] == [(4, 0.5), (40, 0.83)]
    assert long.band.split() == ["44.0,0.0", "74.0,7.0", "74.0,30.0", "44.0,100.0"]
    assert long.curve == ""
    measured = {"lengths": {"64": {"reliability": _bins(), "risk_coverage": [{"coverage": 0.5, "risk": 0.1}, {"coverage": 1.0, "risk": 0.25}]}}}
    [of_test_works] = qualities(measured, calibration)
    assert of_test_works.curve == "50.0,90.0 100.0,75.0"
    assert qualities({"lengths": {"64": {"top1": 0.5}}}, None) == ()
