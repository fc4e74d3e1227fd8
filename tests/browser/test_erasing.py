"""The slider that erases words: what it shows is held against the stored records."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gallery.store.entries import Store
from gallery.store.manifest import EntryName, read_rows
from gallery.store.records import Attribution, Faithfulness, Prediction
from tests.support.browser import Watched

pytestmark = pytest.mark.browser


def records(site: Path, ident: str) -> tuple[Prediction, Attribution, Faithfulness]:
    store = Store(site.parent / "store")
    [row] = [row for row in read_rows(store) if row.id == ident]
    prediction = store.read("prediction", row.entries[EntryName("prediction")])
    name = EntryName("attribution", "integrated_gradients", prediction.ranking[0])
    return prediction, store.read("attribution", row.entries[name]), store.read("faithfulness", row.entries[name._replace(kind="faithfulness")])


def percents(text: str) -> list[float]:
    return [float(number.replace(",", ".")) for number in re.findall(r"([\d,.]+)\s*%", text)]


@pytest.mark.parametrize("way", ["without", "alone"])
def test_bars_words_and_sentence_are_those_of_the_records(site: str, site_folder: Path, watched: Watched, way: str) -> None:
    prediction, attribution, tried = records(site_folder, "dusty-road")
    labels = json.loads((site_folder / "data" / "dusty-road" / "explanation.json").read_text("utf-8"))["erasing"]["classes"]
    page = watched.page
    page.goto(f"{site}passages/dusty-road/?erased=6{'&kept=1' if way == 'alone' else ''}")
    box = page.locator("gallery-erasing")
    box.scroll_into_view_if_needed()
    box.locator(".g-erase-says:not(:empty)").wait_for()
    row = (tried.without if way == "without" else tried.alone)[6]
    shown = {item.locator("span").first.inner_text(): percents(item.inner_text())[0] for item in box.locator(".g-bars li").all()}
    assert shown == {labels[c]: pytest.approx(100 * row[c], abs=0.051) for c in range(len(labels))}
    count = max(1, round(tried.steps[6] * len(prediction.words)))
    first = set(np.argsort(-attribution.words, kind="stable")[:count].tolist())
    erased = {int(span.get_attribute("data-w")) for span in box.locator(".g-erased").all()}
    assert erased == (first if way == "without" else set(range(len(prediction.words))) - first)
    said = box.locator(".g-erase-says").inner_text()
    assert percents(said)[0] == pytest.approx(100 * row[tried.target], abs=0.051)
    assert str(count) in said
    if row.argmax() != tried.target:
        assert labels[int(row.argmax())] in said


def test_the_slider_moves_by_keys_and_stays_in_the_address(site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(f"{site}passages/dusty-road/")
    slider = page.locator("gallery-erasing input[type=range]")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**erased=2**")
    page.wait_for_selector(".g-erased")
    assert watched.faults == []


def test_without_a_script_the_picture_and_the_sentence_stand(site: str, chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}passages/dusty-road/")
    assert page.locator(".g-erasing:not(.g-depth) polyline").count() == 3
    assert page.locator(".g-erase").is_hidden()
    assert page.locator(".g-held").inner_text()
    context.close()
