"""Runs MkDocs once over the shells of the pages, then stamps every page out of its shell.

MkDocs renders one shell for each kind of page, so its time does not grow with the number of passages, and no
text of a passage ever goes through Markdown or the theme's templates. What differs between pages stands in
slots: `<!-- gallery:NAME -->` for fragments, TITLE and DESCRIPTION for plain text, escaped when it is put in.
"""

import gzip
import json
import logging
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import click
from mkdocs.commands.build import build as mkdocs_build
from mkdocs.config import load_config
from mkdocs.exceptions import MkDocsException
from mkdocs.utils.yaml import yaml_load

from gallery.compat.mkdocs import add_module_script, add_theme_folder
from gallery.config import Settings
from gallery.errors import SiteError
from gallery.files import store_location
from gallery.site.build.fitting import fit
from gallery.site.build.kept import Kept
from gallery.site.build.rendering import DESCRIPTION, TITLE, Bench, Work, render_all, stamp
from gallery.site.build.squeeze import squeeze
from gallery.site.build.swap import put_in_place
from gallery.site.check.policy import protect
from gallery.site.language import language
from gallery.site.pages.carried import carried_by
from gallery.site.pages.citation import read_publication
from gallery.site.pages.fragments import Neighbour
from gallery.site.pages.pages import Gathered, gallery_card, list_index, list_pages, write_scripts, write_shared
from gallery.site.pages.paging import cut
from gallery.site.pages.reliability import reliability_page
from gallery.site.pages.scale_page import scale_pages
from gallery.store.entries import Store
from gallery.store.manifest import read_header, read_rows

_STATIC = Path(__file__).parents[2] / "static"
_THEME = Path(__file__).parents[2] / "theme"
_SHELLS = ("passages/shell/", "passages/page/", "authors/shell/")
"""Where the shells of pages lie that are stamped under other addresses."""
_KEPT = "kept.sqlite"
SEARCH_LETTERS = 2_000_000
"""Letters of passages in the search index, in all."""


class OvertakenError(Exception):
    """A build was given up, since its input has changed again; the old site is untouched."""


def build_site(settings: Settings, config_file: Path, overtaken: Callable[[], bool] = lambda: False) -> Bench:
    """Write site/ from the store, and replace the old one when the new one is whole; return what its pages have in common.

    Raises SiteError where MkDocs fails or the system refuses to write, StoreError where an entry is missing or damaged,
    OvertakenError where `overtaken` turns true in the middle.
    """
    try:
        return _build_site(settings, config_file, overtaken)
    except OSError as error:
        place = error.filename2 or error.filename or config_file.parent
        raise SiteError(f"{place}: {error.strerror or error}. Make room, or allow writing there; the old site is untouched.") from error
    except sqlite3.Error as error:
        raise SiteError(f"{config_file.parent / 'build' / _KEPT}: {error}. Make room, or remove it; the old site is untouched.") from error


def _build_site(settings: Settings, config_file: Path, overtaken: Callable[[], bool]) -> Bench:
    root = config_file.parent
    bench = bench_of(settings, config_file)
    _write_docs(bench.code, root)
    config = _mkdocs_config(config_file, root, bench.code)
    try:
        mkdocs_build(config)
    except MkDocsException as error:
        raise SiteError(f"MkDocs: {error}") from error
    squeeze(bench.shells)
    protect(bench.shells)

    site = root / "site"
    if bench.out.exists():
        shutil.rmtree(bench.out)
    shutil.copytree(bench.shells, bench.out)
    for shell in _SHELLS:
        shutil.rmtree(bench.out / shell)
    works = works_of(bench)
    if settings.attention.fit:
        bench = replace(bench, carried=fit(settings.site_budget_mb, bench, works, root / "build"))
        click.echo(f"attention.fit: {bench.carried.words()}, to stay within {settings.site_budget_mb} MB.")
    if bench.carried.bertviz:
        write_scripts(Store(bench.store), bench.header, bench.out / "assets" / "gallery")
    gathered, rendered = Gathered(), 0
    with Kept(root / "build" / _KEPT) as kept:
        for row, summary, new in render_all(bench, works, kept, site):
            if overtaken():
                raise OvertakenError
            gathered.add(row, summary)
            rendered += new
        card = gallery_card(bench.code, bench.publication, bench.header, gathered, Store(bench.store))
        (bench.out / "assets" / "gallery" / "card.png").write_bytes(card)
        _finish(bench, gathered, root / "site_src", config["site_url"] or "")
        put_in_place(bench.out, site)
    unchanged = len(gathered.cards) - rendered
    click.echo(f"Site: {len(gathered.cards)} passages ({unchanged} unchanged), {len(bench.header.model.labels)} authors in {site}.")
    return bench


def bench_of(settings: Settings, config_file: Path) -> Bench:
    """Return what all passages of a build have in common.

    Raises StoreError where nothing has been explained yet.
    """
    root = config_file.parent
    publication = read_publication(config_file)
    store = Store(store_location(settings.store, root))
    header = read_header(store)
    shells, out = (root / "build" / "shells").absolute(), root / "build" / "site"
    return Bench(publication.language, publication, store.location, header, shells, out, carried_by(settings, header.model.layers))


def works_of(bench: Bench) -> list[Work]:
    """Return the passages of a build, each with those before and behind it."""
    rows = list(read_rows(Store(bench.store)))
    names = [None, *(Neighbour(row.id, row.title) for row in rows), None]
    return [Work(row, (names[index], names[index + 2])) for index, row in enumerate(rows)]


def _own(config_file: Path) -> dict[str, Any]:
    """Return what people wrote into mkdocs.yml, before MkDocs adds its own."""
    with config_file.open("rb") as stream:
        return dict(yaml_load(stream) or {})


def _mkdocs_config(config_file: Path, root: Path, code: str) -> Any:
    """Return the user's MkDocs configuration, pointed at the generated documents."""
    os.environ["NO_MKDOCS_2_WARNING"] = "1"
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")
    logging.getLogger("mkdocs").setLevel(logging.WARNING)
    _ = language(code).gettext
    docs = root / "build" / "docs"
    nav = _own(config_file).get("nav") or [
        {_("Passages"): "index.md"},
        {_("Authors"): "authors/index.md"},
        {_("Compare"): "compare.md"},
        {_("How to read this"): "how-to-read.md"},
        {_("Methods"): "methods.md"},
        {_("About the model"): "model.md"},
    ]
    nav = [item for item in nav if not isinstance(item, dict) or any(not isinstance(name, str) or (docs / name).exists() for name in item.values())]
    try:
        config = load_config(
            str(config_file),
            docs_dir=str(docs.absolute()),
            site_dir=str((root / "build" / "shells").absolute()),
            nav=nav,
            not_in_nav="shell.md\nscale.md",
        )
    except MkDocsException as error:
        raise SiteError(f"{config_file}: {error}") from error
    add_theme_folder(config, _THEME)
    config["extra_css"] += [f"assets/gallery/{name}.css" for name in ("gallery", "attention", "comparison", "authors", "methods")]
    add_module_script(config, "assets/gallery/gallery.js")
    return config


def _write_docs(code: str, root: Path) -> None:
    """Write build/docs: what people wrote, in the interface's language, and the shells."""
    docs = root / "build" / "docs"
    if docs.exists():
        shutil.rmtree(docs)
    docs.mkdir(parents=True)
    source = root / "site_src"
    for path in sorted(source.glob("*.md")):
        name, _, other = path.stem.partition(".")
        translated = source / f"{name}.{code}.md"
        if not other:
            shutil.copyfile(translated if translated.exists() else path, docs / path.name)
    _ = language(code).gettext
    front = f"---\ntitle: {TITLE}\ndescription: {DESCRIPTION}\nhide: [navigation, toc]\n---\n"
    generated = {
        "passages/shell.md": f"{front}<!-- gallery:passage -->\n",
        "passages/page/shell.md": f"{front}<!-- gallery:list -->\n",
        "authors/shell.md": f"{front}<!-- gallery:author -->\n",
        "authors/shell/page/shell.md": f"{front}<!-- gallery:list -->\n",
        "authors/index.md": f"---\nhide: [navigation, toc]\n---\n# {_('Authors')}\n\n<!-- gallery:authors -->\n",
        "methods.md": f"---\nhide: [navigation, toc]\n---\n# {_('Methods')}\n\n<!-- gallery:measures -->\n\n<!-- gallery:sanity -->\n",
        "compare.md": f"---\nhide: [navigation, toc]\n---\n# {_('Compare')}\n\n<!-- gallery:compare -->\n",
        "model.md": f"---\nhide: [navigation]\n---\n# {_('About the model')}\n\n<!-- gallery:model -->\n",
    }
    for name, content in generated.items():
        path = docs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(content, "utf-8")
    shutil.copytree(_STATIC, docs / "assets" / "gallery")


def _finish(bench: Bench, gathered: Gathered, source: Path, site_url: str) -> None:
    """Write what speaks of all passages: the lists, their index, the search, the sitemap."""
    found = [Found(f"passages/{card.id}/", card.title, text) for card, text in zip(gathered.cards, cut_texts(gathered.searches), strict=True)]
    found += [
        Found(page.address, page.title, page.search)
        for page in (
            *list_pages(bench.code, bench.header, gathered, Store(bench.store), bench.carried),
            *scale_pages(bench.code, source),
            reliability_page(bench.code, source),
        )
        if stamp(page, bench.shells, bench.out)
    ]
    if len(cut(gathered.cards)) > 1:
        (bench.out / "passages" / "list.json").write_text(list_index(gathered.cards), "utf-8")
    write_shared(gathered, bench.header, bench.out)
    _write_search(bench.out, found)
    _write_sitemap(bench.out, found, site_url)


@dataclass(frozen=True)
class Found:
    """A page as the search and the sitemap know it."""

    address: str
    title: str
    text: str
    """What the search finds it by; empty leaves what MkDocs has indexed."""


def cut_texts(texts: Sequence[str]) -> list[str]:
    """Return the beginnings of the passages that the search index takes, so long that it stays within its bound.

    The theme loads the index whole and arranges it in the browser, so its size must not grow with the gallery.
    """
    left, longest = SEARCH_LETTERS, 0
    for count, length in zip(range(len(texts), 0, -1), sorted(map(len, texts)), strict=True):
        if length * count > left:
            longest = left // count
            break
        left -= length
        longest = length
    return [text if len(text) <= longest else text[:longest].rsplit(maxsplit=1)[0] for text in texts]


def _write_search(fresh: Path, pages: Iterable[Found]) -> None:
    """Put the passages into the search index, by title, author and text; HTML, since the theme shows it as such."""
    path = fresh / "search" / "search_index.json"
    if not path.exists():
        return
    index = json.loads(path.read_text("utf-8"))
    docs = [doc for doc in index["docs"] if not doc["location"].startswith(_SHELLS)]
    docs += [{"location": page.address, "title": escape(page.title), "text": f"<p>{escape(page.text)}</p>"} for page in pages if page.text]
    index["docs"] = docs
    path.write_text(json.dumps(index, ensure_ascii=False, separators=(",", ":")), "utf-8")


def _write_sitemap(fresh: Path, pages: Iterable[Found], site_url: str) -> None:
    """List every page, as the theme's instant navigation follows only links it finds there."""
    path = fresh / "sitemap.xml"
    own = re.findall(r"<loc>(.*?)</loc>", path.read_text("utf-8")) if path.exists() else []
    kept = [url for url in own if not any(f"/{shell}" in url for shell in _SHELLS)]
    urls = dict.fromkeys([*kept, *(escape(site_url + page.address) for page in pages)])
    lines = "".join(f"  <url><loc>{url}</loc></url>\n" for url in urls)
    content = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{lines}</urlset>\n'.encode()
    path.write_bytes(content)
    (fresh / "sitemap.xml.gz").write_bytes(gzip.compress(content, mtime=0))
