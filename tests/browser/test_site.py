"""The built site as its reader meets it."""

from typing import Any

import pytest

from tests.support.browser import Watched, location_of, wait_for_address, wait_until
from tests.support.galleries import TEXTS

pytestmark = pytest.mark.browser


def test_no_page_has_errors_or_asks_another_host(site: str, watched: Watched) -> None:
    for address in ("", "authors/", "how-to-read/", "model/", "compare/", "authors/chekhov/", *(f"passages/{ident}/" for ident in TEXTS)):
        watched.page.goto(site + address, wait_until="networkidle")
    assert watched.faults == []


def test_words_are_shaded_and_tell_their_numbers(site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(site + "passages/white-wall/")
    shades = page.eval_on_selector_all(".g-text .w", "spans => spans.map(s => getComputedStyle(s).backgroundColor)")
    assert len(set(shades)) > 3
    page.hover(".g-text .w >> nth=0")
    told = page.text_content(".g-focus")
    assert "Свой" in told
    assert "место" in told


def test_another_class_changes_shades_table_and_address(site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(site + "passages/white-wall/")
    before = page.eval_on_selector_all(".g-text .w", "spans => spans.map(s => s.className)")
    table = page.text_content(".g-words tbody")
    page.check(".g-switch input >> nth=1")
    wait_for_address(page, r"/\?class=")
    assert page.eval_on_selector_all(".g-text .w", "spans => spans.map(s => s.className)") != before
    assert page.text_content(".g-words tbody") != table
    page.reload()
    assert page.is_checked(".g-switch input >> nth=1")


def test_the_table_sorts_by_text_order(site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(site + "passages/white-wall/")
    page.click("th[data-sort=text] button")
    words = page.eval_on_selector_all("gallery-table tbody tr", "rows => rows.map(r => r.cells[0].textContent)")
    assert words[:3] == ["Свой", "человек", "пришёл"]


def test_bertviz_draws_lines_with_the_network_cut(site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(site + "passages/white-wall/")
    for details in page.query_selector_all(".g-bertviz summary"):
        details.click()
    for view in ("model_view", "head_view"):
        frame: Any = page.frame_locator(f"iframe[title='bertviz {view}']")
        frame.locator("svg line").first.wait_for(state="attached")
        assert frame.locator("svg line").count() > 10
    assert "Св" in frame.locator("svg").first.text_content()
    assert watched.faults == []


def test_cards_are_filtered_and_the_choice_is_in_the_address(site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(site)
    assert page.locator(".g-card:visible").count() == 3
    page.select_option("select[name=author]", label="Чехов")
    assert page.locator(".g-card:visible").count() == 1
    assert "author=" in location_of(page)
    page.reload()
    assert page.locator(".g-card:visible").count() == 1


def test_without_javascript_words_table_and_pictures_are_there(site: str, chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site + "passages/white-wall/")
    assert page.locator(".g-text .w[class*=for], .g-text .w[class*=against]").count() > 3
    assert page.locator("table.g-words tbody tr").count() > 5
    assert page.locator("gallery-attention img").evaluate("image => image.naturalWidth") > 0
    page.goto(site)
    assert page.locator(".g-card").count() == 3
    context.close()


def test_instant_navigation_brings_the_elements_to_life(site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(site)
    page.click("text=Белая стена")
    page.wait_for_url("**/passages/white-wall/")
    page.hover(".g-text .w >> nth=1")
    wait_until(page, "document.querySelector('.g-focus strong')?.textContent === 'человек'")


def test_a_phone_shows_the_page_without_sideways_scrolling(site: str, chromium: Any) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    for address in ("", "passages/white-wall/", "authors/", "model/", "how-to-read/"):
        page.goto(site + address)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
    context.close()


def test_search_finds_a_passage_by_a_word_of_its_text(site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(site)
    page.click(".md-search__input")
    page.keyboard.type("усадьбе")
    page.keyboard.press("Space")  # a Cyrillic letter comes as text alone, without the key event the theme waits for
    page.wait_for_selector(".md-search-result__link[href*='old-yorick']")
