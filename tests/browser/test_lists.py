"""A list of many passages as its reader meets it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Watched
from tests.galleries import make_gallery, multiply, run

pytestmark = pytest.mark.browser
MANY = 250


@pytest.fixture(scope="module")
def many(tiny: Callable[[str], Path], serve: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Build a Russian gallery of 250 passages and give its address."""
    config = make_gallery(tmp_path_factory.mktemp("many"), tiny("bert"))
    assert run(config, "explain").exit_code == 0
    multiply(config, MANY)
    result = run(config, "render")
    assert result.exit_code == 0, result.output
    return serve(config.parent / "site")


def _author(page: Any) -> set[str]:
    return set(page.eval_on_selector_all(".g-card:visible .g-card-author", "all => all.map(e => e.textContent)"))


def test_without_javascript_plain_links_lead_to_every_page(many: str, chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(many)
    assert page.locator(".g-card").count() == 100
    page.click(".g-pager a[rel=next]")
    page.click(".g-pager a >> text='3'")
    assert page.url == many + "passages/page/3/"
    assert page.locator(".g-card").count() == 50
    assert "3 из 3" in page.locator("h1").inner_text()
    page.click(".g-pager a >> text='1'")
    assert page.url == many
    context.close()


def test_a_choice_is_made_among_all_passages_and_stays_in_the_address(many: str, watched: Watched) -> None:
    page = watched.page
    page.goto(many, wait_until="networkidle")
    assert not [url for url in page.evaluate("performance.getEntriesByType('resource').map(e => e.name)") if "list.json" in url]
    page.select_option("select[name=author]", label="Чехов")
    page.wait_for_function("document.querySelector('.g-count').textContent.includes('84')")
    page.wait_for_function("document.querySelectorAll('.g-card').length === 24")
    assert _author(page) == {"Чехов"}
    assert not page.locator(".g-pager").is_visible()
    page.click(".g-more button")
    page.wait_for_function("document.querySelectorAll('.g-card').length === 48")
    assert _author(page) == {"Чехов"}
    page.reload()
    page.wait_for_function("document.querySelectorAll('.g-card').length === 24")
    page.select_option("select[name=author]", value="")
    page.wait_for_function("document.querySelectorAll('.g-card').length === 100")
    assert page.url == many
    assert page.locator(".g-pager").is_visible()
    assert watched.faults == []


def test_a_card_from_another_page_leads_to_its_passage(many: str, watched: Watched) -> None:
    page = watched.page
    page.goto(many + "passages/page/3/?order=long")
    page.wait_for_function("document.querySelectorAll('.g-card').length === 24")
    title = page.locator(".g-card h3").first.inner_text()
    page.locator(".g-card h3 a").first.click()
    page.wait_for_url("**/passages/*-*/")
    page.wait_for_function("title => document.querySelector('h1').textContent.includes(title)", arg=title)
    assert watched.faults == []


def test_a_list_that_cannot_be_fetched_says_so_and_tries_again(many: str, watched: Watched) -> None:
    page = watched.page
    page.goto(many)
    page.context.set_offline(True)
    page.select_option("select[name=verdict]", value="wrong")
    page.wait_for_selector(".g-failed:visible")
    page.context.set_offline(False)
    page.click(".g-failed button")
    page.wait_for_selector(".g-failed", state="hidden")
    page.wait_for_function("document.querySelector('.g-count').textContent.includes('250')")
