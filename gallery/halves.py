"""The two halves as functions: explain passages into a store, render a site from it; and what a program of one's own opens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gallery.config import Settings
from gallery.errors import GalleryError, StoreError, command
from gallery.files import store_location
from gallery.mkdocs_config import read_mkdocs_config
from gallery.store.entries import Store, exclusive
from gallery.store.manifest import read_header

_EARLY = "early"
"""File in build/ that stands while the site is of a run that has not reached its end; the last state replaces such a site in any case."""

if TYPE_CHECKING:
    from gallery.explain.progress import Log
    from gallery.explain.stages import Follow
    from gallery.model.classifier import Classifier


def explain_passages(settings: Settings, config_file: Path, log: Log | None = None, follow: Follow | None = None) -> list[str]:
    """Compute every entry that the store lacks; return a message for each passage that could not be explained.

    Needs the extra `explain`. Relative paths in the settings are relative to the folder of `config_file`. The same call after an
    interrupted run continues where the run stopped. log: called with each event and its values, as `--log-json` writes them.
    follow: where it is given, what each page needs is computed for all passages before the rest, and `follow` is told.
    Raises a GalleryError if nothing can be done at all: a model that cannot be loaded, a store that cannot be written, another
    build at work.

    >>> explain_passages(settings, config_file)
    3 of 3 passages explained.
    []
    """
    from gallery.explain.progress import no_log
    from gallery.explain.run import explain_all

    with exclusive(store_location(settings.store, config_file.parent)):
        return explain_all(settings, config_file.parent, log or no_log, follow)


def build_gallery(settings: Settings, config_file: Path, log: Log | None = None, in_one_go: bool = False) -> tuple[list[str], list[str]]:
    """Explain what is new, then render the site; return the messages of the two halves.

    A first site is put in place as soon as every passage has what its page needs, if there is no finished one; its pages say what is still
    being computed. The last site has the same bytes as with in_one_go, which leaves the first one out. Raises as the two halves do.
    """
    from gallery.explain.stages import Follow

    def first_site() -> None:
        try:
            render_site(settings, config_file)
            click.echo("A first site is in place; the rest is being computed.")
        except GalleryError as error:
            click.echo(f"Error: {error.message}\nThere is no first site for this reason; the rest is being computed all the same.", err=True)

    follow = None if in_one_go else Follow(first_site, not is_finished(settings, config_file))
    problems = explain_passages(settings, config_file, log, follow)
    return problems, render_site(settings, config_file)


def is_finished(settings: Settings, config_file: Path) -> bool:
    """Tell whether there is a site, and the store's last run reached its end."""
    try:
        unfinished = read_header(open_store(settings, config_file)).unfinished
    except StoreError:
        return False
    return not unfinished and (read_mkdocs_config(config_file).site_dir / "index.html").is_file()


def render_site(settings: Settings, config_file: Path) -> list[str]:
    """Write `site/` from the store alone; return what the check finds wrong with the site.

    Needs no torch. The old site stays until the new one is whole. It also stays if passages could not be read or explained, which the
    messages then say, unless the setting `incomplete` allows a site without them. Raises a GalleryError if the store is missing or
    damaged or holds no passages, or MkDocs cannot build the pages.

    >>> render_site(settings, config_file)
    Site: 3 passages (0 unchanged), 3 authors in ...site.
    []
    >>> (config_file.parent / "site" / "passages" / "white-wall" / "index.html").exists()
    True
    """
    from gallery.site.build.site import build_site
    from gallery.site.check.report import check_built
    from gallery.store.manifest import read_rows

    store, site = open_store(settings, config_file), read_mkdocs_config(config_file).site_dir
    header, early = read_header(store), config_file.parent / "build" / _EARLY
    problems = list(header.problems)
    there = (site / "index.html").is_file() and not early.exists()
    if next(read_rows(store), None) is None:
        kept, cure = "left as it was" if there else "not written", "" if problems else f" Run: {command('explain')}"
        return [*problems, f"{site}: {kept}, since no passage was explained.{cure}"]
    if problems and there and not settings.incomplete:
        return [*problems, f"{site}: left as it was, since it would lack these passages. Mend them, or build without them: --incomplete."]
    with exclusive(config_file.parent / "build"):
        build_site(settings, config_file)
        if header.unfinished:
            early.touch()
        else:
            early.unlink(missing_ok=True)
        return [*([] if settings.incomplete else problems), *check_built(settings, config_file).errors]


def open_store(settings: Settings, config_file: Path) -> Store:
    """Return the configured store, a folder beside `config_file` or a URL; nothing is read yet.

    >>> store = open_store(settings, config_file)
    >>> [row.id for row in read_rows(store)]
    ['dusty-road', 'old-yorick', 'white-wall']
    """
    return Store(store_location(settings.store, config_file.parent))


def open_classifier(settings: Settings, config_file: Path) -> Classifier:
    """Load the configured model and tokenizer onto the configured device.

    Needs the extra `explain`. Raises SourceError, naming the source, if one of them cannot be had or loaded.

    >>> classifier = open_classifier(settings, config_file)
    >>> classifier.card.labels
    ('Толстой', 'Чехов', 'Гоголь')
    >>> tokenized = classifier.tokenize("Никто не ответил.")
    >>> len(tokenized.words)
    4
    >>> [prediction] = classifier.predict([tokenized])
    >>> prediction.logits.shape
    (3,)
    """
    from gallery.model.loading import load_classifier
    from gallery.sources.resolve import resolve_model, resolve_tokenizer

    root = config_file.parent
    return load_classifier(resolve_model(settings.model, root), resolve_tokenizer(settings.tokenizer or settings.model, root), settings)
