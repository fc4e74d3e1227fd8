"""A list of many passages as its reader meets it."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import Watched, location_of

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)  # a busy machine may take its time


def _author(page: Any) -> set[str]:
    return set(page.eval_on_selector_all(".g-card:visible .g-card-author", "all => all.map(e => e.textContent.trim())"))


def test_without_javascript_plain_links_lead_to_every_page(many_site: str, chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(many_site)
    assert page.locator(".g-card").count() == 100
    page.click(".g-pager a[rel=next]")
    page.click(".g-pager a >> text='3'")
    page.wait_for_load_state()
    assert location_of(page) == many_site + "passages/page/3/"
    assert page.locator(".g-card").count() == 50
    assert "3 из 3" in page.locator("h1").inner_text()
    page.click(".g-pager a >> text='1'")
    page.wait_for_url(many_site)
    assert location_of(page) == many_site
    context.close()


def test_a_choice_is_made_among_all_passages_and_stays_in_the_address(many_site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(many_site, wait_until="networkidle")
    assert not [url for url in page.evaluate("performance.getEntriesByType('resource').map(e => e.name)") if "list.json" in url]
    page.select_option("select[name=author]", label="Чехов")
    expect(page.locator(".g-count")).to_contain_text("83")
    expect(page.locator(".g-card")).to_have_count(24)
    assert _author(page) == {"Чехов"}
    assert not page.locator(".g-pager").is_visible()
    page.click(".g-more button")
    expect(page.locator(".g-card")).to_have_count(48)
    assert _author(page) == {"Чехов"}
    page.reload()
    expect(page.locator(".g-card")).to_have_count(24)
    page.select_option("select[name=author]", value="")
    expect(page.locator(".g-card")).to_have_count(100)
    assert location_of(page) == many_site
    assert page.locator(".g-pager").is_visible()
    assert watched.faults == []


def test_a_card_from_another_page_leads_to_its_passage(many_site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(many_site + "passages/page/3/?order=long")
    expect(page.locator(".g-card")).to_have_count(24)
    title = page.locator(".g-card h3").first.inner_text()
    page.locator(".g-card h3 a").first.click()
    page.wait_for_url("**/passages/*-*/")
    expect(page.locator("h1")).to_contain_text(title)
    assert watched.faults == []


def test_a_list_that_cannot_be_fetched_says_so_and_tries_again(many_site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(many_site)
    page.context.set_offline(True)
    page.select_option("select[name=verdict]", value="wrong")
    page.wait_for_selector(".g-failed:visible")
    page.context.set_offline(False)
    page.click(".g-failed button")
    page.wait_for_selector(".g-failed", state="hidden")
    expect(page.locator(".g-count")).to_contain_text("250")
