"""A passage's numbers as a reader takes them away."""

import csv
import json
from pathlib import Path

import numpy as np

from gallery.site.entries import read_records
from gallery.site.pages.numbers import packed
from gallery.store.entries import Store
from gallery.store.manifest import EntryName, read_rows
from gallery.store.records import Attribution
from tests.support.galleries import TEXTS


def test_the_files_hold_what_was_stored_in_the_order_of_the_switches(built: Path) -> None:
    store = Store(built.parent / "store")
    rows = list(read_rows(store))
    assert {row.id for row in rows} == set(TEXTS)
    for row in rows:
        records = read_records(store, row)
        data = built.parent / "site" / "data" / row.id
        explanation = json.loads((data / "explanation.json").read_text("utf-8"))
        assert explanation["text"] == TEXTS[row.id][2]
        assert "".join(explanation["words"]) == "".join(TEXTS[row.id][2].split())
        assert len(explanation["forms"]) == len(explanation["words"])
        assert len(explanation["attributions"]) == sum(isinstance(record, Attribution) for record in records.values()) > 0
        answer, *_ = sorted(explanation["probabilities"], key=lambda name: -explanation["probabilities"][name])
        assert explanation["attributions"][0]["class"] == answer, "the page opens on the model's answer"
        named = list(dict.fromkeys([explanation["predicted_target"], row.true_class]))
        of_method = [[one["target"] for one in explanation["attributions"] if one["method"] == name] for name in ("integrated_gradients", "gradient_x_input")]
        assert of_method[0] == named, "the runner-up is left to quicker methods"
        assert of_method[1][: len(named)] == named
        assert sorted(of_method[1]) == sorted(row.targets)
        table = list(csv.reader((data / "words.csv").read_text("utf-8").splitlines()))
        for column, one in enumerate(explanation["attributions"], 3):
            stored = records[EntryName("attribution", one["method"], one["target"])]
            assert isinstance(stored, Attribution)
            np.testing.assert_allclose(one["words"], stored.words, rtol=1e-6)
            np.testing.assert_allclose(one["tokens"], stored.tokens, rtol=1e-6)
            np.testing.assert_allclose([float(line[column]) for line in table[1:]], stored.words, rtol=1e-5)
            assert table[0][column] == f"{one['method']}: {one['class']}"


def test_packing_the_same_gives_the_same_bytes() -> None:
    assert packed(b"text" * 100) == packed(b"text" * 100)
    assert packed(b"text" * 100)[4:8] == bytes(4), "a time stands in it"
