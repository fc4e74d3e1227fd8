"""Every class of every passage: explained by the method that is cheap enough, and shown wherever a class can be chosen."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gallery.attribution.attribute import attribute
from gallery.methods import method_of
from gallery.store.entries import Store
from gallery.store.manifest import EntryName, read_rows
from gallery.store.records import EveryClass
from tests.support.classifiers import load, parameters
from tests.support.galleries import TEXTS, make_gallery, run
from tests.support.models import save_tiny_classifier

MANY = tuple(f"Автор {number:02}" for number in range(37))
LABELS = ("Толстой", "Чехов", "Гоголь", *MANY)


@pytest.fixture(scope="module")
def forty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a built gallery of a model with 40 classes."""
    folder = tmp_path_factory.mktemp("forty")
    config = make_gallery(folder, save_tiny_classifier(folder / "model", labels=LABELS), settings="    bertviz_tokens: 0\n    random_orders: 0\n")
    result = run(config)
    assert result.exit_code == 0, result.output
    return config


def test_the_record_holds_what_the_method_says_of_each_class_alone(explained: Path, tiny: Callable[[str], Path]) -> None:
    store = Store(explained.parent / "store")
    row = next(row for row in read_rows(store) if row.id == "white-wall")
    every = store.read("every_class", row.entries[EntryName("every_class", "decomposition")])
    assert isinstance(every, EveryClass)
    classifier = load(tiny("bert"))
    for target in range(3):
        tokenized = classifier.tokenize(TEXTS["white-wall"][2])
        (alone,) = attribute(method_of("decomposition"), classifier, [tokenized], [[target]], parameters("decomposition"))[0]
        np.testing.assert_allclose(every.words[target], alone.words, atol=1e-5)
        assert every.outputs[target] == pytest.approx(alone.output_value, abs=1e-5)
    np.testing.assert_allclose(every.words.sum(1) + every.specials + every.biases, every.outputs, atol=1e-5)


def test_a_page_offers_all_forty_classes_and_fetches_their_numbers(forty: Path) -> None:
    site, store = forty.parent / "site", Store(forty.parent / "store")
    page = (site / "passages" / "white-wall" / "index.html").read_text("utf-8")
    row = next(row for row in read_rows(store) if row.id == "white-wall")
    offered = re.search(r'<select name="?further.*?</select>', page, re.S)
    assert offered is not None
    named = {int(number) for number in re.findall(r'<option value="?(\d+)', offered[0])}
    assert named | set(row.targets) == set(range(40))
    assert not named & set(row.targets)
    assert len(page) < 100_000, "numbers of 40 classes belong into the fetched file"
    every = store.read("every_class", row.entries[EntryName("every_class", "decomposition")])
    assert isinstance(every, EveryClass)
    fetched = json.loads((site / "data" / "white-wall" / "explanation.json").read_text("utf-8"))["every_class"]
    assert [one["target"] for one in fetched["classes"]] == sorted(named)
    for one in fetched["classes"]:
        largest = np.abs(every.words[one["target"]]).max()
        np.testing.assert_allclose(np.array(one["words"]) * one["unit"], every.words[one["target"]], atol=largest / 1000)


def test_every_author_has_words_from_all_passages(forty: Path) -> None:
    for slug in ("avtor-00", "avtor-36"):
        page = (forty.parent / "site" / "authors" / slug / "index.html").read_text("utf-8")
        assert "g-speaking" in page, slug
        assert "Метод: разложение" in page
        assert "method=decomposition" in page
