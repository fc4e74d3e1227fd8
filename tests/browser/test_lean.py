"""A site with as little as `attention.fit` ever leaves: everything that a reader may do still works, from packed files."""

import csv
import gzip
import json
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Watched, wait_for_address, wait_until
from tests.support.galleries import make_gallery, run

pytestmark = pytest.mark.browser
PASSAGE = "passages/white-wall/"


@pytest.fixture(scope="module")
def lean_folder(site_folder: Path, tiny: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render the gallery's store for a budget that nothing fits and give the site's folder."""
    config = make_gallery(tmp_path_factory.mktemp("lean"), tiny("bert"))
    shutil.copytree(site_folder.parent / "store", config.parent / "store")
    result = run(config, "render", "--attention-fit", "--site-budget-mb", "1")
    assert "downloads packed, small pictures of heads, one card for all passages" in result.output
    return config.parent / "site"


@pytest.fixture(scope="module")
def lean(lean_folder: Path, serve: Callable[[Path], str]) -> str:
    return serve(lean_folder)


def taken(page: Any, selector: str) -> tuple[str, bytes]:
    """Return the name and the content of what a link gives."""
    with page.expect_download() as saved:
        page.click(selector)
    return str(saved.value.suggested_filename), Path(saved.value.path()).read_bytes()


def test_the_page_unpacks_what_a_reader_takes_away(lean: str, site_folder: Path, watched: Watched) -> None:
    page, plain = watched.page, site_folder / "data" / "white-wall"
    page.goto(lean + PASSAGE)
    assert taken(page, "a[data-numbers=json]") == ("explanation.json", (plain / "explanation.json").read_bytes())
    name, content = taken(page, "a[data-picture=svg]")
    assert name == "white-wall.svg"
    assert ElementTree.fromstring(content).tag.endswith("svg")
    name, content = taken(page, "a[data-numbers=csv]")
    assert name == "white-wall.csv"
    made, written = (list(csv.reader(text.splitlines())) for text in (content.decode(), (plain / "words.csv").read_text("utf-8")))
    assert len(made) > 20
    assert made[0] == written[0]
    assert [row[:3] for row in made] == [row[:3] for row in written]
    assert [[float(cell) for cell in row[3:]] for row in made[1:]] == [[float(cell) for cell in row[3:]] for row in written[1:]]
    assert watched.faults == []


def test_a_table_made_by_the_page_counts_places_and_quotes_as_the_file_does(lean: str, watched: Watched) -> None:
    page = watched.page
    explanation = {"text": 'a 😀 "b", =c', "words": ["a", "😀", '"b",', "=c"], "attributions": [{"method": "m", "class": "k", "words": [1, -2e-7, 1 / 3, 0]}]}
    page.route("**/explanation.json.gz", lambda route: route.fulfill(body=json.dumps(explanation)))
    page.goto(lean + PASSAGE)
    _, content = taken(page, "a[data-numbers=csv]")
    rows = list(csv.reader(content.decode().splitlines()))
    assert [row[:3] for row in rows[1:]] == [["a", "0", "1"], ["😀", "2", "3"], ['"b",', "4", "8"], ["'=c", "9", "11"]]
    assert [float(row[3]) for row in rows[1:]] == [1, -2e-7, 0.333333, 0]


def test_switches_table_methods_and_comparison_work_from_packed_numbers(lean: str, site: str, watched: Watched) -> None:
    page = watched.page
    shades = "spans => spans.map(span => span.className)"
    seen = []
    for home in (site, lean):
        page.goto(home + PASSAGE)
        page.check(".g-switch input[name=class] >> nth=1")
        wait_for_address(page, r"/\?class=")
        page.click(".g-rest summary")
        table = page.eval_on_selector_all("gallery-table tbody tr", "rows => rows.map(row => row.innerText)")
        page.locator(".g-multiples").scroll_into_view_if_needed()
        page.locator(".g-multiple-text .w").first.wait_for()
        shown = page.eval_on_selector_all(".g-text .w", shades), page.eval_on_selector_all(".g-multiple-text .w", shades)
        page.goto(home + "compare/?left=old-yorick&right=white-wall")
        page.locator("[data-side=right] .w").first.wait_for()
        seen.append((table, shown, page.eval_on_selector_all(".g-compare .w", shades), page.locator(".g-compare .g-text").all_inner_texts()))
    assert len(seen[0][0]) == len(seen[0][1][0]) > 20
    assert seen[0] == seen[1]
    assert watched.faults == []


def test_a_link_to_a_passage_shows_the_card_of_the_gallery(lean: str, lean_folder: Path, watched: Watched) -> None:
    watched.page.goto(lean + PASSAGE)
    assert watched.page.get_attribute("meta[property='og:image']", "content") == "https://example.org/gallery/assets/gallery/card.png"
    assert (lean_folder / "assets" / "gallery" / "card.png").is_file()
    assert not list(lean_folder.glob("passages/*/card.png"))


def test_without_javascript_the_files_come_packed_and_the_page_says_so(lean: str, site_folder: Path, chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(lean + PASSAGE)
    assert page.locator(".g-text .w[class*=for], .g-text .w[class*=against]").count() > 3
    assert page.locator("gallery-table tbody tr:visible").count() == 20
    assert page.locator(".g-rest").is_hidden()
    page.locator("text=20 самых сильных").wait_for()
    assert page.locator("a[data-numbers=csv]").is_hidden()
    assert "уложился в 1 МБ, эти файлы лежат сжатыми" in page.text_content(".g-files")
    name, content = taken(page, "a[data-numbers=json]")
    assert name == "explanation.json.gz"
    assert gzip.decompress(content) == (site_folder / "data" / "white-wall" / "explanation.json").read_bytes()
    context.close()


def test_the_rest_of_the_words_comes_when_it_is_asked_for(site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(site + PASSAGE)
    words = page.locator(".g-text .w").all_text_contents()
    assert page.locator("gallery-table tbody tr").count() == 20
    first = page.locator("gallery-table tbody tr").all_text_contents()
    page.click(".g-rest summary")
    wait_until(page, f"document.querySelectorAll('gallery-table tbody tr').length === {len(words)}")
    rows = page.eval_on_selector_all("gallery-table tbody tr", "rows => rows.map(row => [row.cells[0].textContent, row.cells[2].textContent])")
    assert sorted(word for word, _ in rows) == sorted(words)
    shares = [float(share.replace("\u00a0%", "").replace(",", ".")) for _, share in rows]
    assert shares == sorted(shares, reverse=True)
    assert page.locator("gallery-table tbody tr").all_text_contents()[:20] == first
