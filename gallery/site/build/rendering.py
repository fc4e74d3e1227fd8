"""One passage -> the files of its page, alone or in several processes, and never twice for the same input."""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from html import escape
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from jinja2 import meta

from gallery.files import Location
from gallery.site.build.kept import Kept, Written
from gallery.site.pages.carried import Carried
from gallery.site.pages.citation import Publication
from gallery.site.pages.fragments import Neighbour
from gallery.site.pages.pages import Page, Summary, author_slugs, passage_page, read_records, summarise, write_card, write_data
from gallery.site.remembered import written
from gallery.site.templates import environment
from gallery.site.vocabulary import dictionary_version
from gallery.store.entries import Store
from gallery.store.keys import canonical
from gallery.store.manifest import Header, Row
from gallery.store.records import Record

TITLE = "gallery-slot-title"
DESCRIPTION = "gallery-slot-description"
_SLOT = re.compile(rf"<!-- gallery:([a-z ]+) -->|{TITLE}|{DESCRIPTION}")
_HERE = Path(__file__).parents[2]
_TEMPLATES = ("passage.html", "reproduce.txt", "shaded.svg", "strip.html", "bertviz.html")
_FEW = 64
"""So few passages are rendered before further processes have started."""


@dataclass(frozen=True)
class Work:
    """A passage to be rendered."""

    row: Row
    near: tuple[Neighbour | None, Neighbour | None]
    """The passages before and behind it."""

    def values(self) -> dict[str, Any]:
        """Return the work as JSON holds it."""
        return {"row": self.row.values(), "near": [other and asdict(other) for other in self.near]}


@dataclass(frozen=True)
class Bench:
    """What all passages of a build have in common."""

    code: str
    """The interface's language."""
    publication: Publication
    store: Location
    header: Header
    shells: Path
    """The site that MkDocs made of the shells."""
    out: Path
    carried: Carried
    """How much of attention the site carries."""

    def digest(self) -> str:
        """Return the sha256 of all but the passage that a page is made from: header, shell, templates, program, libraries."""
        shell = (self.shells / "passages" / "shell" / "index.html").read_text("utf-8")
        parts = {
            "code": self.code,
            "publication": asdict(self.publication),
            "header": asdict(self.header),
            "shell": shell,
            "carried": asdict(self.carried),
            "templates": _templates(self.code),
            "program": _program(),
        }
        return hashlib.sha256(canonical(parts).encode()).hexdigest()


def page_of(bench: Bench, work: Work) -> tuple[Page, Mapping[str, Record]]:
    """Return a passage's page and the entries it was made from.

    Raises StoreError where an entry is missing or damaged.
    """
    row = work.row
    if not bench.carried.bertviz:
        row = replace(row, entries={name: key for name, key in row.entries.items() if name.kind != "bertviz"})
    records = read_records(Store(bench.store), row)
    slugs = author_slugs(bench.header.model.labels)
    return passage_page(bench.code, bench.publication, bench.header, work.row, records, work.near, slugs, bench.carried), records


def render(bench: Bench, work: Work) -> tuple[Summary, Written]:
    """Write a passage's page and the files beside it; return what lists need of it, and the files.

    Raises StoreError where an entry is missing or damaged.
    """
    page, records = page_of(bench, work)
    data = bench.out / "data" / work.row.id
    write_data(bench.code, bench.publication, data, bench.header, work.row, records, bench.carried)
    if bench.carried.cards:
        write_card(bench.code, bench.publication, bench.out, bench.header, work.row, records)
    stamp(page, bench.shells, bench.out)
    files = sorted(path for folder in (bench.out / page.address, data) for path in folder.rglob("*") if path.is_file())
    summary = summarise(bench.code, bench.header, work.row, records)
    return summary, {path.relative_to(bench.out).as_posix(): state for path in files if (state := written(path))}


def render_all(bench: Bench, works: Sequence[Work], kept: Kept, site: Path) -> Iterator[tuple[Row, Summary, bool]]:
    """Yield every passage's row in order with its summary, and whether it had to be rendered; the rest is linked from the last site."""
    common = bench.digest()
    keys = {work.row.id: hashlib.sha256(canonical([common, work.values()]).encode()).hexdigest() for work in works}
    stale = [work for work in works if not kept.sound(work.row.id, keys[work.row.id], site)]
    missing = {work.row.id for work in stale}
    fresh = _rendered(bench, stale)
    for row in (work.row for work in works):
        if row.id in missing:
            summary, files = next(fresh)
            kept.put(row.id, keys[row.id], files, summary)
        else:
            summary = kept.link(row.id, site, bench.out)
        yield row, summary, row.id in missing
    kept.forget(keys)


def _rendered(bench: Bench, stale: Sequence[Work]) -> Iterator[tuple[Summary, Written]]:
    processes = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, len(stale) // _FEW)
    if processes < 2:
        yield from map(partial(render, bench), stale)
        return
    # spawn: this process may hold torch's threads, which a fork would not survive.
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        yield from pool.map(partial(render, bench), stale, chunksize=16)
    finally:
        pool.shutdown(cancel_futures=True)


def stamp(page: Page, shells: Path, out: Path) -> bool:
    """Write a page, and tell whether there is one: people may leave out a shell of their own, such as how-to-read.md."""
    if not (shells / page.shell / "index.html").exists():
        return False
    path = out / page.address / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(filled(page, shells), "utf-8")
    return True


def filled(page: Page, shells: Path) -> str:
    """Return a page: its shell with the slots filled."""
    shell = (shells / page.shell / "index.html").read_text("utf-8")
    if not page.card:
        shell = shell.replace(f"{page.shell}card.png", "assets/gallery/card.png")
    if page.shell != page.address:
        shell = shell.replace(page.shell, page.address)
    plain = {TITLE: escape(page.title), DESCRIPTION: escape(page.description)}
    # In one pass: what goes into one slot may look like another.
    return _SLOT.sub(lambda match: page.slots.get(match[1], "") if match[1] else plain[match[0]], shell)


def _templates(code: str) -> dict[str, str]:
    """Return the source of every template that a passage's page is made with."""
    env, found, left = environment(code), {}, list(_TEMPLATES)
    while left:
        name = left.pop()
        if name not in found and env.loader is not None:
            found[name] = env.loader.get_source(env, name)[0]
            left += [str(other) for other in meta.find_referenced_templates(env.parse(found[name]))]
    return found


@cache
def _program() -> dict[str, str]:
    """Return the digests of what this process runs: the gallery's modules and texts, the libraries' versions."""
    files = sorted([*_HERE.rglob("*.py"), *(_HERE / "locale").rglob("*.po")])
    digests = {path.relative_to(_HERE).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    libraries = ("babel", "fontpkg-pt-serif", "jinja2", "markupsafe", "numpy", "pillow", "python-slugify")
    return digests | {"dictionary": dictionary_version()} | {name: version(name) for name in libraries}
