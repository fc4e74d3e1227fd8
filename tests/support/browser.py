"""What browser tests share: a server, a page that is watched, and waiting for the page itself to say what it waits for."""

import functools
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PUBLISHED = "https://example.org/gallery/"
"""Where `make_gallery` says that its site is published."""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine and give its address, with a slash at the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def publish(site: Path, context: Any) -> None:
    """Answer requests for PUBLISHED out of a folder: the theme's instant navigation looks addresses up in the site map, which has whole ones."""

    def route(handler: Any) -> None:
        path = site / handler.request.url.partition(PUBLISHED)[2].partition("?")[0]
        handler.fulfill(path=path / "index.html" if path.is_dir() else path)

    context.route(PUBLISHED + "**", route)


def _wait(page: Any, holds: Callable[[], object], message: Callable[[], str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {message()}"
        page.wait_for_timeout(50)


def wait_until(page: Any, expression: str, seconds: float = 30) -> None:
    """Ask the page until an expression holds; playwright's own waiting evaluates strings in it, which its policy forbids."""
    _wait(page, lambda: page.evaluate(expression), lambda: expression, seconds)


def location_of(page: Any) -> str:
    """Return the page's address as the page knows it; playwright's own copy comes a moment later."""
    return str(page.evaluate("location.href"))


def wait_for_address(page: Any, pattern: str, seconds: float = 30) -> None:
    """Ask the page for its address until it has a pattern; for changes that load nothing, which playwright may miss."""
    _wait(page, lambda: re.search(pattern, location_of(page)), lambda: f"{pattern} in {location_of(page)}", seconds)


@dataclass
class Watched:
    """A page, and all that went wrong on it."""

    page: Any
    faults: list[str] = field(default_factory=list)


def watch(page: Any) -> Watched:
    """Note a page's console errors and exceptions."""
    result = Watched(page)
    page.on("console", lambda message: result.faults.append(f"console: {message.text}") if message.type == "error" else None)
    page.on("pageerror", lambda error: result.faults.append(f"exception: {error}"))
    return result
