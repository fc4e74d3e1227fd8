"""Serves the site on this machine and renders it again at every change: the page that is open first, then the rest."""

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from gallery.compat.mkdocs import LiveServer
from gallery.config import Settings
from gallery.errors import GalleryError
from gallery.mkdocs_config import read_mkdocs_config
from gallery.passages.read import passage_paths
from gallery.site.build.rendering import PassageJob, SiteInput, filled, input_of
from gallery.site.build.site import OvertakenError, build_site, jobs_of, site_input_of
from gallery.site.pages.passage import passage_page
from gallery.site.policy import without_policy
from gallery.store.entries import exclusive

_PACKAGE = Path(__file__).parents[2]
_SHELL = Path("passages", "shell", "index.html")
_PASSAGE = re.compile(r"/passages/([^/]+)/(?:index\.html)?")


def serve_site(settings: Settings, config_file: Path, port: int, explain: Callable[[], Sequence[str]]) -> None:
    """Serve the site on this machine until Ctrl-C; `explain` is called when passages have changed, and returns its error messages.

    Raises the errors of `build_site` at the first build; later builds print theirs and wait for the next change.
    """
    server = _Server(settings, config_file, port, explain)
    root = config_file.parent
    sources = [root / name for name in passage_paths(settings)]
    for path in dict.fromkeys([read_mkdocs_config(config_file).docs_dir, *sources, config_file, _PACKAGE / "static", _PACKAGE / "templates"]):
        if path.exists():
            server.watch(str(path))
    click.echo(f"Serving on {server.url}")
    try:
        server.serve()
    finally:
        server.shutdown()


@dataclass(frozen=True)
class _Outdated:
    """The input of passages while the site on disk is older than it."""

    site_input: SiteInput
    jobs: dict[str, PassageJob]


class _Server(LiveServer):
    """MkDocs' live server; while the whole site is built, it renders a requested passage's page at once.

    A build is given up when the next change overtakes it.
    """

    def __init__(self, settings: Settings, config_file: Path, port: int, explain: Callable[[], Sequence[str]]) -> None:
        root = config_file.parent
        super().__init__(self.rebuild, read_mkdocs_config(config_file).site_dir, port)
        self._settings, self._config_file, self._explain = settings, config_file, explain
        self._sources = [root / name for name in passage_paths(settings)]
        self._seen = self._passages()
        self._outdated: _Outdated | None = None
        """Input for requested passages while the site is rebuilt; None while the site is up to date."""
        self._build()

    def rebuild(self) -> None:
        """Build the site after a change; browsers reload at once for passages, and again when the lists are built too."""
        try:
            passages = self._passages()
            if passages != self._seen:
                self._seen = passages
                for problem in self._explain():
                    click.echo(f"Error: {problem}", err=True)
            fresh = replace(site_input_of(self._settings, self._config_file), shells=self._shells, carried=self._built.carried, named=self._built.named)
            self._outdated = _Outdated(fresh, {job.row.id: job for job in jobs_of(fresh)})
            self.show()
            self._build()
            self._outdated = None
            self.show_again()
        except OvertakenError:
            pass
        except GalleryError as error:
            error.show()

    def _build(self) -> None:
        with exclusive(self._config_file.parent / "build"):
            self._built = build_site(self._settings, self._config_file, self.overtaken)
        # MkDocs empties its folder at every build, so the shell of passages is copied elsewhere.
        self._shells = self._built.shells.with_name("shown")
        (self._shells / _SHELL).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._built.shells / _SHELL, self._shells / _SHELL)

    def _passages(self) -> dict[Path, int]:
        """Return the files of passages, with their times of writing."""
        files = [file for source in self._sources for file in (source.rglob("*") if source.is_dir() else [source]) if file.is_file()]
        return {file: file.stat().st_mtime_ns for file in files}

    def page(self, path: str) -> bytes | None:
        """Return a passage's page, rendered anew, while the whole site is built; else None."""
        outdated, requested = self._outdated, _PASSAGE.fullmatch(path)
        job = outdated.jobs.get(requested[1]) if outdated and requested else None
        if outdated is None or job is None:
            return None
        page = passage_page(input_of(outdated.site_input, job), outdated.site_input.carried, job.neighbours)
        return filled(page, outdated.site_input.shells, outdated.site_input.named).encode()

    def cleaned(self, content: bytes) -> bytes:
        """Return a page without its policy, which does not know the script that reloads it."""
        return without_policy(content)
