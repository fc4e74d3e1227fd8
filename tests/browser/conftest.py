"""Pages of a real built gallery, served on this machine, in a browser that can reach nothing else."""

import functools
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.galleries import make_gallery, run


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], str]]:
    """Give a function that serves a folder and returns its address, with a slash at the end."""
    servers = []

    def start(folder: Path) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()


@pytest.fixture(scope="session")
def gallery(tiny: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a Russian gallery of three passages and give its mkdocs.yml."""
    config = make_gallery(tmp_path_factory.mktemp("site"), tiny("bert"))
    result = run(config)
    assert result.exit_code == 0, result.output
    return config


@pytest.fixture(scope="session")
def site_folder(gallery: Path) -> Path:
    """Give the folder of that gallery's site."""
    return gallery.parent / "site"


@pytest.fixture(scope="session")
def site(site_folder: Path, serve: Callable[[Path], str]) -> str:
    """Give the address of that gallery's site."""
    return serve(site_folder)


def wait_until(page: Any, expression: str, seconds: float = 30) -> None:
    """Ask the page until an expression holds; playwright's own waiting evaluates strings in it, which its policy forbids."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"not so within {seconds} s: {expression}"
        page.wait_for_timeout(50)


def location_of(page: Any) -> str:
    """The page's address as the page knows it; playwright's own copy comes a moment later."""
    return str(page.evaluate("location.href"))


def wait_for_address(page: Any, pattern: str, seconds: float = 30) -> None:
    """Ask the page for its address until a pattern is found in it; for changes that load nothing, which playwright may miss."""
    deadline = time.monotonic() + seconds
    while not re.search(pattern, location_of(page)):
        assert time.monotonic() < deadline, f"no {pattern} in {location_of(page)} within {seconds} s"
        page.wait_for_timeout(50)


@dataclass
class Watched:
    """A page, and all that went wrong on it."""

    page: Any
    faults: list[str] = field(default_factory=list)


@pytest.fixture
def watched(chromium: Any) -> Iterator[Watched]:
    """Give a page that blocks every other host and notes console errors, failed requests and exceptions."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="ru-RU")
    page = context.new_page()
    result = Watched(page)

    def route(handler: Any) -> None:
        if handler.request.url.startswith("http://127.0.0.1:"):
            handler.continue_()
        else:
            result.faults.append(f"other host: {handler.request.url}")
            handler.abort()

    context.add_init_script("addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective}: ${e.blockedURI}`))")
    context.route(lambda url: url.startswith("http"), route)
    page.on("console", lambda message: result.faults.append(f"console: {message.text}") if message.type == "error" else None)
    page.on("pageerror", lambda error: result.faults.append(f"exception: {error}"))
    page.on("response", lambda response: result.faults.append(f"{response.status}: {response.url}") if response.status >= 400 else None)
    yield result
    context.close()
