"""Renders passages: each one's page and files, in one process or several, and only where the input has changed.

Pages differ in slots of their shell: `<!-- gallery:NAME -->` for fragments, TITLE and DESCRIPTION for plain text, escaped here.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
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
from gallery.site.build.file_links import name_files
from gallery.site.build.unchanged_pages import FileStates, UnchangedPages
from gallery.site.build_cache import file_state
from gallery.site.entries import read_records
from gallery.site.pages.attention_carried import Carried
from gallery.site.pages.page import DESCRIPTION, TITLE, Page
from gallery.site.pages.passage import Neighbours, passage_page
from gallery.site.pages.passage_files import write_card, write_data
from gallery.site.pages.summary import Summary, summarise
from gallery.site.passage_input import PassageInput, passage_input
from gallery.site.publication import Publication
from gallery.site.templates import environment
from gallery.site.vocabulary import dictionary_version
from gallery.store.entries import Store
from gallery.store.keys import canonical
from gallery.store.manifest import Header, Row

_SLOT = re.compile(rf"<!-- gallery:([a-z ]+) -->|{TITLE}|{DESCRIPTION}")
_PACKAGE = Path(__file__).parents[2]
_TEMPLATES = ("passage.html", "reproduce.txt", "shaded.svg", "strip.html", "bertviz.html")
_PASSAGES_A_PROCESS = 64
"""Passages that a process must have to render; fewer are done before it has started."""


@dataclass(frozen=True)
class PassageJob:
    """A passage to be rendered."""

    row: Row
    neighbours: Neighbours

    def values(self) -> dict[str, Any]:
        """Return the job as JSON holds it."""
        return {"row": self.row.values(), "neighbours": [other and asdict(other) for other in self.neighbours]}


@dataclass(frozen=True)
class SiteInput:
    """The input that all passages of a build share."""

    publication: Publication
    store: Location
    header: Header
    shells: Path
    """Folder in which MkDocs has rendered the shells."""
    out: Path
    """Folder of the new site."""
    source: Path
    """Folder of the documents that people write, `docs_dir`."""
    carried: Carried
    named: bool = False
    """Whether links name the file index.html; see `Shells`."""

    def digest(self) -> str:
        """Return the sha256 of all input of a passage's page but the passage: header, shell, templates, program, libraries."""
        shell = (self.shells / "passages" / "shell" / "index.html").read_text("utf-8")
        parts = {
            "publication": asdict(self.publication),
            "header": asdict(replace(self.header, problems=())),
            "shell": shell,
            "carried": asdict(self.carried),
            "named": self.named,
            "templates": _templates(self.publication.language),
            "program": _program(),
        }
        return hashlib.sha256(canonical(parts).encode()).hexdigest()


def input_of(site_input: SiteInput, job: PassageJob) -> PassageInput:
    """Return a passage's input, with the records that the site carries.

    Raises StoreError where an entry is missing or damaged.
    """
    without = frozenset() if site_input.carried.bertviz else frozenset({"bertviz"})
    records = read_records(Store(site_input.store), job.row, without)
    return passage_input(site_input.publication, site_input.header, job.row, records)


def render(site_input: SiteInput, job: PassageJob) -> tuple[Summary, FileStates]:
    """Write a passage's page and the files beside it; return its summary, and the state of the files.

    Raises StoreError where an entry is missing or damaged.
    """
    passage, out = input_of(site_input, job), site_input.out
    page = passage_page(passage, site_input.carried, job.neighbours)
    data = out / "data" / job.row.id
    write_data(passage, site_input.carried, data)
    if site_input.carried.cards:
        write_card(passage, out)
    stamp(page, site_input.shells, out, site_input.named)
    files = sorted(path for folder in (out / page.address, data) for path in folder.rglob("*") if path.is_file())
    return summarise(passage), {path.relative_to(out).as_posix(): state for path in files if (state := file_state(path))}


def render_all(site_input: SiteInput, jobs: Sequence[PassageJob], unchanged: UnchangedPages, site: Path) -> Iterator[tuple[Row, Summary, bool]]:
    """Yield every passage's row in order with its summary, and whether it was rendered; unchanged ones are linked from the last site."""
    common = site_input.digest()
    keys = {job.row.id: hashlib.sha256(canonical([common, job.values()]).encode()).hexdigest() for job in jobs}
    stale = [job for job in jobs if not unchanged.sound(job.row.id, keys[job.row.id], site)]
    stale_ids = {job.row.id for job in stale}
    rendered = _render_stale(site_input, stale)
    for row in (job.row for job in jobs):
        if row.id in stale_ids:
            summary, files = next(rendered)
            unchanged.put(row.id, keys[row.id], files, summary)
        else:
            summary = unchanged.link(row.id, site, site_input.out)
        yield row, summary, row.id in stale_ids
    unchanged.forget(keys)


def _render_stale(site_input: SiteInput, stale: Sequence[PassageJob]) -> Iterator[tuple[Summary, FileStates]]:
    processes = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, len(stale) // _PASSAGES_A_PROCESS)
    if processes < 2:
        yield from map(partial(render, site_input), stale)
        return
    # spawn: this process may hold torch's threads, which a fork would not survive.
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        yield from pool.map(partial(render, site_input), stale, chunksize=16)
    finally:
        pool.shutdown(cancel_futures=True)


def stamp(page: Page, shells: Path, out: Path, named: bool = False) -> bool:
    """Write a page; return whether its shell exists, since plugins may leave out a document. named: whether links name the file index.html."""
    if not (shells / page.shell / "index.html").exists():
        return False
    path = out / page.address / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(filled(page, shells, named), "utf-8")
    return True


def filled(page: Page, shells: Path, named: bool = False) -> str:
    """Return a page's HTML: its shell with the slots filled."""
    shell = (shells / page.shell / "index.html").read_text("utf-8")
    if not page.card:
        shell = shell.replace(f"{page.shell}card.png", "assets/gallery/card.png")
    if page.shell != page.address:
        shell = shell.replace(page.shell, page.address)
    slots = {name: name_files(slot) for name, slot in page.slots.items()} if named else page.slots
    plain = {TITLE: escape(page.title), DESCRIPTION: escape(page.description)}
    # In one pass, since the text of one slot may look like another slot.
    return _SLOT.sub(lambda match: slots.get(match[1], "") if match[1] else plain[match[0]], shell)


def _templates(code: str) -> dict[str, str]:
    """Return the source of every template of a passage's page and files."""
    env, sources, left = environment(code), dict[str, str](), list(_TEMPLATES)
    while left:
        name = left.pop()
        if name not in sources and env.loader is not None:
            sources[name] = env.loader.get_source(env, name)[0]
            left += [str(other) for other in meta.find_referenced_templates(env.parse(sources[name]))]
    return sources


@cache
def _program() -> dict[str, str]:
    """Return the digests of the program: the gallery's modules and catalogues, and the versions of the libraries."""
    files = sorted([*_PACKAGE.rglob("*.py"), *(_PACKAGE / "locale").rglob("*.po")])
    digests = {path.relative_to(_PACKAGE).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    libraries = ("babel", "fontpkg-pt-serif", "jinja2", "markupsafe", "numpy", "pillow", "python-slugify")
    return digests | {"dictionary": dictionary_version()} | {name: version(name) for name in libraries}
