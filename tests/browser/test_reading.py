"""A reader's way through the gallery: from the index to a passage, an author, a comparison, and back."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from gallery.site.vocabulary import lemma
from tests.support.browser import PUBLISHED, Watched, location_of, publish, wait_for_address, wait_until, watch
from tests.support.galleries import make_gallery, run
from tests.support.models import save_tiny_classifier

pytestmark = pytest.mark.browser

PAGES = ("", "authors/chekhov/", "passages/white-wall/", "how-to-read/", "compare/")
SHADED = "spans => spans.map(span => span.className)"


@pytest.fixture(scope="module")
def english(site_folder: Path, tiny: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render the gallery's store with an English interface and give its site's folder."""
    config = make_gallery(tmp_path_factory.mktemp("english"), tiny("bert"), language="en")
    shutil.copytree(site_folder.parent / "store", config.parent / "store")
    result = run(config, "render")
    assert result.exit_code == 0, result.output
    return config.parent / "site"


@pytest.mark.parametrize(
    ("language", "another", "heading", "right"),
    [("ru", "с другим отрывком", "Слова за и против", "Справа"), ("en", "with another passage", "Words that speak for and against", "Right")],
)
def test_from_the_index_to_a_comparison_and_back(
    language: str, another: str, heading: str, right: str, site_folder: Path, english: Path, chromium: Any
) -> None:
    context = chromium.new_context()
    publish(site_folder if language == "ru" else english, context)
    page = context.new_page()
    faults = watch(page).faults
    with page.expect_response("**/sitemap.xml") as sitemap:
        page.goto(PUBLISHED)
    sitemap.value.finished()
    page.evaluate("window.stayed = true")  # gone if a step loads the page anew
    page.select_option("select[name=author]", label="Чехов")
    wait_for_address(page, r"/\?author=")
    page.locator(".g-card:visible a").click()
    page.wait_for_url("**/passages/white-wall/")
    shades = page.locator(".g-text .w[class*=for], .g-text .w[class*=against]").evaluate_all(SHADED)
    assert page.get_attribute(".g-text", "lang") == "ru"
    page.check(".g-switch input[name=class] >> nth=1")
    wait_for_address(page, r"/\?class=")
    assert page.locator(".g-text .w[class*=for], .g-text .w[class*=against]").evaluate_all(SHADED) != shades
    page.click(".g-byline a")
    page.wait_for_url("**/authors/chekhov/")
    page.locator("h2", has_text=heading).wait_for()
    page.evaluate("history.back()")
    page.wait_for_url("**/passages/white-wall/?class=*")
    page.click(f"text={another}")
    page.wait_for_url("**/compare/**")
    page.locator(f"section[aria-label={right}] .g-text .w").first.wait_for()
    page.evaluate("history.back()")
    page.wait_for_url("**/passages/white-wall/?class=*")
    page.locator(".g-passage .g-text .w").first.wait_for()
    assert page.evaluate("window.stayed"), "a step loaded the page anew"
    assert faults == []
    context.close()


def test_any_class_can_be_chosen_and_its_method_says_so(site: str, chromium: Any) -> None:
    context = chromium.new_context()
    page = context.new_page()
    faults = watch(page).faults
    page.goto(f"{site}passages/old-yorick/")
    further = page.locator("select[name=further] option:not([value=''])").first.get_attribute("value")
    before = page.locator(".g-text .w").evaluate_all(SHADED)
    page.select_option("select[name=further]", further)
    wait_for_address(page, rf"class={further}")
    assert page.locator(".g-text .w").evaluate_all(SHADED) != before
    assert page.input_value("select[name=method]") == "decomposition"
    assert page.locator("input[name=class]:checked").count() == 0
    page.reload()
    page.wait_for_function(f"document.querySelector('select[name=further]').value === '{further}'")
    page.select_option("select[name=method]", "gradient_x_input")  # does not explain that class
    wait_for_address(page, "method=gradient_x_input")
    assert page.input_value("select[name=method]") == "gradient_x_input"
    assert page.input_value("select[name=further]") == ""
    page.goto(f"{site}compare/?left=old-yorick&left-class={further}&left-method=decomposition")
    page.locator("section[data-side=left] .g-text .w").first.wait_for()
    assert page.input_value("section[data-side=left] select[name=class]") == further
    assert faults == []
    context.close()


def test_without_javascript_every_page_says_what_there_is(site: str, chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site)
    assert page.locator(".g-card:visible").count() == 3
    page.click("text=Белая стена")
    assert page.locator("gallery-table tbody tr td:nth-child(2)").first.text_content()
    assert page.locator(".g-multiples dl").count() == 5
    page.click(".g-byline a")
    assert page.locator(".g-speaking tbody tr").count() > 5
    assert page.locator(".g-effects tbody tr").count() == 3
    page.goto(site + "compare/")
    assert page.locator(".g-unserved").is_visible()
    assert not page.locator(".g-choices").first.is_visible()
    context.close()


def test_a_link_opens_the_same_comparison(site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(site + "compare/?left=white-wall&right=old-yorick")
    page.locator("[data-side=right] .w").first.wait_for()
    page.select_option("[data-side=left] select[name=method]", "gradient_norm")
    page.select_option("[data-side=right] select[name=passage]", "white-wall")
    wait_for_address(page, "right=white-wall")
    shades = page.eval_on_selector_all(".g-compare .w", SHADED)
    ends = page.locator(".g-compare .g-scale span").all_text_contents()
    assert page.locator("input[name=scale]").is_disabled()  # two methods have no common unit
    before = location_of(page)
    page.goto("about:blank")
    page.goto(before)
    page.locator("[data-side=right] .w").first.wait_for()
    assert page.eval_on_selector_all(".g-compare .w", SHADED) == shades
    assert page.locator(".g-compare .g-scale span").all_text_contents() == ends
    assert watched.faults == []


def test_a_word_lights_up_on_both_sides_and_both_share_a_scale(site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(site + "compare/?left=old-yorick&right=white-wall")
    page.locator("[data-side=right] .w").first.wait_for()
    assert len(set(page.locator(".g-scale [data-end=for]").all_text_contents())) == 1
    page.uncheck("input[name=scale]")
    assert len(set(page.locator(".g-scale [data-end=for]").all_text_contents())) == 2
    page.locator("[data-side=left] .w").get_by_text("и", exact=True).hover()
    assert page.locator("[data-side=right] .also").all_text_contents() == ["и"]
    told = page.text_content(".g-focus")
    assert "слева" in told
    assert "справа" in told
    page.locator("[data-side=left] .w").get_by_text("усадьбе").hover()
    assert page.locator("[data-side=right] .also").count() == 0
    assert "справа такого слова нет" in page.text_content(".g-focus")
    page.focus("[data-side=right] .g-text")
    page.keyboard.press("ArrowRight")
    assert page.locator("[data-side=right] .here").text_content() == "Свой"


def test_an_unknown_passage_is_named(site: str, watched: Watched) -> None:
    watched.page.goto(site + "compare/?left=white-wall&right=nowhere")
    watched.page.locator(".g-failed").wait_for()
    assert "nowhere" in watched.page.text_content(".g-failed")
    assert watched.page.locator("[data-side=left] .w").count() > 5


def test_numbers_that_do_not_come_are_asked_for_again(site: str, watched: Watched) -> None:
    page = watched.page
    page.route("**/explanation.json", lambda route: route.fulfill(status=503))
    page.goto(site + "passages/old-yorick/")
    page.click(".g-switch input[name=class] >> nth=1")
    page.locator(".g-focus button").wait_for()
    assert "503" in page.text_content(".g-focus")
    page.unroute("**/explanation.json")
    page.click(".g-focus button")
    wait_for_address(page, r"/\?class=")


def test_one_scale_for_the_gallery_stays_while_reading_on(site: str, watched: Watched) -> None:
    page = watched.page
    ends = []
    page.goto(site + "passages/white-wall/")
    own = page.text_content("[data-end=for]")
    page.check("input[name=scale]")
    wait_for_address(page, "scale=gallery")
    ends.append(page.text_content("[data-end=for]"))
    page.click(".g-neighbours a >> nth=0")
    page.wait_for_url(lambda url: "white-wall" not in url and "scale=gallery" in url)
    ends.append(page.text_content("[data-end=for]"))
    assert ends[0] == ends[1]
    page.uncheck("input[name=scale]")
    wait_for_address(page, "^(?!.*scale)")
    assert {own, page.text_content("[data-end=for]")} != {ends[0]}


def test_an_authors_word_leads_to_its_place(site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(site + "authors/chekhov/")
    link = page.locator(".g-speaking a").first
    word = page.locator(".g-speaking tr td").first.text_content()
    link.click()
    page.locator(".g-text .here").wait_for()
    assert lemma(page.text_content(".g-text .here"), "ru") == word


def test_cards_are_chosen_by_confidence_and_length_and_ordered(site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(site)
    cards = page.eval_on_selector_all(".g-card", "cards => cards.map(({dataset}) => [Number(dataset.confidence), Number(dataset.words)])")
    page.select_option("select[name=order]", "short")
    lengths = page.eval_on_selector_all(".g-card", "cards => cards.map(card => Number(card.dataset.words))")
    assert lengths == sorted(words for _, words in cards)
    for low, high in ((0.9, 2.0), (0.5, 0.9), (0.0, 0.5)):
        page.select_option("select[name=confidence]", f"{100 * low:.0f}-{'' if high > 1 else f'{100 * high:.0f}'}")
        assert page.locator(".g-card:visible").count() == sum(low <= confidence < high for confidence, _ in cards)
    assert "confidence=0-50" in location_of(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violations(scheme: str, site: str, chromium: Any) -> None:
    context = chromium.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    axe, found = Axe(), []
    for address in PAGES:
        page.goto(site + address, wait_until="networkidle")
        wait_until(page, "!!customElements.get('gallery-words')")
        for violation in axe.run(page).response["violations"]:
            found += [f"{address}: {violation['id']}: {node['html'][:160]}" for node in violation["nodes"]]
    context.close()
    assert found == []


@pytest.mark.parametrize(("width", "scale"), [(390, 1), (640, 2)])
def test_neither_a_phone_nor_large_print_scrolls_sideways(width: int, scale: int, site: str, chromium: Any) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 844 // scale}, device_scale_factor=scale)
    page = context.new_page()
    for address in PAGES:
        page.goto(site + address, wait_until="networkidle")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
    context.close()


@pytest.fixture(scope="module")
def long_site(serve: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Build a gallery with a passage of two hundred words; give its site's folder and address."""
    folder = tmp_path_factory.mktemp("long")
    config = make_gallery(folder / "gallery", save_tiny_classifier(folder / "model", longest=512), settings="    bertviz_tokens: 0\n    random_orders: 2\n")
    words = ["человек", "пришёл", "домой", "поздно", "вечером", "никто", "не", "ждал", "его", "смотрел", "дорогу"]
    text = " ".join(words[n % len(words)] + ("," if n % 5 == 4 else "") for n in range(170))  # with the commas, 204 words and marks
    (config.parent / "site_src" / "passages" / "long.md").write_text(f"---\nid: long\ntrue_class: Чехов\ntitle: Длинный\n---\n{text}\n", "utf-8")
    result = run(config)
    assert result.exit_code == 0, result.output
    return config.parent / "site", serve(config.parent / "site")


def test_a_passage_of_two_hundred_words_weighs_little_and_holds_still(long_site: tuple[Path, str], chromium: Any) -> None:
    folder, address = long_site
    page_file = folder / "passages" / "long" / "index.html"
    html = page_file.read_text("utf-8")
    assert html.count('<span class="w') >= 200
    assert page_file.stat().st_size < 120_000
    for width in (1280, 390):
        context = chromium.new_context(viewport={"width": width, "height": 844})
        page = context.new_page()
        page.goto(address + "passages/long/", wait_until="networkidle")
        shift = page.evaluate(
            "new Promise(done => { let sum = 0; new PerformanceObserver(list => list.getEntries().forEach(e => { if (!e.hadRecentInput) sum += e.value; }))"
            ".observe({type: 'layout-shift', buffered: true}); requestAnimationFrame(() => setTimeout(() => done(sum))); })"
        )
        assert shift < 0.05
        context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_place_of_the_explorer_is_kept_while_its_data_are_on_the_way(width: int, long_site: tuple[Path, str], chromium: Any) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 844})
    page, held, hold = context.new_page(), [], [True]
    page.route("**/attention/*.*", lambda route: held.append(route) if hold and "heads.png" not in route.request.url else route.continue_())
    page.goto(long_site[1] + "passages/long/")
    page.locator("gallery-attention").scroll_into_view_if_needed()
    while not held:
        page.wait_for_timeout(50)
    page.evaluate(
        "() => { window.shift = 0; new PerformanceObserver(list => list.getEntries().forEach(e => { if (!e.hadRecentInput) window.shift += e.value; }))"
        ".observe({type: 'layout-shift'}); }"
    )
    hold.clear()
    for route in held:
        route.continue_()
    page.locator("gallery-attention[data-ready]").wait_for()
    page.wait_for_timeout(200)
    assert page.evaluate("window.shift") < 0.1
    context.close()


def test_the_longest_passage_prints_on_at_most_four_pages(long_site: tuple[Path, str], chromium: Any) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(long_site[1] + "passages/long/", wait_until="networkidle")
    # 204 words become as many as a model of 512 tokens reads of this language.
    page.locator(".g-text p").evaluate("text => { text.after(text.cloneNode(true)); }")
    printed = page.pdf(format="A4")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 4
    page.emulate_media(media="print")
    assert page.locator(".g-controls .g-legend").is_visible()
    assert page.locator(".g-long tbody tr:visible").count() == 20
    assert page.locator("form:visible, :not(th) > button:visible, summary:visible").count() == 0
    assert "/passages/long/" in page.inner_text(".g-printed")
    context.close()
