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
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

import click
from mkdocs.commands.build import build as mkdocs_build
from mkdocs.config import load_config
from mkdocs.config.config_options import ExtraScriptValue
from mkdocs.exceptions import MkDocsException
from mkdocs.livereload import LiveReloadServer
from mkdocs.utils.yaml import yaml_load

from gallery.card import beginning, site_card
from gallery.citation import Publication, read_publication
from gallery.config import Settings
from gallery.errors import SiteError
from gallery.fragments import paragraphs, speech
from gallery.manifest import read_header, read_rows
from gallery.pages import Gathered, Page, list_pages, passage_pages, write_scripts
from gallery.store import Store

TITLE = "gallery-slot-title"
DESCRIPTION = "gallery-slot-description"
_SLOT = re.compile(r"<!-- gallery:([a-z ]+) -->")
_STATIC = Path(__file__).parent / "static"
_THEME = Path(__file__).parent / "theme"
_SHELLS = ("passages/shell/", "authors/shell/")


def build_site(settings: Settings, config_file: Path) -> None:
    """Write site/ from the store, and replace the old one when the new one is whole.

    Raises SiteError where MkDocs fails, StoreError where an entry is missing or damaged.
    """
    root = config_file.parent
    store = Store(root / settings.store)
    header = read_header(store)
    with config_file.open("rb") as stream:
        own = yaml_load(stream)
    publication = read_publication(config_file)
    code = publication.language
    _write_docs(code, root)
    config = _mkdocs_config(config_file, root, code, own.get("nav"))
    shells = Path(config["site_dir"])
    try:
        mkdocs_build(config)
    except MkDocsException as error:
        raise SiteError(f"MkDocs: {error}") from error

    fresh = root / "build" / "site"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(shells, fresh)
    for shell in _SHELLS:
        shutil.rmtree(fresh / shell)
    assets = fresh / "assets" / "gallery"
    write_scripts(store, header, assets)
    gathered, stamped = Gathered(), []
    for page in passage_pages(code, publication, store, header, list(read_rows(store)), fresh, gathered):
        stamped.append(_stamp(page, shells, fresh))
    for page in list_pages(code, header, gathered):
        stamped.append(_stamp(page, shells, fresh))
    (assets / "card.png").write_bytes(_site_card(code, publication, gathered))
    _write_search(fresh, stamped)
    _write_sitemap(fresh, stamped, config["site_url"] or "")
    _replace(root / "site", fresh)
    click.echo(f"Site: {len(gathered.cards)} passages, {len(header.model.labels)} authors in {root / 'site'}.")


def serve_site(settings: Settings, config_file: Path, port: int) -> None:
    """Show the site on this machine, rendered again at every change, until Ctrl-C; MkDocs' own live server."""
    root = config_file.parent
    build_site(settings, config_file)
    url = f"http://127.0.0.1:{port}/"
    server = LiveReloadServer(lambda: build_site(settings, config_file), host="127.0.0.1", port=port, root=str(root / "site"), mount_path="/")
    for place in (root / "site_src", config_file, _STATIC, _STATIC.with_name("templates")):
        server.watch(str(place))
    click.echo(f"Serving on {url}")
    try:
        server.serve()
    finally:
        server.shutdown()


def _mkdocs_config(config_file: Path, root: Path, code: str, nav: Any) -> Any:
    """Return the user's MkDocs configuration, pointed at the generated documents."""
    os.environ["NO_MKDOCS_2_WARNING"] = "1"
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")
    logging.getLogger("mkdocs").setLevel(logging.WARNING)
    _ = speech(code).gettext
    docs = root / "build" / "docs"
    nav = nav or [
        {_("Passages"): "index.md"},
        {_("Authors"): "authors/index.md"},
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
            not_in_nav="shell.md",
        )
    except MkDocsException as error:
        raise SiteError(f"{config_file}: {error}") from error
    config["theme"].dirs.insert(1 if config["theme"].custom_dir else 0, str(_THEME))
    config["extra_css"] += ["assets/gallery/gallery.css", "assets/gallery/attention.css"]
    script = ExtraScriptValue("assets/gallery/gallery.js")
    script.type = "module"
    config["extra_javascript"].append(script)
    return config


def _site_card(code: str, publication: Publication, gathered: Gathered) -> bytes:
    """Return the card of the pages that are about no one passage, with the beginning of the passage that speaks for all."""
    example, count = gathered.example, len(gathered.cards)
    shaded = paragraphs(example.prediction, example.attribution.words.tolist()) if example else []
    language = speech(code)
    right = sum(card.right for card in gathered.cards) / (count or 1)
    figures = f"{count} {language.ngettext('passage', 'passages', count)} · {language.gettext('%(share)s recognised') % {'share': language.percent(right)}}"
    return site_card(publication.name, publication.description, figures, beginning(shaded))


def _write_docs(code: str, root: Path) -> None:
    """Write build/docs: what people wrote, in the interface's language, and the shells."""
    docs = root / "build" / "docs"
    shutil.rmtree(docs, ignore_errors=True)
    docs.mkdir(parents=True)
    source = root / "site_src"
    for path in sorted(source.glob("*.md")):
        name, _, other = path.stem.partition(".")
        translated = source / f"{name}.{code}.md"
        if not other:
            shutil.copyfile(translated if translated.exists() else path, docs / path.name)
    _ = speech(code).gettext
    front = f"---\ntitle: {TITLE}\ndescription: {DESCRIPTION}\nhide: [navigation, toc]\n---\n"
    generated = {
        "passages/shell.md": f"{front}<!-- gallery:passage -->\n",
        "authors/shell.md": f"{front}<!-- gallery:author -->\n",
        "authors/index.md": f"---\nhide: [navigation, toc]\n---\n# {_('Authors')}\n\n<!-- gallery:authors -->\n",
        "model.md": f"---\nhide: [navigation]\n---\n# {_('About the model')}\n\n<!-- gallery:model -->\n",
    }
    for name, content in generated.items():
        path = docs / name
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.write_text(content, "utf-8")
    shutil.copytree(_STATIC, docs / "assets" / "gallery")


def _stamp(page: Page, shells: Path, fresh: Path) -> Page:
    """Fill a shell's slots and write the page."""
    path = shells / page.shell / "index.html"
    if not path.exists():  # people may leave out a page of their own, such as how-to-read.md
        return page
    shell = path.read_text("utf-8")
    if page.shell != page.address:
        shell = shell.replace(page.shell, page.address)
    filled = _SLOT.sub(lambda match: page.slots.get(match[1], ""), shell)
    filled = filled.replace(TITLE, escape(page.title)).replace(DESCRIPTION, escape(page.description))
    path = fresh / page.address / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(filled, "utf-8")
    return page


def _write_search(fresh: Path, pages: Iterable[Page]) -> None:
    """Put the passages into the search index, by title, author and text; HTML, since the theme shows it as such."""
    path = fresh / "search" / "search_index.json"
    if not path.exists():
        return
    index = json.loads(path.read_text("utf-8"))
    docs = [doc for doc in index["docs"] if not doc["location"].startswith(_SHELLS)]
    docs += [{"location": page.address, "title": escape(page.title), "text": f"<p>{escape(page.search)}</p>"} for page in pages if page.search]
    index["docs"] = docs
    path.write_text(json.dumps(index, ensure_ascii=False, separators=(",", ":")), "utf-8")


def _write_sitemap(fresh: Path, pages: Iterable[Page], site_url: str) -> None:
    """List every page, as the theme's instant navigation follows only links it finds there."""
    path = fresh / "sitemap.xml"
    own = re.findall(r"<loc>(.*?)</loc>", path.read_text("utf-8")) if path.exists() else []
    kept = [url for url in own if not url.endswith(_SHELLS)]
    urls = dict.fromkeys([*kept, *(escape(site_url + page.address) for page in pages)])
    lines = "".join(f"  <url><loc>{url}</loc></url>\n" for url in urls)
    content = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{lines}</urlset>\n'.encode()
    path.write_bytes(content)
    (fresh / "sitemap.xml.gz").write_bytes(gzip.compress(content, mtime=0))


def _replace(site: Path, fresh: Path) -> None:
    """Put the new site in the old one's place; a reader never sees half of one."""
    old = fresh.with_name("site.old")
    shutil.rmtree(old, ignore_errors=True)
    if site.exists():
        site.rename(old)
    fresh.rename(site)
    shutil.rmtree(old, ignore_errors=True)
