"""What a page says first, and whether every label says what its numbers say: texts, shades and sums on screen against the records."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from gallery.store.entries import Store
from gallery.store.manifest import EntryName, Row, read_header, read_rows
from gallery.store.records import Attribution, Chance, Faithfulness, Prediction
from tests.support.browser import Watched, location_of, wait_for_address, wait_until

pytestmark = pytest.mark.browser

STEMS = {"Чехов": "Чехов", "Толстой": "Толст", "Гоголь": "Гогол"}
"""Name of a class -> what all its cases begin with."""
LEVELS = 8
SPOKEN = ".g-legend p:visible, caption, .g-focus"
"""Lines that speak of the class that is chosen."""
PAGES = ("", "authors/", "authors/chekhov/", "passages/old-yorick/", "how-to-read/", "compare/", "methods/", "model/")


@dataclass(frozen=True)
class Explained:
    """A passage with its records."""

    row: Row
    labels: tuple[str, ...]
    prediction: Prediction
    attributions: Mapping[tuple[str, int], Attribution]
    tried: Faithfulness
    chance: Chance

    @property
    def predicted(self) -> int:
        return int(np.argmax(self.prediction.logits))

    @property
    def address(self) -> str:
        return f"passages/{self.row.id}/"

    def values(self, method: str, name: str) -> np.ndarray:
        """Contributions of a method to a class, or to one class less those to another, as the switches name them."""
        first, *second = (self.attributions[method, int(part)].words for part in name.split("-"))
        return first - second[0] if second else first

    def of(self, name: str) -> list[str]:
        """The names of the classes that a switch names."""
        return [self.labels[int(part)] for part in name.split("-")]


@pytest.fixture(scope="session")
def explained_passages(gallery: Path) -> list[Explained]:
    """Give all passages of the gallery, those that the model mistakes first."""
    store, found = Store(gallery.parent / "store"), []
    labels = read_header(store).model.labels
    for row in read_rows(store):
        records = {name: store.read(name.kind, key) for name, key in row.entries.items()}
        prediction, chance = records[EntryName("prediction")], records[EntryName("chance")]
        assert isinstance(prediction, Prediction)
        assert isinstance(chance, Chance)
        attributions = {(r.method, r.target): r for r in records.values() if isinstance(r, Attribution)}
        tried = next(r for r in records.values() if isinstance(r, Faithfulness) and r.method == "integrated_gradients")
        found.append(Explained(row, labels, prediction, attributions, tried, chance))
    return sorted(found, key=lambda one: one.predicted == one.row.true_class)


@pytest.fixture(scope="session")
def wrong(explained_passages: list[Explained]) -> Explained:
    """Give a passage that the model takes for another author's."""
    assert explained_passages[0].predicted != explained_passages[0].row.true_class
    return explained_passages[0]


def shades(values: np.ndarray, signed: bool) -> list[str]:
    """Classes of the words as the legend explains them: in eighths of the strongest word."""
    steps = np.floor(LEVELS * np.abs(values) / np.abs(values).max() + 0.5).astype(int)
    signs = ["ink" if not signed else "for" if value > 0 else "against" for value in values]
    return [f"w {sign}{step}" if step else "w" for sign, step in zip(signs, steps, strict=True)]


def number(text: str) -> float:
    return float(text.replace("\u2212", "-").replace("+", "").replace(",", "."))


def named(text: str) -> set[str]:
    """The classes that a text names, in any case."""
    return {name for name, stem in STEMS.items() if stem in text}


def test_a_page_opens_on_the_models_answer_and_says_so(site: str, watched: Watched, explained_passages: list[Explained]) -> None:
    for one in explained_passages:
        watched.page.goto(site + one.address)
        lead = watched.page.inner_text(".g-lead")
        answer, truth = one.labels[one.predicted], one.labels[one.row.true_class]
        assert f"{100 * one.prediction.probabilities[one.predicted]:.1f}\u00a0%".replace(".", ",") in lead
        assert named(lead) == {answer, truth}
        assert ("приняла его за" in lead) == (answer != truth)
        assert watched.page.input_value("input[name=class]:checked") == str(one.predicted)
        shown = watched.page.eval_on_selector_all(".g-passage > .g-text .w", "spans => spans.map(s => s.className)")
        assert shown == shades(one.values("integrated_gradients", str(one.predicted)), True)
        description = watched.page.get_attribute("meta[name=description]", "content")
        assert description is not None
        assert description.startswith(lead.replace("\u00a0", "\u00a0"))
    assert watched.faults == []


def test_the_words_it_names_are_the_strongest_and_are_shown_at_a_click(site: str, watched: Watched, wrong: Explained) -> None:
    page = watched.page
    page.goto(site + wrong.address)
    values, texts = wrong.attributions["integrated_gradients", wrong.predicted].words, wrong.prediction.word_texts()
    order = [word for word in np.argsort(-values, kind="stable").tolist() if any(c.isalpha() for c in texts[word])]
    links = page.locator(".g-says a")
    assert links.count() == 3
    for place in range(3):
        assert links.nth(place).inner_text() == f"«{texts[order[place]].lower()}»"
        links.nth(place).click()
        assert page.locator(".g-text .here").inner_text() == texts[order[place]]
        assert f"word={order[place]}" in location_of(page)
    at = wrong.tried.shares.tolist().index(0.1)
    left, random = wrong.tried.deletion[at], wrong.chance.deletion[:, at, wrong.predicted].mean()
    said = page.inner_text(".g-says")
    shares = [f"{100 * share:.1f}".replace(".", ",") for share in (wrong.tried.deletion[0], left, random)]
    assert re.findall(r"(\d+,\d)\u00a0%", said) == shares


@pytest.mark.parametrize("method", ["integrated_gradients", "gradient_x_input", "gradient_norm", "attention_rollout"])
def test_no_sentence_of_a_wrong_passage_speaks_of_another_class_than_it_names(method: str, site: str, watched: Watched, wrong: Explained) -> None:
    page = watched.page
    page.goto(site + wrong.address)
    page.select_option("select[name=method]", method)
    signed, blind = method not in ("gradient_norm", "attention_rollout"), method == "attention_rollout"
    wait_for_address(page, f"method={method}" if method != "integrated_gradients" else wrong.address)
    names = page.eval_on_selector_all("input[name=class]", "radios => radios.map(radio => radio.value)")
    assert names[:2] == [str(wrong.predicted), f"{wrong.predicted}-{wrong.row.true_class}"]
    for name in names:
        radio = page.locator(f"input[name=class][value='{name}']")
        if blind:
            expect(radio).to_be_disabled()
            continue
        if (method, int(name.split("-")[0])) not in wrong.attributions or ("-" in name and method != "integrated_gradients"):
            continue
        radio.check()
        values = wrong.values(method, name)
        shaded = json.dumps(json.dumps(shades(values, signed), separators=(",", ":"), ensure_ascii=False))
        wait_until(page, f"JSON.stringify([...document.querySelectorAll('.g-passage > .g-text .w')].map(s => s.className)) === {shaded}")
        word = int(np.abs(values).argmax())
        page.locator(".g-passage > .g-text .w").nth(word).hover()
        for line in page.locator(SPOKEN).all_inner_texts():
            assert named(line) <= set(wrong.of(name)), (name, line)
        caption = page.inner_text("caption")
        assert set(wrong.of(name)) <= named(caption)
        assert ("+" in page.inner_text(".g-legend") + page.inner_text(".g-focus") + page.inner_text(".g-words tbody")) == signed
        if signed:
            legend = page.inner_text(".g-legend-for"), page.inner_text(".g-legend-against")
            assert [named(text) for text in legend] == ([{wrong.of(name)[0]}, {wrong.of(name)[-1]}])
        rows = page.eval_on_selector_all("gallery-table .g-long tr[data-w]", "rows => rows.map(row => [row.dataset.w, row.cells[1].textContent])")
        assert all(number(told) == pytest.approx(values[int(place)], abs=6e-4) for place, told in rows)
    assert page.locator(".g-blind:visible").count() == int(blind)
    for line in page.locator(".g-trust li").all_inner_texts():
        empty = wrong.attributions["integrated_gradients", wrong.predicted].baseline_probabilities
        assert named(line) <= {wrong.labels[wrong.predicted], wrong.labels[int(empty.argmax())]}, line
    assert named(page.inner_text("#trust + p")) == {wrong.labels[wrong.predicted]}
    assert watched.faults == []


def test_the_way_from_the_empty_text_ends_where_the_model_does(site: str, watched: Watched, wrong: Explained) -> None:
    watched.page.goto(site + wrong.address)
    ends = {}
    for line in watched.page.locator(".g-tracks li").all():
        name = line.locator("strong").inner_text()
        start, end = (number(part) for part in line.locator(".g-number").inner_text().split(" → "))
        steps = [number(part) for part in re.findall(r"[+\u2212]?\d+,\d\d", line.locator(".g-steps").inner_text())]
        record = wrong.attributions["integrated_gradients", wrong.labels.index(name)]
        assert (start, end) == pytest.approx((record.baseline_value, record.output_value), abs=6e-3)
        assert start + sum(steps) == pytest.approx(end, abs=0.05), "the steps are rounded to hundredths"
        ends[name] = end
    assert max(ends, key=lambda name: ends[name]) == wrong.labels[wrong.predicted]


@pytest.mark.parametrize("colours", ["none", "active", "print"])
def test_the_sign_is_a_shape_on_every_medium(colours: str, site: str, chromium: Any, wrong: Explained) -> None:
    context = chromium.new_context(forced_colors="active" if colours == "active" else "none")
    page = context.new_page()
    page.goto(site + wrong.address)
    if colours == "print":
        page.emulate_media(media="print")
    for sign, edges in (("for", ["none", "solid"]), ("against", ["dotted", "none"])):
        words = page.locator(f".g-passage > .g-text [class*=' {sign}']")
        assert words.count() > 0
        drawn = "spans => spans.map(s => getComputedStyle(s)).map(style => [style.borderTopStyle, style.borderBottomStyle])"
        assert all(found == edges for found in words.evaluate_all(drawn))
        widths = f"spans => spans.map(s => parseFloat(getComputedStyle(s).border{'Bottom' if sign == 'for' else 'Top'}Width))"
        assert min(words.evaluate_all(widths)) > 0
    context.close()


@pytest.fixture
def phone(chromium: Any) -> Any:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, bypass_csp=True)
    yield context.new_page()
    context.close()


def test_a_phone_has_one_button_for_the_class_and_says_tap(phone: Any, site: str, wrong: Explained) -> None:
    phone.goto(site + wrong.address)
    assert "Коснитесь" in phone.inner_text(".g-focus")
    button = phone.locator(".g-sheet")
    assert button.inner_text().strip(" ▾") == wrong.labels[wrong.predicted]
    assert phone.locator(".g-switch").is_hidden()
    assert phone.locator(".g-controls").evaluate("bar => bar.scrollWidth <= bar.clientWidth && bar.getBoundingClientRect().height < 170")
    button.tap()
    phone.locator(f"input[name=class][value='{wrong.predicted}-{wrong.row.true_class}']").tap()
    wait_for_address(phone, f"class={wrong.predicted}-{wrong.row.true_class}")
    assert phone.locator(".g-switch").evaluate("sheet => sheet.scrollWidth <= sheet.clientWidth")
    phone.keyboard.press("Escape")
    assert phone.locator(".g-switch").is_hidden()
    assert named(button.inner_text()) == set(wrong.of(f"{wrong.predicted}-{wrong.row.true_class}"))
    phone.locator(".g-passage > .g-text .w").nth(1).tap()
    wait_for_address(phone, "word=1")
    assert wrong.prediction.word_texts()[1] in phone.inner_text(".g-focus")


@pytest.mark.parametrize("width", [320, 360, 390, 768])
def test_no_page_is_wider_than_the_screen(width: int, site: str, chromium: Any, wrong: Explained) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800}, has_touch=True, is_mobile=width < 700)
    page = context.new_page()
    for address in (*PAGES, wrong.address):
        page.goto(site + address, wait_until="networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_after_each_choice(scheme: str, site: str, chromium: Any, wrong: Explained) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme, bypass_csp=True)
    page, axe, found = context.new_page(), Axe(), []
    page.goto(site + wrong.address, wait_until="networkidle")

    def look(after: str) -> None:
        for violation in axe.run(page).response["violations"]:
            found.extend(f"{after}: {violation['id']}: {node['html'][:160]}" for node in violation["nodes"])

    choices: dict[str, Callable[[], object]] = {
        "the sheet": lambda: page.click(".g-sheet"),
        "why not": lambda: page.check("input[name=class] >> nth=1"),
        "no signs": lambda: page.select_option("select[name=method]", "gradient_norm"),
        "no classes": lambda: page.select_option("select[name=method]", "attention_rollout"),
        "a word": lambda: (page.keyboard.press("Escape"), page.click(".g-passage > .g-text .w >> nth=2")),
    }
    for name, choose in choices.items():
        choose()
        look(name)
    context.close()
    assert found == []


def test_without_javascript_both_other_answers_are_on_the_page(site: str, chromium: Any, wrong: Explained) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site + wrong.address)
    sections = page.locator(".g-instead")
    assert sections.count() == 2
    for place, name in enumerate((f"{wrong.predicted}-{wrong.row.true_class}", str(wrong.row.true_class))):
        shaded = [css for css in shades(wrong.values("integrated_gradients", name), True) if css != "w"]
        assert sections.nth(place).locator(".w").evaluate_all("spans => spans.map(s => s.className)") == shaded
        assert named(sections.nth(place).locator(".g-keys").inner_text()) == set(wrong.of(name))
    assert page.locator(".g-focus").inner_text() == "", "nothing is promised that needs a script"
    assert page.locator(".g-share, .g-sheet").locator("visible=true").count() == 0
    context.close()


def test_a_switch_whose_numbers_do_not_come_goes_back(site: str, watched: Watched, wrong: Explained) -> None:
    page = watched.page
    page.route("**/explanation.json", lambda route: route.abort())
    page.goto(site + wrong.address)
    page.click("input[name=class] >> nth=2")
    page.locator(".g-focus button").wait_for()
    assert page.is_checked("input[name=class] >> nth=0")
    assert not re.search("[A-Za-z]", page.inner_text(".g-focus")), "a sentence in the page's language"
    assert "class=" not in location_of(page)


def test_heads_that_do_not_come_leave_the_picture(site: str, watched: Watched, wrong: Explained) -> None:
    page = watched.page
    page.route("**/attention/*.bin", lambda route: route.abort())
    page.goto(site + wrong.address)
    page.locator("gallery-attention").scroll_into_view_if_needed()
    page.locator("gallery-attention > .message button").wait_for()
    assert page.locator("gallery-attention .heads img").is_visible()
    assert page.locator("gallery-attention .explorer").locator("visible=true").count() == 0
    page.unroute("**/attention/*.bin")
    page.click("gallery-attention > .message button")
    page.locator("gallery-attention[data-ready] .cells .cell").first.wait_for()
    assert page.locator("gallery-attention .heads img").count() == 0
