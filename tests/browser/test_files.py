"""What a reader takes away from a page: pictures, the citation, the program, and the page itself as one file."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.browser import Watched, wait_for_address, wait_until, watch
from tests.support.galleries import run

pytestmark = pytest.mark.browser
SVG = "{http://www.w3.org/2000/svg}"
PASSAGE = "passages/white-wall/"


def test_a_shared_link_shows_the_passage(gallery: Path, site: str, watched: Watched) -> None:
    page = watched.page

    def said(name: str) -> str | None:
        found = page.locator(f"meta[property='og:{name}']")
        return str(found.get_attribute("content")) if found.count() else None

    page.goto(site + PASSAGE)
    assert said("title") == "Белая стена"
    assert said("locale") == "ru_RU"
    assert said("url") == "https://example.org/gallery/passages/white-wall/"
    assert said("image") == "https://example.org/gallery/passages/white-wall/card.png"
    assert "Это Чехов." in (said("description") or "")
    with Image.open(gallery.parent / "site" / PASSAGE / "card.png") as card:
        assert card.size == (int(said("image:width") or 0), int(said("image:height") or 0))
    for address in ("", "authors/", "authors/chekhov/", "how-to-read/"):
        page.goto(site + address)
        assert said("image") == "https://example.org/gallery/assets/gallery/card.png"
        assert said("url") == f"https://example.org/gallery/{address}"
    assert (gallery.parent / "site" / "assets" / "gallery" / "card.png").is_file()


def shades(picture: str) -> list[str]:
    """Return the shade of every word of a downloaded picture, in the words' order."""
    root = ElementTree.fromstring(picture)
    grounds = sorted((int(path.attrib["data-w"]), path.attrib["fill"]) for path in root.iter(f"{SVG}path") if "data-w" in path.attrib)
    return [re.sub(r"^url\(#(.*)\)$|^none$", r"\1", fill) for _, fill in grounds]


def test_the_picture_is_shaded_as_the_passage_is_now(site: str, watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    page.goto(site + PASSAGE)
    for view in (0, 1):
        page.check(f".g-switch input >> nth={view}")
        wait_until(page, f"location.search.includes('class=') === {'true' if view else 'false'}")
        seen = page.eval_on_selector_all(".g-text .w", "spans => spans.map(s => s.className.replace(/^w ?/, ''))")
        with page.expect_download() as saved:
            page.click("a[data-picture=svg]")
        assert saved.value.suggested_filename == "white-wall.svg"
        picture = Path(saved.value.path()).read_text("utf-8")
        assert shades(picture) == seen
        assert (page.text_content(".g-legend-for") or "").strip() in picture
    root = ElementTree.fromstring(picture)
    words = "".join(text.text or "" for text in root.iter(f"{SVG}text") if "textLength" in text.attrib)
    assert words.startswith("Свойчеловекпришёлдомой")
    with page.expect_download() as saved:
        page.click("a[data-picture=png]")
    saved.value.save_as(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as image:
        assert image.size == (2 * int(root.attrib["width"]), 2 * int(root.attrib["height"]))
        assert len(image.convert("RGB").getcolors(1 << 24)) > 20
    assert watched.faults == []


def test_without_javascript_the_picture_is_a_plain_link(site: str, chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site + PASSAGE)
    with page.expect_download() as saved:
        page.click("a[data-picture=svg]")
    assert len(set(shades(Path(saved.value.path()).read_text("utf-8")))) > 3
    assert page.locator("a[data-picture=png]").is_hidden()
    context.close()


def test_the_program_on_the_page_finds_the_numbers_of_the_page(gallery: Path, site: str, watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    page.goto(site + PASSAGE)
    text = page.text_content(".g-downloads details:has-text('Python') pre")
    (tmp_path / "explanation.json").write_bytes((gallery.parent / "site" / "data" / "white-wall" / "explanation.json").read_bytes())
    done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    differences = [float(share) for share in re.findall(r"([\d.]+)%", done.stdout)]
    stored = json.loads((tmp_path / "explanation.json").read_text("utf-8"))["attributions"]
    assert len(differences) == sum(one["method"] == "integrated_gradients" for one in stored) > 1
    assert max(differences) <= 0.01


def test_the_citation_can_be_copied(site: str, watched: Watched) -> None:
    page = watched.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(site + PASSAGE)
    page.click(".g-downloads details:has-text('BibTeX') summary")
    page.click(".g-downloads details:has-text('BibTeX') button")
    page.locator("button:has-text('Скопировано')").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("@misc{white-wall,")
    assert "url = {https://example.org/gallery/passages/white-wall/}" in copied


@pytest.fixture
def offline(chromium: Any) -> Any:
    """Give a page that has no network at all, and notes what it asks for and what goes wrong."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="ru-RU", offline=True)
    page = context.new_page()
    page.faults = watch(page).faults
    page.on("request", lambda request: None if request.url.startswith(("data:", "blob:")) else page.faults.append(request.url))
    yield page
    context.close()


def opened(page: Any, file: Path) -> Any:
    page.goto(file.as_uri())
    assert page.faults == [file.as_uri()], "it asked for more than itself"
    page.faults.clear()
    return page


def test_an_exported_page_works_from_a_disk_with_the_network_cut(gallery: Path, tmp_path: Path, offline: Any) -> None:
    file = tmp_path / "page.html"
    result = run(gallery, "export", "white-wall", str(file))
    assert result.exit_code == 0, result.output
    assert "attention of 3 layers" in result.output
    page = opened(offline, file)
    before = page.eval_on_selector_all(".g-text .w", "spans => spans.map(s => s.className)")
    assert page.locator("[name=scale]").is_hidden()  # a page by itself does not know the gallery's scale
    page.check(".g-switch input >> nth=1")
    wait_for_address(page, "class=")
    assert page.eval_on_selector_all(".g-text .w", "spans => spans.map(s => s.className)") != before
    page.locator("gallery-attention").scroll_into_view_if_needed()
    page.locator("gallery-attention[data-ready]").wait_for()
    page.click("gallery-attention [data-head='2.1']")
    page.locator("gallery-attention .sourceline:has-text('Слой 3, голова 2')").wait_for()
    assert page.locator("gallery-attention .unit[style*='--shade']").count() > 5
    with page.expect_download() as saved:
        page.click("a[data-picture=png]")
    assert Path(saved.value.path()).stat().st_size > 10_000
    assert page.faults == []


def test_an_exported_page_holds_the_layers_that_were_asked_for(gallery: Path, tmp_path: Path, offline: Any) -> None:
    file = tmp_path / "page.html"
    assert run(gallery, "export", "white-wall", str(file), "--layers", "2").exit_code == 0
    page = opened(offline, file)
    page.locator("gallery-attention").scroll_into_view_if_needed()
    page.locator("gallery-attention[data-ready]").wait_for()
    assert "absent" in (page.locator("[data-head='0.0']").get_attribute("class") or "")
    page.click("[data-head='1.0']")
    page.locator("gallery-attention .sourceline:has-text('Слой 2, голова 1')").wait_for()
    page.click("gallery-attention .steps button >> nth=1")  # a layer further down there is none, so it comes round
    assert page.locator("gallery-attention > .message").all_text_contents() in ([], [""])
    assert page.faults == []


def test_without_attention_a_file_is_small_and_still_shows_the_picture_of_heads(gallery: Path, tmp_path: Path, offline: Any) -> None:
    file = tmp_path / "page.html"
    assert run(gallery, "export", "white-wall", str(file), "--layers", "none").exit_code == 0
    assert file.stat().st_size < 300_000
    page = opened(offline, file)
    page.locator(".heads img").scroll_into_view_if_needed(timeout=10_000)  # the picture is loaded when it comes into sight
    assert page.locator(".heads img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert page.locator("gallery-attention").count() == 0
    page.click("th[data-sort=text] button")
    assert page.locator("gallery-table tbody tr td >> nth=0").text_content() == "Свой"
    assert page.faults == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("white-wal", "x.html"), "Did you mean white-wall?"),
        (("white-wall", "x.html", "--layers", "4"), "layers 1 to 3"),
        (("white-wall", "x.html", "--layers", "some"), "Give all, none, or numbers such as 1,4"),
    ],
)
def test_a_wrong_export_says_what_is_wrong(gallery: Path, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    ident, name, *rest = arguments
    result = run(gallery, "export", ident, str(tmp_path / name), *rest)
    assert result.exit_code == 1
    assert said in result.output
    assert not (tmp_path / name).exists()
