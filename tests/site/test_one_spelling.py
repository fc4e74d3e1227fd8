"""A probability has one spelling wherever it stands: on the page, on the card, in the sentence, in the lists."""

import re
from pathlib import Path

from gallery.site.language import language
from gallery.store.entries import Store
from gallery.store.manifest import EntryName, read_rows


def test_the_answers_probability_is_written_alike_everywhere(built: Path) -> None:
    site, store = built.parent / "site", Store(built.parent / "store")
    index = (site / "index.html").read_text("utf-8")
    for row in read_rows(store):
        prediction = store.read("prediction", row.entries[EntryName("prediction")])
        spelt = language("ru").probability(prediction.probabilities.max())
        assert re.fullmatch(r"\d+,\d\u00a0%", spelt)
        page = (site / "passages" / row.id / "index.html").read_text("utf-8")
        assert page.count(spelt) >= 5  # bar, table of sums, trial, methods side by side, description
        assert spelt in (re.search(r'<meta name="description" content="([^"]*)"', page) or [""])[1]
        assert f"вместо {spelt}" in page
        assert f"{spelt} → " in page
        assert spelt in index
        assert spelt in (site / "data" / row.id / "shaded.svg").read_text("utf-8")


def test_the_control_says_of_how_many_orders_it_is_made(built: Path) -> None:
    page = (built.parent / "site" / "passages" / "old-yorick" / "index.html").read_text("utf-8")
    assert "случай — среднее по 5 случайным порядкам" in page
