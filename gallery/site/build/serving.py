"""Serves the site on this machine: at once what the store has, then passages as they are explained, and again at every change."""

import re
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from gallery.compat.mkdocs import LiveServer
from gallery.config import Settings
from gallery.errors import GalleryError, StoreError
from gallery.files import store_location
from gallery.mkdocs_config import read_mkdocs_config
from gallery.passages.read import passage_paths
from gallery.site.build.rendering import PassageJob, SiteInput, filled, input_of
from gallery.site.build.site import OvertakenError, build_site, jobs_of, site_input_of
from gallery.site.pages.passage import passage_page
from gallery.site.policy import without_policy
from gallery.site.publication import read_publication
from gallery.site.templates import rendered
from gallery.store.entries import Store, exclusive
from gallery.store.manifest import read_rows

_PACKAGE = Path(__file__).parents[2]
_SHELL = Path("passages", "shell", "index.html")
_PASSAGE = re.compile(r"/passages/([^/]+)/(?:index\.html)?")
_PROGRESS = "/explaining/"
"""Address at which a page asks what is being explained."""
_REST = 5.0
"""Least seconds between two renderings while passages are explained; after a long rendering, four times as long as it took."""


@dataclass(frozen=True)
class Work:
    """What explaining tells the server, and asks it; see `gallery.explain.stages.Follow`."""

    readable: Callable[[], None]
    early: Callable[[], bool]
    working: Callable[[str, str], None]
    stopped: Callable[[], bool]


Explain = Callable[[Work], Sequence[str]]
"""Explains what the store lacks, and returns the error messages."""


def serve_site(settings: Settings, config_file: Path, port: int, explain: Explain) -> None:
    """Serve the site on this machine until Ctrl-C, and explain meanwhile; `explain` is called now and when passages have changed.

    Raises the errors of `build_site` where the store has something and it cannot be rendered; later builds print theirs.
    """
    server = _Server(settings, config_file, port, explain)
    root = config_file.parent
    sources = [root / name for name in passage_paths(settings)]
    for path in dict.fromkeys([read_mkdocs_config(config_file).docs_dir, *sources, config_file, _PACKAGE / "static", _PACKAGE / "templates"]):
        if path.exists():
            server.watch(str(path))
    click.echo(f"Serving on {server.url}")
    server.begin()
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
    """MkDocs' live server. While the whole site is built, it renders a requested passage's page at once; a second thread explains.

    A build is given up when the next change overtakes it.
    """

    def __init__(self, settings: Settings, config_file: Path, port: int, explain: Explain) -> None:
        root = config_file.parent
        super().__init__(self.rebuild, read_mkdocs_config(config_file).site_dir, port)
        self._settings, self._config_file, self._explain = settings, config_file, explain
        self._language = read_publication(config_file).language
        self._sources = [root / name for name in passage_paths(settings)]
        self._seen = self._passages()
        self._outdated: _Outdated | None = None
        """Input for requested passages while the site is rebuilt; None while the site is up to date."""
        self._built: SiteInput | None = None
        self._changed, self._ended = threading.Event(), threading.Event()
        self._doing = ""
        """What is being explained, as a line of text; empty where nothing is."""
        self._rendered, self._took = time.monotonic(), 0.0
        if self._has_store():
            self._build()

    def begin(self) -> None:
        """Begin to explain, in a thread of its own."""
        self._changed.set()
        threading.Thread(target=self._work, name="explaining", daemon=True).start()

    def shutdown(self, wait: bool = False) -> None:
        """Stop serving; a passage that is being explained is left unfinished, and begun again next time."""
        self._ended.set()
        self._changed.set()
        super().shutdown(wait)

    def rebuild(self) -> None:
        """Build the site after a change; browsers reload at once for passages, and again when the lists are built too."""
        try:
            passages = self._passages()
            if passages != self._seen:
                self._seen = passages
                self._changed.set()  # they are rendered when they are explained
                return
            if not self._has_store():
                return
            if self._built is not None:
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

    def _work(self) -> None:
        """Explain whenever passages have changed, until the server ends; let the site be rendered afterwards."""
        work = Work(self.ask, self._may_render, self._set_doing, self._changed.is_set)
        while self._changed.wait() and not self._ended.is_set():
            self._changed.clear()
            try:
                for problem in self._explain(work):
                    click.echo(f"Error: {problem}", err=True)
            except GalleryError as error:
                error.show()
            self._doing = ""
            self.ask()

    def _set_doing(self, title: str, line: str) -> None:
        self._doing = f"{title} · {line}"

    def _may_render(self) -> bool:
        """Tell whether the last rendering is long enough ago for another, and none is under way."""
        return time.monotonic() - self._rendered > max(_REST, 4 * self._took) and not self.overtaken()

    def _has_store(self) -> bool:
        """Tell whether the store has a passage to show."""
        store = Store(store_location(self._settings.store, self._config_file.parent))
        try:
            return next(read_rows(store), None) is not None
        except StoreError:
            return False

    def _build(self) -> None:
        begun = time.monotonic()
        with exclusive(self._config_file.parent / "build"):
            self._built = build_site(self._settings, self._config_file, self.overtaken)
        self._rendered, self._took = time.monotonic(), time.monotonic() - begun
        # MkDocs empties its folder at every build, so the shell of passages is copied elsewhere.
        self._shells = self._built.shells.with_name("shown")
        (self._shells / _SHELL).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._built.shells / _SHELL, self._shells / _SHELL)

    def _passages(self) -> dict[Path, int]:
        """Return the files of passages, with their times of writing."""
        files = [file for source in self._sources for file in (source.rglob("*") if source.is_dir() else [source]) if file.is_file()]
        return {file: file.stat().st_mtime_ns for file in files}

    def text(self, path: str) -> str | None:
        """Return what is being explained, where a page asks."""
        return self._doing if path == _PROGRESS else None

    def page(self, path: str) -> bytes | None:
        """Return a passage's page, rendered anew, while the whole site is built, and any page while there is none; else None."""
        if self._built is None and not path.startswith("/livereload/"):
            return str(rendered(self._language, "waiting.html", doing=self._doing)).encode()
        outdated, requested = self._outdated, _PASSAGE.fullmatch(path)
        job = outdated.jobs.get(requested[1]) if outdated and requested else None
        if outdated is None or job is None:
            return None
        page = passage_page(input_of(outdated.site_input, job), outdated.site_input.carried, job.neighbours)
        return filled(page, outdated.site_input.shells, outdated.site_input.named).encode()

    def cleaned(self, content: bytes) -> bytes:
        """Return a page without its policy, which does not know the script that reloads it, and with what is being explained."""
        if not self._doing or self._built is None:
            return without_policy(content)
        banner = str(rendered(self._language, "explaining.html", doing=self._doing, address=_PROGRESS)).encode()
        return without_policy(content).replace(b"</body>", banner + b"</body>", 1)
