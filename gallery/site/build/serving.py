"""The gallery on this machine, rendered again at every change: the page that is looked at first, then the rest."""

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click

from gallery.compat.mkdocs import LiveServer
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


class _Server(LiveServer):
    """MkDocs' live server, which renders a passage's page anew for whoever asks, as long as the whole site is being built.

    A build that the next change overtakes is given up.
    """

    def __init__(self, settings: Settings, config_file: Path, port: int, explain: Callable[[], Sequence[str]]) -> None:
        root = config_file.parent
        super().__init__(self.rebuild, root / "site", port)
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
            self.show()
            self._build()
            self._shown = None
            self.show_again()
        except OvertakenError:
            pass
        except GalleryError as error:
            error.show()

    def _build(self) -> None:
        with exclusive(self._config_file.parent / "build"):
            self._built = build_site(self._settings, self._config_file, self.overtaken)
        # MkDocs empties its folder at every build, so the shell of passages is put aside.
        self._shells = self._built.shells.with_name("shown")
        (self._shells / _SHELL).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._built.shells / _SHELL, self._shells / _SHELL)

    def _passages(self) -> dict[Path, int]:
        """Return the files that passages are read from, with their times."""
        files = [file for place in self._places for file in (place.rglob("*") if place.is_dir() else [place]) if file.is_file()]
        return {file: file.stat().st_mtime_ns for file in files}

    def page(self, path: str) -> bytes | None:
        """Return a passage's page, rendered anew, while the whole site is being built."""
        bench, asked = self._shown, _PASSAGE.fullmatch(path)
        work = self._works.get(asked[1]) if asked else None
        if bench is None or work is None:
            return None
        page, _ = page_of(bench, work)
        return filled(page, bench.shells).encode()

    def cleaned(self, content: bytes) -> bytes:
        """Return a page without its policy, which does not know the script that reloads it."""
        return without_policy(content)
