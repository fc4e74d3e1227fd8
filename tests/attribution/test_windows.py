"""Passages longer than the model, read in overlapping windows."""

import json
import re
from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from gallery.attribution.attribute import attribute
from gallery.attribution.erasure import erased_logits
from gallery.config import Settings, trial_parameters
from gallery.evaluation.faithfulness import chance, faithfulness
from gallery.methods import method_names, method_of
from gallery.model.classifier import Classifier
from gallery.store.entries import Store
from gallery.store.manifest import EntryName, read_rows
from gallery.store.record_files import encode
from gallery.store.records import Prediction
from tests.support.classifiers import TEXT, load, parameters
from tests.support.galleries import make_gallery, run
from tests.support.models import SENTENCES

LONG = " ".join(SENTENCES[:4] * 3) + " Последнее слово ёж."


@pytest.fixture(scope="module", params=["bert", "roberta"])
def windows(request: pytest.FixtureRequest, tiny: Callable[[str], Path]) -> Classifier:
    return load(tiny(request.param), long="windows")


def mean_logits(classifier: Classifier, text: str) -> np.ndarray:
    return np.mean([classifier.logits([part.ids])[0].double().numpy() for part in classifier.tokenize(text).parts], axis=0)


def test_windows_cover_the_passage_and_are_no_longer_than_the_model(windows: Classifier, tiny: Callable[[str], Path]) -> None:
    tokenized = windows.tokenize(LONG)
    assert len(tokenized.windows) > 2
    assert tokenized.cut == len(LONG)
    seen = [set(window.tokens) for window in tokenized.windows]
    assert set.union(*seen) == set(range(len(tokenized.ids)))
    special = {place for place, flag in enumerate(tokenized.special) if flag}
    for window, places in zip(tokenized.windows, seen, strict=True):
        assert len(window.tokenized.ids) <= windows.card.max_tokens
        assert special <= places
        assert [tokenized.words[word] for word in window.words] == list(window.tokenized.words)
    assert all(len((a & b) - special) >= 8 for a, b in pairwise(seen)), "neighbours overlap"
    cut = load(Path(windows.card.source)).tokenize(LONG)
    assert tokenized.windows[0].tokenized.ids == cut.ids


@pytest.mark.parametrize("method", ["integrated_gradients", "layer_integrated_gradients", "shapley"])
def test_contributions_over_windows_add_up_to_the_change_of_the_mean_logit(windows: Classifier, method: str) -> None:
    tokenized = windows.tokenize(LONG)
    for one in attribute(method_of(method), windows, [windows.tokenize(TEXT), tokenized], [[0], [2, 1]], parameters(method))[1]:
        assert one.tokens.shape == (len(tokenized.ids),)
        assert one.baseline_value is not None
        assert one.delta is not None
        specials = one.tokens[list(tokenized.special)].sum()
        assert one.words.sum() + specials - one.delta == pytest.approx(one.output_value - one.baseline_value, abs=1e-4)
        assert one.output_value == pytest.approx(mean_logits(windows, LONG)[one.target], abs=1e-4)
        assert one.baseline_probabilities.sum() == pytest.approx(1)


def test_every_method_speaks_of_every_word(windows: Classifier) -> None:
    tokenized = windows.tokenize(LONG)
    for method in method_names():
        if method == "unified_information":  # slow, and put together like the others
            continue
        (one,) = attribute(method_of(method), windows, [tokenized], [[1]], parameters(method, samples=40))[0]
        assert one.words.shape == (len(tokenized.words),)
        assert np.isfinite(one.words).all()
        if method != "rationale":
            assert (one.words != 0).mean() > 0.9, method


def test_occlusion_is_what_the_mean_logit_loses(windows: Classifier) -> None:
    tokenized = windows.tokenize(LONG)
    (one,) = attribute(method_of("occlusion"), windows, [tokenized], [[1]], parameters("occlusion"))[0]
    kept = np.ones((2, len(tokenized.words)), bool)
    word = tokenized.windows[1].words[2]
    kept[1, word] = False
    whole, without = erased_logits(windows, tokenized, kept, "mask")[:, 1]
    assert one.words[word] == pytest.approx(whole - without, abs=1e-5)


def test_bits_are_a_mean_over_the_windows_a_word_stands_in(tiny: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("gallery.attribution.information")
    monkeypatch.setattr(module, "kept_bits", lambda classifier, tokenized: np.ones((3, len(tokenized.ids))))
    classifier = load(tiny("bert"), long="windows")
    (one,) = attribute(method_of("unified_information"), classifier, [classifier.tokenize(LONG)], [[1]], parameters("unified_information"))[0]
    np.testing.assert_allclose(one.tokens, 1)


def test_the_trial_is_of_the_mean_logits(windows: Classifier) -> None:
    tokenized = windows.tokenize(LONG)
    (attribution,) = attribute(method_of("gradient_x_input"), windows, [tokenized], [[1]], parameters("gradient_x_input"))[0]
    (one,) = faithfulness(windows, tokenized, [attribution], trial_parameters(Settings(), "faithfulness"))
    odds = np.exp(mean_logits(windows, LONG))
    assert one.deletion[0] == pytest.approx(odds[1] / odds.sum(), abs=1e-5 + one.measures["rounding"])
    control = chance(windows, tokenized, trial_parameters(Settings(random_orders=2), "chance"))
    assert control.deletion[0, 0, 1] == pytest.approx(one.deletion[0], abs=1e-6)


def test_a_passage_that_fits_has_the_numbers_of_cut(windows: Classifier) -> None:
    cut = load(Path(windows.card.source))
    assert windows.tokenize(TEXT) == cut.tokenize(TEXT)
    assert encode(windows.predict([windows.tokenize(TEXT)])[0]) == encode(cut.predict([cut.tokenize(TEXT)])[0])
    for method in ("integrated_gradients", "attention_rollout"):
        ours, theirs = (attribute(method_of(method), c, [c.tokenize(TEXT)], [[1]], parameters(method))[0][0] for c in (windows, cut))
        assert encode(ours) == encode(theirs)


def test_the_whole_of_a_long_passage_is_on_its_page(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tiny("bert"))
    path = tmp_path / "site_src" / "passages" / "white-wall.md"
    path.write_text(path.read_text("utf-8").rstrip() + " Дорога." * 60 + " Последнее слово.\n", "utf-8")
    assert run(config).exit_code == 0
    before = set(Store(tmp_path / "store").entries())
    result = run(config, "build", "--long", "windows")
    assert result.exit_code == 0, result.output
    fresh = [kind for kind, _ in set(Store(tmp_path / "store").entries()) - before]
    assert fresh.count("prediction") == 3
    assert set(fresh) - {"heads"} == {"prediction", "attribution", "every_class", "faithfulness", "flip", "layers", "chance"}, (
        "attention and bertviz are of the first window either way"
    )
    assert fresh.count("chance") == 1, "passages that fit are not explained again"
    row = next(row for row in read_rows(Store(tmp_path / "store")) if row.id == "white-wall")
    prediction = Store(tmp_path / "store").read("prediction", row.entries[EntryName("prediction")])
    assert isinstance(prediction, Prediction)
    page = (tmp_path / "site" / "passages" / "white-wall" / "index.html").read_text("utf-8")
    assert "g-unread" not in page
    opened = re.search(r'<div class="?g-text"?[ >].*?</div>', page, re.DOTALL)
    assert opened is not None
    assert len(re.findall(r'<span class="w[ "]', opened[0])) == len(prediction.words)
    assert "g-windows" in page
    assert "только первое окно" in page
    index = json.loads((tmp_path / "site" / "data" / "white-wall" / "attention" / "index.json").read_text("utf-8"))
    assert len(index["tokens"]) == 64
    assert index["special"][-1] == 1


def test_windows_and_probabilities_do_not_go_together(tmp_path: Path) -> None:
    result = run(make_gallery(tmp_path, tmp_path), "explain", "--long", "windows", "--output", "probability")
    assert result.exit_code == 1
    assert "set output to logit" in result.output
