"""`gallery calibrate`: a file beside the user's own model, of labelled texts, which the next build shows."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from transformers import pipeline

from gallery.evaluation.calibration_file import read_calibration
from gallery.store.entries import Store
from gallery.store.manifest import read_header
from tests.support.galleries import run
from tests.support.models import LABELS, SENTENCES


@pytest.fixture
def gallery(explained: Path, tiny: Callable[[str], Path], tmp_path: Path) -> Path:
    """Give a copy of the explained gallery with a model of its own."""
    config = shutil.copytree(explained.parent, tmp_path / "gallery") / explained.name
    shutil.copytree(tiny("bert"), config.parent / "model")
    return config


def _table(path: Path, count: int) -> list[tuple[str, str]]:
    draw = np.random.default_rng(3)
    words = " ".join(SENTENCES[:4]).split()
    rows = [(" ".join(draw.choice(words, 6 + number % 12)), LABELS[int(draw.integers(3))]) for number in range(count)]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([("id", "text", "true_class", "shelf"), *((f"row-{number}", *row, "3") for number, row in enumerate(rows))])
    return rows


def test_the_file_tells_what_the_model_does_and_the_next_build_shows_it(gallery: Path, tmp_path: Path) -> None:
    rows = _table(tmp_path / "held-out.csv", 120)
    _table(tmp_path / "strangers.csv", 20)
    result = run(gallery, "calibrate", "--model", "model", "--table", str(tmp_path / "held-out.csv"), "--outside", str(tmp_path / "strangers.csv"))
    assert result.exit_code == 0, result.output
    found = read_calibration(gallery.parent / "model")
    assert found is not None
    [part] = found["lengths"].values()
    classify = pipeline("text-classification", model=str(gallery.parent / "model"))
    answers = classify([text for text, _ in rows])
    right = [answer["label"] == label for answer, (_, label) in zip(answers, rows, strict=True)]
    assert part["n"] == 120
    assert sum(row["n"] * row["accuracy"] for row in part["reliability"] if row["n"]) == pytest.approx(sum(right), abs=0.05)
    assert f"right {np.mean(right):.1%}" in result.output
    assert 0 <= found["outside"]["auroc"][found["score"]] <= 1
    again = run(gallery, "explain", "--model", "model")
    assert again.exit_code == 0, again.output
    assert "Nothing to explain" in again.output, "the file is no part of what the numbers depend on"
    assert read_header(Store(gallery.parent / "store")).model.calibration == found
    (gallery.parent / "model" / "calibration.json").write_text(json.dumps({**found, "score": "?"}), "utf-8")
    for command in ("explain", "build"):
        broken = run(gallery, command, "--model", "model")
        assert broken.exit_code == 1
        assert broken.output.count("calibration.json: score: '?' is none of") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,text,true_class\na,Он вошёл,Толстой\n", "1 texts, too few"),
        ("id,text,true_class\n" + "".join(f"a{n},Он сел,{'Пушкин' if n == 7 else 'Чехов'}\n" for n in range(120)), "line 9: true_class: 'Пушкин' is no class"),
        ("id,text,author\na,Он вошёл,Чехов\n", "no column true_class"),
        ("id,text,true_class\na,,Чехов\n", "line 2: the text is empty"),
    ],
)
def test_a_table_that_does_not_do_is_one_message(gallery: Path, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "table.csv").write_text(text, "utf-8")
    result = run(gallery, "calibrate", "--model", "model", "--table", str(tmp_path / "table.csv"))
    assert result.exit_code == 1
    assert said in result.output
    assert not (gallery.parent / "model" / "calibration.json").exists()
