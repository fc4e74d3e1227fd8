"""What a reader is told when data do not come, and that a fault of our own is never told so."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import wait_until, watch

pytestmark = pytest.mark.browser


@dataclass(frozen=True)
class Fetching:
    """An element that fetches data."""

    address: str
    ask: Callable[[Any], object]
    """Does what makes the element fetch."""
    data: str
    """Pattern of the address of its data."""
    line: str
    """Selector of the line that says what failed."""
    came: str
    """Selector of what is there once the data have come."""
    script: str
    """Script that is broken, and the line behind which it is."""
    behind: str


def _scroll(selector: str) -> Callable[[Any], object]:
    return lambda page: page.locator(selector).scroll_into_view_if_needed()


FETCHING = {
    "attention, its index": Fetching(
        "passages/white-wall/",
        _scroll("gallery-attention"),
        "**/attention/index.json",
        "gallery-attention > .message",
        "gallery-attention[data-ready]",
        "attention-explorer.js",
        "  constructor(data, wording, figure, told) {",
    ),
    "attention, a layer": Fetching(
        "passages/white-wall/",
        lambda page: (_scroll("gallery-attention")(page), page.wait_for_selector("gallery-attention[data-ready]"), page.click("[data-head='1.2']")),
        "**/attention/layer-01.bin",
        "gallery-attention > .message",
        "[data-head='1.2'][aria-pressed]",
        "attention-data.js",
        "  async mean(heads) {",
    ),
    "words": Fetching(
        "passages/old-yorick/",
        lambda page: page.click(".g-switch input[name=class] >> nth=1"),
        "**/explanation.json",
        ".g-passage .g-focus",
        "gallery-table tr[data-v]",
        "passage.js",
        "export async function loadPassage(address) {",
    ),
    "multiples": Fetching(
        "passages/old-yorick/",
        _scroll(".g-multiples"),
        "**/explanation.json",
        ".g-multiple-text >> nth=0",
        ".g-multiple-text .w",
        "passage.js",
        "export async function loadPassage(address) {",
    ),
    "compare": Fetching(
        "compare/",
        lambda page: None,
        "**/explanation.json",
        ".g-failed",
        "[data-side=right] .w",
        "compare-side.js",
        "  take(passage, wanted, method) {",
    ),
    "filter": Fetching(
        "",
        lambda page: page.select_option("select[name=author]", label="Чехов"),
        "**/passages/list.json",
        ".g-failed",
        ".g-more:visible",
        "filter.js",
        "function rowsOf(columns) {",
    ),
}

FAILURES: dict[str, Callable[[Any], object]] = {
    "no connection": lambda route: route.abort("connectionfailed"),
    "503": lambda route: route.fulfill(status=503),
    "cut off": lambda route: route.fulfill(body=(body := route.fetch().body())[: len(body) // 2]),
    "unpacked and cut off": lambda route: route.fulfill(body=(body := gzip.decompress(route.fetch().body()))[: len(body) // 2]),
    "another page": lambda route: route.fulfill(body="<!doctype html><title>Log in</title>"),
}


@pytest.fixture
def page(chromium: Any) -> Any:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="ru-RU")
    yield context.new_page()
    context.close()


@pytest.fixture
def home(request: pytest.FixtureRequest, element: str) -> str:
    """Give the site that has the element: only long lists fetch theirs."""
    return str(request.getfixturevalue("many_site" if element == "filter" else "site"))


PACKED = "attention, a layer"
"""Its data are packed whatever the site's budget; some servers unpack them on the way."""
CASES = [(element, failure) for element in FETCHING for failure in FAILURES if failure != "unpacked and cut off" or element == PACKED]


@pytest.mark.parametrize(("element", "failure"), CASES)
def test_data_that_do_not_come_whole_are_said_and_can_be_asked_for_again(element: str, failure: str, home: str, page: Any) -> None:
    fetching = FETCHING[element]
    exceptions: list[str] = []
    page.on("pageerror", lambda error: exceptions.append(str(error)))
    page.route(fetching.data, FAILURES[failure])
    page.goto(home + fetching.address)
    fetching.ask(page)
    line = page.locator(fetching.line)
    expect(line).to_contain_text("не удалось", ignore_case=True)
    expect(line).to_be_visible()
    page.unroute(fetching.data)
    line.get_by_role("button", name="Попробовать ещё раз").click()
    page.wait_for_selector(fetching.came)
    expect(page.get_by_text("не удалось").locator("visible=true")).to_have_count(0)
    assert exceptions == []


@pytest.mark.parametrize("element", FETCHING)
def test_a_fault_of_our_own_is_reported_and_not_said_to_be_the_networks(element: str, home: str, page: Any) -> None:
    fetching = FETCHING[element]
    watched = watch(page)

    def break_script(route: Any) -> None:
        text = route.fetch().text()
        assert text.count(fetching.behind) == 1
        route.fulfill(body=text.replace(fetching.behind, f"{fetching.behind} throw new TypeError('a fault of ours');"), content_type="text/javascript")

    page.route(f"**/assets/gallery/{fetching.script}", break_script)
    with page.expect_event("pageerror") as error:
        page.goto(home + fetching.address)
        fetching.ask(page)
    assert "a fault of ours" in str(error.value)
    wait_until(page, "!document.querySelector('[aria-busy=true]')")
    expect(page.get_by_text("не удалось").locator("visible=true")).to_have_count(0)
    assert {fault for fault in watched.faults if "a fault of ours" not in fault} == set()


def test_the_parts_that_are_broken_here_work_when_whole(site: str, many_site: str, page: Any) -> None:
    """Otherwise the tests above might wait for what never comes, whole or broken."""
    watched = watch(page)
    for element, fetching in FETCHING.items():
        page.goto((many_site if element == "filter" else site) + fetching.address)
        fetching.ask(page)
        page.wait_for_selector(fetching.came)
    assert watched.faults == []
