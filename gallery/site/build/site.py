"""Builds the site: MkDocs renders the shells once, every page is stamped out of its shell, and the finished folder replaces the old one.

MkDocs renders one shell for each kind of page, so its time does not grow with the passages, and no text of a passage goes
through Markdown or the theme's templates.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from gallery.config import Settings
from gallery.errors import SiteError, cure, reason
from gallery.files import store_location
from gallery.mkdocs_config import read_mkdocs_config
from gallery.site.build.fitting import fit
from gallery.site.build.mkdocs_shells import build_shells, copy_shells
from gallery.site.build.put_in_place import put_in_place
from gallery.site.build.rendering import PassageJob, SiteInput, render_all, stamp
from gallery.site.build.search import ListedPage, cut_texts, write_search, write_sitemap
from gallery.site.build.unchanged_pages import UnchangedPages
from gallery.site.pages.attention_carried import carried_by
from gallery.site.pages.declared import declarations
from gallery.site.pages.gathered import GalleryInput, Gathered, gallery_card, list_index, write_shared
from gallery.site.pages.paging import cut
from gallery.site.pages.passage import Neighbour
from gallery.site.pages.passage_files import write_scripts
from gallery.site.publication import read_publication
from gallery.store.entries import Store
from gallery.store.manifest import read_header, read_rows

_UNCHANGED = "kept.sqlite"


class OvertakenError(Exception):
    """A build was given up because its input has changed again; the old site is untouched."""


def build_site(settings: Settings, config_file: Path, overtaken: Callable[[], bool] = lambda: False) -> SiteInput:
    """Write site/ from the store, replacing the old one when the new one is whole; return the input that its passages share.

    Raises SiteError where MkDocs fails or the system refuses to write, StoreError where an entry is missing or damaged,
    OvertakenError where `overtaken` turns true before the end.
    """
    try:
        return _build_site(settings, config_file, overtaken)
    except OSError as error:
        path = error.filename2 or error.filename or config_file.parent
        raise SiteError(f"{path}: {reason(error)}. {cure(error)}; the old site is untouched.") from error
    except sqlite3.Error as error:
        path = config_file.parent / "build" / _UNCHANGED
        raise SiteError(f"{path}: {reason(error)}. Make room if the disk is full, else remove that file; the old site is untouched.") from error


def _build_site(settings: Settings, config_file: Path, overtaken: Callable[[], bool]) -> SiteInput:
    root, site_input = config_file.parent, site_input_of(settings, config_file)
    shells = build_shells(settings, config_file, site_input.publication.language)
    site_input = replace(site_input, named=shells.named)
    copy_shells(site_input.shells, site_input.out)
    jobs, site = jobs_of(site_input), read_mkdocs_config(config_file).site_dir
    if settings.attention.fit:
        site_input = replace(site_input, carried=fit(settings.site_budget_mb, site_input, jobs, root / "build"))
        click.echo(f"attention.fit: {site_input.carried.words()}, to stay within {settings.site_budget_mb} MB.")
    if site_input.carried.bertviz and site_input.header.scripts:
        write_scripts(Store(site_input.store), site_input.header, site_input.out / "assets" / "gallery")
    gathered, count = Gathered(), 0
    with UnchangedPages(root / "build" / _UNCHANGED) as unchanged:
        for row, summary, is_new in render_all(site_input, jobs, unchanged, site):
            if overtaken():
                raise OvertakenError
            gathered.add(row, summary)
            count += is_new
        _finish(site_input, gathered, shells.site_url)
        site.parent.mkdir(parents=True, exist_ok=True)
        put_in_place(site_input.out, site)
    kept = len(gathered.cards) - count
    click.echo(f"Site: {len(gathered.cards)} passages ({kept} unchanged), {len(site_input.header.model.labels)} authors in {site}.")
    return site_input


def site_input_of(settings: Settings, config_file: Path) -> SiteInput:
    """Return the input that all passages of a build share.

    Raises StoreError where nothing has been explained yet, ConfigError for a layer that the model does not have.
    """
    build, store = config_file.parent / "build", Store(store_location(settings.store, config_file.parent))
    header = read_header(store)
    return SiteInput(
        publication=read_publication(config_file),
        store=store.location,
        header=header,
        shells=(build / "shells").absolute(),
        out=build / "site",
        source=read_mkdocs_config(config_file).docs_dir,
        carried=carried_by(settings, header.model.attending),
    )


def jobs_of(site_input: SiteInput) -> list[PassageJob]:
    """Return the passages of a build, each with its neighbours."""
    rows = list(read_rows(Store(site_input.store)))
    names = [None, *(Neighbour(row.id, row.title) for row in rows), None]
    return [PassageJob(row, (names[index], names[index + 2])) for index, row in enumerate(rows)]


def _finish(site_input: SiteInput, gathered: Gathered, site_url: str) -> None:
    """Write the pages and files that are about all passages: the lists and their index, the card, the search, the sitemap."""
    gallery = GalleryInput(site_input.publication, site_input.header, gathered, Store(site_input.store), site_input.carried, site_input.source)
    out = site_input.out
    (out / "assets" / "gallery" / "card.png").write_bytes(gallery_card(gallery))
    if not (out / "index.html").is_file():
        raise SiteError(
            f"{site_input.source / 'index.md'}: missing, so the site would have no front page. Write it; <!-- gallery:index --> lists the passages."
        )
    listed = [ListedPage(f"passages/{card.id}/", card.title, text) for card, text in zip(gathered.cards, cut_texts(gathered.searches), strict=True)]
    for declaration in declarations():
        for page in declaration.pages(gallery):
            if stamp(page, site_input.shells, out, site_input.named):
                listed.append(ListedPage(page.address, page.title, page.search))
    if len(cut(gathered.cards)) > 1:
        (out / "passages" / "list.json").write_text(list_index(gathered.cards), "utf-8")
    write_shared(gallery, out)
    write_search(out, listed, site_input.named)
    write_sitemap(out, listed, site_url, site_input.named)
