"""The site of many passages, built once and built again."""

import json
import re
import shutil
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gallery.config import load_settings
from gallery.site.build.rendering import render
from gallery.site.build.search import SEARCH_LETTERS, cut_texts
from gallery.site.build.serving import Work, _Server
from gallery.site.build.site import jobs_of, site_input_of
from gallery.store.entries import Store
from gallery.store.manifest import read_header, read_rows, write_manifest
from tests.support.galleries import MANY, contents, multiply, run

Tiny = Callable[[str], Path]


@pytest.fixture
def own(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built.parent, tmp_path / "own")
    return tmp_path / "own" / "mkdocs.yml"


def _title(config: Path, ident: str, title: str) -> None:
    path = config.parent / "site_src" / "passages" / f"{ident}.md"
    path.write_text(re.sub(r"title: .*", f"title: {title}", path.read_text("utf-8")), "utf-8")


def _from_scratch(config: Path) -> dict[str, bytes]:
    shutil.rmtree(config.parent / "build")
    shutil.rmtree(config.parent / "site")
    assert run(config, "render").exit_code == 0
    return contents(config.parent / "site")


def test_a_changed_passage_is_the_only_one_rendered_but_for_those_that_name_it(own: Path) -> None:
    multiply(own, 9)
    assert "(0 unchanged)" in run(own, "render").output
    kept = own.parent / "site" / "passages" / "white-wall-3" / "index.html"
    before = kept.stat()
    store = Store(own.parent / "store")
    header, rows = read_header(store), list(read_rows(store))
    write_manifest(store, header, (replace(row, title="Другое имя") if row.id.endswith("-7") else row for row in rows))
    assert "(6 unchanged)" in run(own, "render").output
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_second_build_and_one_from_nothing_give_the_same_bytes(own: Path) -> None:
    passages = own.parent / "site_src" / "passages"
    _title(own, "old-yorick", "Другой Йорик")
    (passages / "dusty-road.md").unlink()
    (passages / "new.md").write_text("---\ntrue_class: 1\ntitle: Новый\n---\nДругой текст, и в нём свой человек.\n", "utf-8")
    assert run(own).exit_code == 0
    again = contents(own.parent / "site")
    assert not any("dusty-road" in name for name in again)
    assert _from_scratch(own) == again


def test_two_processes_give_the_bytes_of_one(many: Path, tmp_path: Path) -> None:
    site_input = site_input_of(load_settings(many), many)
    for job in jobs_of(site_input)[::31]:
        render(replace(site_input, out=tmp_path), job)
    site = contents(many.parent / "site")
    alone = contents(tmp_path)
    assert len(alone) > 50
    assert alone == {name: site[name] for name in alone}


def test_whatever_was_done_to_the_site_is_undone(own: Path) -> None:
    site = contents(own.parent / "site")
    page = own.parent / "site" / "passages" / "white-wall" / "index.html"
    page.write_text("gone", "utf-8")
    (own.parent / "site" / "data" / "old-yorick" / "words.csv").unlink()
    assert "(1 unchanged)" in run(own, "render").output
    assert contents(own.parent / "site") == site


@pytest.mark.parametrize("name", ["kept.sqlite", "links.sqlite"])
def test_a_damaged_memory_costs_time_and_nothing_else(own: Path, name: str) -> None:
    site = contents(own.parent / "site")
    (own.parent / "build" / name).write_bytes(b"no database at all, but long enough to be taken for one" * 100)
    result = run(own, "render")
    assert result.exit_code == 0, result.output
    assert contents(own.parent / "site") == site


def test_a_link_that_breaks_in_a_page_that_stays_is_found(own: Path) -> None:
    """The check remembers what pages link to, not whether it was there."""
    assert run(own, "check").exit_code == 0
    shutil.rmtree(own.parent / "site" / "authors" / "gogol")
    result = run(own, "check")
    assert result.exit_code == 1
    assert "authors/gogol" in result.output


def test_a_small_gallery_has_no_second_page(built: Path) -> None:
    site = built.parent / "site"
    assert "g-pager" not in (site / "index.html").read_text("utf-8")
    assert not (site / "passages" / "list.json").exists()
    assert {path.name for path in (site / "passages").iterdir()} == {"dusty-road", "old-yorick", "white-wall"}


def _linked(page: Path) -> list[str]:
    return re.findall(r'<h3[^>]*><a href="[./]*passages/([^/"]+)/"', page.read_text("utf-8"))


def test_every_passage_stands_on_one_page_of_the_list(many: Path) -> None:
    site = many.parent / "site"
    pages = [site / "index.html", site / "passages" / "page" / "2" / "index.html", site / "passages" / "page" / "3" / "index.html"]
    assert [len(_linked(page)) for page in pages] == [100, 100, 50]
    assert len({ident for page in pages for ident in _linked(page)}) == MANY
    assert not (site / "passages" / "page" / "4").exists()
    assert [ident for page in pages for ident in _linked(page)] == [row.id for row in read_rows(Store(many.parent / "store"))]


def test_pages_of_a_list_are_found_by_robots_and_instant_navigation(many: Path) -> None:
    sitemap = (many.parent / "site" / "sitemap.xml").read_text("utf-8")
    assert "<loc>https://example.org/gallery/passages/page/3/</loc>" in sitemap
    assert "shell" not in sitemap
    assert sitemap.count("/passages/") == MANY + 2


def test_the_index_for_filters_has_every_passage(many: Path) -> None:
    columns = json.loads((many.parent / "site" / "passages" / "list.json").read_text("utf-8"))
    assert {len(column) for column in columns.values()} == {MANY}
    assert {"true", "predicted", "confidence", "words"} <= columns.keys()


def test_the_search_takes_texts_whole_until_they_are_too_many() -> None:
    few = ["Короткий текст.", "Текст подлиннее первого."]
    assert cut_texts(few) == few
    texts = ["короткий", *["слово " * 5000] * 1000]
    cut = cut_texts(texts)
    assert cut[0] == texts[0]
    assert 0.9 * SEARCH_LETTERS < sum(map(len, cut)) <= SEARCH_LETTERS
    assert set(" ".join(cut).split()) == {"короткий", "слово"}, "no word is cut in two"


def test_serving_shows_an_edited_passage_and_an_edited_page(own: Path) -> None:
    """Reads pages as a browser does: again whenever the server says, at the address that MkDocs' script asks, that there is a newer site."""
    listening = threading.Event()

    class Announced(_Server):
        poll_response_timeout = 300  # seconds until the server answers that nothing has changed

        def server_activate(self) -> None:
            super().server_activate()
            listening.set()

    def explain(work: Work) -> list[str]:
        return [] if run(own, "explain").exit_code == 0 else ["failed"]

    server = Announced(load_settings(own), own, 0, explain)
    server.watch(str(own.parent / "site_src"))
    loop = threading.Thread(target=server.serve, daemon=True)
    loop.start()
    assert listening.wait(60)
    server.begin()

    def get(address: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_address[1]}{address}") as answer:
            return str(answer.read(), "utf-8")

    def shows(address: str, text: str) -> None:
        while text not in (page := get(address)):
            script = re.search(r"livereload\((\d+), \d+\);", page)
            assert script, "a page that does not reload itself"
            assert int(get(f"/livereload/{script[1]}/1")) > int(script[1]), f"{address} never shows {text}"

    try:
        shows("/passages/white-wall/", "Белая стена")  # requests are answered once the files are watched
        _title(own, "white-wall", "Серая стена")
        shows("/passages/white-wall/", "Серая стена")
        shows("/", "Серая стена")
        (own.parent / "site_src" / "how-to-read.md").write_text("# Иначе\n\n## Внимание {#attention}\n", "utf-8")
        shows("/how-to-read/", "Иначе")
    finally:
        server.shutdown(wait=True)
        loop.join(60)
    assert not loop.is_alive()


def test_serving_begins_before_anything_is_explained_and_shows_passages_as_they_come(own: Path) -> None:
    """The store is empty at first; what is explained appears without a restart."""
    store, aside = own.parent / "store", own.parent / "aside"
    store.rename(aside)
    shutil.rmtree(own.parent / "site")
    shutil.rmtree(own.parent / "build")
    listening, explained = threading.Event(), threading.Event()

    class Announced(_Server):
        def server_activate(self) -> None:
            super().server_activate()
            listening.set()

    def explain(work: Work) -> list[str]:
        work.working("Белая стена", "1/3")
        explained.wait(60)
        aside.rename(store)
        return []

    server = Announced(load_settings(own), own, 0, explain)
    server.watch(str(own.parent / "site_src"))
    loop = threading.Thread(target=server.serve, daemon=True)
    loop.start()
    assert listening.wait(60)
    server.begin()

    def get(address: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_address[1]}{address}") as answer:
            return str(answer.read(), "utf-8")

    try:
        while "Белая стена" not in get("/explaining/"):
            pass
        waiting = get("/passages/white-wall/")
        assert "Галерея готовится" in waiting
        assert "Белая стена · 1/3" in waiting
        script = re.search(r"livereload\((\d+), \d+\);", waiting)
        assert script, "the page gives way by itself"
        explained.set()
        while "g-passage" not in get("/passages/white-wall/"):
            get(f"/livereload/{script[1]}/1")
        while get("/explaining/"):
            pass
    finally:
        explained.set()
        server.shutdown(wait=True)
        loop.join(60)
    assert not loop.is_alive()
