"""What <gallery-attention> shows, against the tensors it is made from."""

import csv
import io
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gallery.attention.capture import attend
from gallery.attention.encoding import word_weights
from gallery.config import AttentionSettings, Settings
from gallery.model.loading import load_classifier
from gallery.site.pages.attention_carried import Carried, carried_files
from gallery.site.templates import environment
from gallery.sources.resolve import resolve_model, resolve_tokenizer
from gallery.store.records import Array, Attention, Prediction
from tests.support.browser import location_of, serving, wait_for_address, watch

pytestmark = pytest.mark.browser
GALLERY = Path(__file__).parents[2] / "gallery"
TEXT = "Свой человек пришёл домой поздно: ёлка, 🎄 и Йорик. «Что же это?» — спросила она."
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'self'; img-src 'self' data: blob:">
<link rel="icon" href="data:,"><link rel="stylesheet" href="static/attention.css"><script type="module" src="static/gallery.js"></script></head>
<body data-md-color-scheme="default">{}</body></html>"""


@dataclass(frozen=True)
class Shown:
    """A page with one passage, and what it must show."""

    address: str
    folder: Path
    prediction: Prediction
    record: Attention
    weights: Array
    """[layers, heads, T, T] of eager attention."""

    def words(self, layer: int, head: int) -> Array:
        """[U, U] between words, special tokens at both ends."""
        return word_weights(self.weights[layer, head], self.prediction.token_words)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "static").symlink_to(GALLERY / "static")
    with serving(folder) as address:
        yield folder, address


def publish(folder: Path, prediction: Prediction, record: Attention, name: str, carried: Carried) -> None:
    """Write a page and its data."""
    data = folder / name
    data.mkdir()
    for file, content in carried_files(prediction, record, carried).items():
        (data / file).write_bytes(content)
    template = environment("en").get_template("attention.html")
    fragment = template.render(prediction=prediction, attention=record, data_url=f"{name}/", picture_url=f"{name}/heads.png", carried=carried)
    (folder / f"{name}.html").write_text(PAGE.format(fragment), "utf-8")


ALL = Carried((0, 1, 2), 3)


def prepare(model: Path, folder: Path, address: str, name: str, carried: Carried = ALL) -> Shown:
    """Explain the passage by a tiny model and publish it."""
    classifier = load_classifier(resolve_model(model.name, model.parent), resolve_tokenizer(model.name, model.parent), Settings(model=model.name))
    tokenized = classifier.tokenize(TEXT)
    (record,) = attend(classifier, [tokenized], AttentionSettings(precision="exact"))
    (prediction,) = classifier.predict([tokenized])
    classifier.model.set_attn_implementation("eager")
    with torch.no_grad():
        layers = classifier.model(**classifier.batch([tokenized.ids]), output_attentions=True).attentions
    publish(folder, prediction, record, name, carried)
    return Shown(f"{address}{name}.html", folder, prediction, record, torch.cat(layers).numpy())


@pytest.fixture(scope="module", params=["bert", "roberta"])
def shown(request: pytest.FixtureRequest, tiny: Callable[[str], Path], served: tuple[Path, str]) -> Shown:
    return prepare(tiny(request.param), *served, request.param)


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    opened = chromium.new_page(viewport={"width": 1200, "height": 900})
    opened.problems = watch(opened).faults
    yield opened
    opened.close()


def visit(page: Any, shown: Shown, state: str = "of-head_head-2.3") -> None:
    page.goto(f"{shown.address}?attention={state}")
    page.wait_for_selector("gallery-attention[data-ready]")


def lit(page: Any) -> Array:
    """Shades of the passage's units, 0 to 1."""
    return np.array(page.eval_on_selector_all(".passage .unit", "all => all.map(e => Number(e.style.getPropertyValue('--shade') || 0))"))


def shades(weights: Array, counted: Array) -> Array:
    return np.sqrt(np.minimum(1, weights / weights[counted].max()))


def test_the_passage_stands_as_it_was_written_and_every_unit_can_be_pointed_at(page: Any, shown: Shown) -> None:
    visit(page, shown)
    special = [token for token, skip in zip(shown.prediction.tokens, shown.prediction.special, strict=True) if skip]
    for state, unit_count in (("", len(shown.prediction.words) + 2), ("_unit-tokens", len(shown.prediction.tokens))):
        visit(page, shown, f"of-head_head-2.3{state}")
        assert page.locator(".passage .unit").count() == unit_count
        whole = page.eval_on_selector(".passage", "e => e.textContent")
        for name in special:
            whole = whole.replace(name, "", 1)
        assert "".join(whole.replace("·", "").split()) == "".join(TEXT.split())
    assert page.problems == []


def test_the_passage_lights_up_by_what_a_word_looks_at(page: Any, shown: Shown) -> None:
    visit(page, shown)
    weights = shown.words(1, 2)
    inside = np.ones(len(weights), bool)
    inside[[0, -1]] = False
    for unit in (2, 5):
        page.locator(".passage .unit").nth(unit).hover()
        assert np.abs(lit(page) - shades(weights[unit], inside)).max() < 0.015
    page.get_by_text("what looks at the word").click()
    page.locator(".passage .unit").nth(4).hover()
    assert np.abs(lit(page) - shades(weights[:, 4], inside)).max() < 0.015
    assert page.problems == []


def test_special_tokens_left_out_leave_rows_that_add_up_to_one(page: Any, shown: Shown) -> None:
    visit(page, shown, "of-head_head-2.3_special-hidden")
    weights = shown.words(1, 2)[1:-1, 1:-1]
    weights = weights / weights.sum(axis=1, keepdims=True)
    page.locator(".passage .unit").nth(3).hover()
    assert np.abs(lit(page) - shades(weights[3], np.ones(len(weights), bool))).max() < 0.015
    assert "left out" in page.locator(".sourceline").inner_text()


def test_numbers_of_a_pair_are_those_of_the_tensor(page: Any, shown: Shown) -> None:
    visit(page, shown)
    weights = shown.words(1, 2)
    page.locator(".passage .unit").nth(2).click()
    page.locator(".passage .unit").nth(4).hover()
    said = page.locator(".readout").inner_text()
    assert "“человек”" in said
    assert float(said.split(":")[-1].strip(" %\u00a0")) / 100 == pytest.approx(weights[2, 4], rel=0.03, abs=0.006)


@pytest.mark.parametrize("source", ["layer", "all", "rollout", "heads"])
def test_means_and_rollout_are_those_of_the_tensors(source: str, page: Any, shown: Shown) -> None:
    means = shown.weights.mean(axis=1)
    rolled = np.eye(means.shape[-1])
    for layer in means:
        rolled = (layer + np.eye(len(rolled))) / 2 @ rolled
    heads = (shown.weights[0, 1] + shown.weights[2, 3]) / 2
    wanted = {"layer": means[1], "all": means.mean(axis=0), "rollout": rolled, "heads": heads}[source]
    visit(page, shown, "of-head_head-1.2,3.4_unit-tokens_special-shown" if source == "heads" else f"of-{source}_head-2.3_unit-tokens_special-shown")
    page.locator(".passage .unit").nth(2).hover()
    assert np.abs(lit(page) - shades(wanted[2], np.ones(len(wanted), bool))).max() < 0.015


def test_cells_of_the_map_have_the_colour_of_their_weight(page: Any, shown: Shown) -> None:
    visit(page, shown, "of-head_head-2.3_view-map_special-shown")
    weights = shown.words(1, 2)
    wanted = np.sqrt(weights / weights.max())
    pixels = page.evaluate(
        """() => {
          const map = document.querySelector("gallery-attention").explorer.map.heat;
          const { margin, cell } = map.layout();
          const ratio = map.canvas.width / map.canvas.clientWidth;
          const count = map.matrix.units.length;
          const data = map.canvas.getContext("2d");
          return Array.from({ length: count }, (_, row) => Array.from({ length: count }, (_, column) =>
            [...data.getImageData((margin + (column + 0.3) * cell) * ratio, (margin + (row + 0.3) * cell) * ratio, 1, 1).data].slice(0, 3)));
        }"""
    )
    ink, paper = np.array([0, 112, 105]), np.array([255, 255, 255])
    expected = paper + (ink - paper) * wanted[..., None]
    assert np.abs(np.array(pixels) - expected).max() <= 6


def test_the_crosshair_names_both_words_and_the_weight(page: Any, shown: Shown) -> None:
    visit(page, shown, "of-head_head-2.3_view-map")
    place = page.evaluate(
        """() => {
          const map = document.querySelector("gallery-attention").explorer.map.heat;
          map.canvas.scrollIntoView();
          const { margin, cell } = map.layout();
          const box = map.canvas.getBoundingClientRect();
          return [box.left + margin + 4.5 * cell, box.top + margin + 2.5 * cell];
        }"""
    )
    page.mouse.move(*place)
    said = page.locator(".readout").inner_text()
    names = shown.prediction.word_texts()
    assert f"“{names[1]}”" in said
    assert f"“{names[3]}”" in said
    assert float(said.split(":")[-1].strip(" %\u00a0")) / 100 == pytest.approx(shown.words(1, 2)[2, 4], rel=0.03, abs=0.006)


def test_the_strongest_pairs_are_the_strongest(page: Any, shown: Shown) -> None:
    visit(page, shown, "of-head_head-2.3_view-map_special-hidden")
    weights = shown.words(1, 2)[1:-1, 1:-1]
    weights = weights / weights.sum(axis=1, keepdims=True)
    row, column = np.unravel_index(weights.argmax(), weights.shape)
    names = shown.prediction.word_texts()
    cells = page.locator(".pairs tbody tr").first.locator("td").all_inner_texts()
    assert cells[:2] == [names[row], names[column]]
    assert float(cells[2].strip(" %\u00a0")) / 100 == pytest.approx(weights.max(), rel=0.03, abs=0.006)


def test_lines_join_the_words_of_two_columns(page: Any, shown: Shown) -> None:
    visit(page, shown, "of-head_head-2.3_view-lines_word-2")
    assert page.locator(".lines path").count() > 0
    assert page.locator(".lines .anchor").count() == 1


def test_neurons_multiply_to_the_score(page: Any, shown: Shown) -> None:
    visit(page, shown, "of-head_head-2.3_unit-tokens_word-2_to-4_view-neurons")
    page.wait_for_selector(".neurons .bars")
    size = shown.record.shape[3]
    assert page.locator(".neurons rect").count() == 3 * size
    sums = page.eval_on_selector_all(".neurons title", "all => all.map(e => e.textContent)")
    values = np.array([float(text.split(": ")[1]) for text in sums]).reshape(3, size)
    assert np.allclose(values[0] * values[1], values[2], atol=5e-3)


def test_arrows_move_between_heads_and_the_address_follows(page: Any, shown: Shown) -> None:
    visit(page, shown)
    page.locator(".passage .unit").nth(3).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_selector('[data-head="2.3"][aria-pressed]')
    assert "head-3.4" in location_of(page)
    page.keyboard.press("Enter")
    held = location_of(page)
    assert "_word-" in held
    before = lit(page)
    page.goto("about:blank")
    page.goto(held)
    page.wait_for_selector("gallery-attention[data-ready]")
    assert np.array_equal(before, lit(page))
    page.locator(".passage .unit").nth(3).focus()
    page.keyboard.press("Escape")
    assert "_word-" not in location_of(page)


def test_the_words_of_the_passage_are_one_tab_stop_and_arrows_go_from_word_to_word(page: Any, shown: Shown) -> None:
    visit(page, shown)
    stops = page.locator(".passage .unit[tabindex='0']")
    assert stops.count() == 1
    stops.focus()
    first = int(str(stops.get_attribute("data-unit")))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("Number(document.activeElement.dataset.unit)") == first + 2
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("Number(document.activeElement.dataset.unit)") == first + 1
    assert stops.count() == 1
    assert page.locator(".unit.anchor").get_attribute("data-unit") == str(first + 1)


def test_the_grid_opens_a_head_from_the_keyboard_and_sorts_by_what_heads_do(page: Any, shown: Shown) -> None:
    visit(page, shown)
    page.locator(".cell").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert "head-1.2" in location_of(page)
    page.locator(".sort select").select_option("previous")
    page.wait_for_selector("gallery-attention:not([aria-busy])")
    shares = shown.record.summary[..., shown.record.summary_names.index("previous")]
    first = [int(n) for n in str(page.locator(".cell").first.get_attribute("data-head")).split(".")]
    assert shares[first[0], first[1]] == pytest.approx(shares.max(), abs=1e-4), "the page knows shares to four digits"
    assert "sort-previous" in location_of(page)


def test_layers_are_fetched_when_opened_and_not_before(page: Any, shown: Shown) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rsplit("/", 1)[-1]))
    visit(page, shown)
    assert [name for name in asked if name.startswith("layer")] == ["layer-01.bin"]
    page.locator('[data-head="2.0"]').click()
    page.wait_for_selector('[data-head="2.0"][aria-pressed]')
    page.locator('[data-head="2.1"]').click()
    page.wait_for_selector('[data-head="2.1"][aria-pressed]')
    assert [name for name in asked if name.startswith("layer")] == ["layer-01.bin", "layer-02.bin"]


def test_a_failed_fetch_says_so_and_can_be_tried_again(page: Any, shown: Shown) -> None:
    visit(page, shown)
    page.route("**/layer-02.bin", lambda route: route.abort())
    page.locator('[data-head="2.0"]').click()
    message = page.locator(".message")
    message.wait_for()
    assert "could not be fetched" in message.inner_text()
    page.unroute("**/layer-02.bin")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector('[data-head="2.0"][aria-pressed]')
    assert not message.is_visible()


def test_opened_as_a_file_it_says_how_to_serve_the_site(page: Any, shown: Shown) -> None:
    page.goto((shown.folder / shown.address.rsplit("/", 1)[-1]).as_uri())
    # Chromium loads no module from a file, so the words stand in the page and show themselves when no element comes.
    hint = page.locator(".unserved")
    hint.wait_for()
    assert "python -m http.server" in hint.inner_text()
    assert page.locator(".heads img").is_visible()


def test_without_javascript_the_picture_and_what_stands_out_remain(chromium: Any, shown: Shown) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(shown.address)
    image = page.locator(".heads img")
    assert image.get_attribute("alt")
    box = image.bounding_box()
    assert box["width"] > 100
    assert page.locator(".standouts li").count() == 6
    page.locator(".unserved").wait_for()
    context.close()


def test_numbers_and_pictures_can_be_saved(page: Any, shown: Shown) -> None:
    visit(page, shown, "of-head_head-2.3_word-2")
    with page.expect_download() as download:
        page.locator('[data-save="csv"]').click()
    rows = list(csv.reader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig"))))
    numbers = np.array([row[1:] for row in rows[1:]], float)
    assert np.abs(numbers - shown.words(1, 2)).max() < 5e-3
    for view in ("reading", "map", "lines", "neurons"):
        visit(page, shown, f"of-head_head-2.3_word-2_view-{view}")
        with page.expect_download() as download:
            page.locator('[data-save="svg"]').click()
        root = ElementTree.parse(download.value.path()).getroot()
        assert root.tag.endswith("svg")
        assert len(list(root.iter())) > 10
        with page.expect_download() as download:
            page.locator('[data-save="png"]').click()
        assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")
    assert page.problems == []


def test_a_passage_too_long_for_one_matrix_is_read_by_row_and_column(
    page: Any, tiny: Callable[[str], Path], served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gallery.attention.derived.FULL", 10)
    folder, address = served
    shown = prepare(tiny("modernbert"), folder, address, "long")
    weights = shown.words(1, 2)
    inside = np.ones(len(weights), bool)
    inside[[0, -1]] = False
    visit(page, shown)
    page.locator(".passage .unit").nth(3).hover()
    assert np.abs(lit(page) - shades(weights[3], inside)).max() < 0.015
    page.get_by_text("what looks at the word").click()
    page.locator(".passage .unit").nth(5).hover()
    assert np.abs(lit(page) - shades(weights[:, 5], inside)).max() < 0.015
    visit(page, shown, "of-layer_head-2.1_special-hidden_view-map")
    means = word_weights(shown.weights[1].mean(axis=0), shown.prediction.token_words)[1:-1, 1:-1]
    values = page.evaluate("[...document.querySelector('gallery-attention').explorer.selection.weights.matrix.values]")
    assert np.abs(np.array(values).reshape(means.shape) - means / means.sum(axis=1, keepdims=True)).max() < 1e-3
    assert page.get_by_role("button", name="Later").is_disabled()
    assert page.get_by_text("the mean of all").count() == 0
    assert page.problems == []


def test_a_layer_that_the_site_does_not_carry_says_so(page: Any, tiny: Callable[[str], Path], served: tuple[Path, str]) -> None:
    shown = prepare(tiny("bert"), *served, "fewer", Carried((0, 2), 3, fitted_mb=950))
    visit(page, shown, "of-head_head-2.3")
    message = page.locator(".message")
    why = "Of 3 layers this site carries 2, so that the site stays within 950 MB: layers 1, 3."
    assert page.locator(".left-out").inner_text().startswith(why)
    assert message.inner_text().startswith(f"Layer 2 is not in this site. {why}")
    assert "Layer 2 is not in this site." in page.locator('[data-head="1.2"]').get_attribute("aria-label")
    page.locator('[data-head="0.2"]').click()
    page.wait_for_selector('[data-head="0.2"][aria-pressed]')
    assert not message.is_visible()
    page.get_by_role("button", name="Next layer").click()
    page.wait_for_selector('[data-head="2.2"][aria-pressed]')
    page.locator('[data-head="1.1"]').click()
    assert message.inner_text().startswith("Layer 2 is not in this site.")
    assert page.locator("[aria-pressed]").get_attribute("data-head") == "2.2"
    assert page.problems == []


def test_without_layers_the_means_can_be_read_and_without_means_the_picture_is_left(page: Any, tiny: Callable[[str], Path], served: tuple[Path, str]) -> None:
    shown = prepare(tiny("bert"), *served, "means", Carried((), 3))
    visit(page, shown)
    assert page.get_by_text("a head", exact=True).count() == 0
    means = word_weights(shown.weights.mean(axis=(0, 1)), shown.prediction.token_words)
    page.locator(".passage .unit").nth(2).hover()
    inside = np.ones(len(means), bool)
    inside[[0, -1]] = False
    assert np.abs(lit(page) - shades(means[2], inside)).max() < 0.015
    page.locator('[data-head="1.1"]').click()
    assert "Layer 2 is not in this site." in page.locator(".message").inner_text()
    page.locator(".passage .unit").nth(2).press("ArrowDown")
    assert page.locator("[aria-pressed]").count() == 0
    page.goto(prepare(tiny("bert"), *served, "picture", Carried((), 3, means=False)).address)
    assert page.locator(".heads img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 4 * 25 - 1
    assert page.locator(".unserved").count() == 0
    assert page.problems == []


def test_an_excerpt_lights_up_as_in_the_whole_passage(page: Any, tiny: Callable[[str], Path], served: tuple[Path, str]) -> None:
    for architecture in ("bert", "deberta-v2"):
        shown = prepare(tiny(architecture), *served, f"excerpt-{architecture}", Carried((0, 1, 2), 3, tokens=14))
        visit(page, shown)
        units = page.locator(".passage .unit").count()
        weights = shown.words(1, 2)[:units, :units]
        inside = np.ones(units, bool)
        inside[0] = False
        for unit in (1, 2):
            page.locator(".passage .unit").nth(unit).hover()
            assert np.abs(lit(page) - shades(weights[unit], inside)).max() < 0.02
        assert page.eval_on_selector(".passage", "e => e.textContent").endswith("спросила она.")
        assert "first" in page.locator(".left-out").inner_text()
    assert page.problems == []


def test_a_finger_chooses_several_heads_and_holds_a_word(chromium: Any, shown: Shown) -> None:
    context = chromium.new_context(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844})
    page = context.new_page()
    visit(page, shown, "of-head_head-1.2_unit-tokens_special-shown")
    page.locator(".several").tap()
    page.locator('[data-head="2.3"]').tap()
    page.wait_for_selector('[data-head="2.3"][aria-pressed]')
    wait_for_address(page, "head-1[.]2,3[.]4")
    page.locator(".passage .unit").nth(2).tap()
    wait_for_address(page, "word-2")
    wanted = (shown.weights[0, 1] + shown.weights[2, 3]) / 2
    page.wait_for_selector("gallery-attention:not([aria-busy])")  # a second layer may still be on its way
    assert np.abs(lit(page) - shades(wanted[2], np.ones(len(wanted), bool))).max() < 0.015
    page.locator('[data-head="0.1"]').tap()
    page.wait_for_selector('[data-head="0.1"]:not([aria-pressed])')
    wait_for_address(page, "head-3[.]4_word-2")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
