"""The gallery on this machine, rendered again at every change: the page that is looked at first, then the rest."""

import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from mkdocs.livereload import LiveReloadServer

from gallery.config import Settings
from gallery.errors import GalleryError
from gallery.passages.read import passage_paths
from gallery.site.build.build import OvertakenError, bench_of, build_site, works_of
from gallery.site.build.rendering import Bench, Work, filled, page_of
from gallery.site.check.policy import without_policy
from gallery.store.entries import exclusive

_HERE = Path(__file__).parents[2]
_SHELL = Path("passages", "shell", "index.html")
_PASSAGE = re.compile(r"/passages/([^/]+)/(?:index\.html)?")


def serve_site(settings: Settings, config_file: Path, port: int, explain: Callable[[], Sequence[str]]) -> None:
    """Show the site on this machine until Ctrl-C; `explain` is called when passages have changed, and returns what went wrong with some.

    Raises what `build_site` raises at the first build; later ones say what is wrong and wait for the next change.
    """
    server = _Server(settings, config_file, port, explain)
    root = config_file.parent
    places = [root / place for place in passage_paths(settings)]
    for place in dict.fromkeys([root / "site_src", *places, config_file, _HERE / "static", _HERE / "templates"]):
        if place.exists():
            server.watch(str(place))
    click.echo(f"Serving on {server.url}")
    try:
        server.serve()
    finally:
        server.shutdown()


class _Server(LiveReloadServer):
    """MkDocs' live server, which renders a passage's page anew for whoever asks, as long as the whole site is being built.

    A build that the next change overtakes is given up.
    """

    def __init__(self, settings: Settings, config_file: Path, port: int, explain: Callable[[], Sequence[str]]) -> None:
        root = config_file.parent
        super().__init__(self.rebuild, host="127.0.0.1", port=port, root=str(root / "site"), mount_path="/")
        self._settings, self._config_file, self._explain = settings, config_file, explain
        self._places = [root / place for place in passage_paths(settings)]
        self._seen = self._passages()
        self._shown: Bench | None = None
        """What passages that are asked for are rendered with; None as long as the site is up to date."""
        self._works: dict[str, Work] = {}
        self._build()

    def rebuild(self) -> None:
        """Bring the site up to date after a change, and browsers with it: at once, and again when lists have followed."""
        try:
            passages = self._passages()
            if passages != self._seen:
                self._seen = passages
                for problem in self._explain():
                    click.echo(f"Error: {problem}", err=True)
            bench = bench_of(self._settings, self._config_file)
            self._works = {work.row.id: work for work in works_of(bench)}
            self._shown = replace(bench, shells=self._shells, carried=self._built.carried)
            self._show()
            self._build()
            self._shown = None
            self._wanted_epoch += 1
        except OvertakenError:
            pass
        except GalleryError as error:
            error.show()

    def _build(self) -> None:
        with exclusive(self._config_file.parent / "build"):
            self._built = build_site(self._settings, self._config_file, lambda: self._want_rebuild)
        # MkDocs empties its folder at every build, so the shell of passages is put aside.
        self._shells = self._built.shells.with_name("shown")
        (self._shells / _SHELL).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._built.shells / _SHELL, self._shells / _SHELL)

    def _passages(self) -> dict[Path, int]:
        """Return the files that passages are read from, with their times."""
        files = [file for place in self._places for file in (place.rglob("*") if place.is_dir() else [place]) if file.is_file()]
        return {file: file.stat().st_mtime_ns for file in files}

    def _show(self) -> None:
        with self._epoch_cond:
            self._visible_epoch = self._wanted_epoch
            self._epoch_cond.notify_all()

    def _serve_request(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes] | None:
        bench, asked = self._shown, _PASSAGE.fullmatch(environ["PATH_INFO"])
        work = self._works.get(asked[1]) if asked else None
        if bench is None or work is None:
            answer: Iterable[bytes] | None = super()._serve_request(environ, start_response)
            return answer
        page, _ = page_of(bench, work)
        content = self._inject_js_into_html(filled(page, bench.shells).encode(), self._visible_epoch)
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(content)))])
        return [content]

    def _inject_js_into_html(self, content: bytes, epoch: int) -> bytes:
        """Put in the script that reloads the page, which no policy of ours could know."""
        return bytes(super()._inject_js_into_html(without_policy(content), epoch))
