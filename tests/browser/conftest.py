"""Pages of a real built gallery, served on this machine, in a browser that can reach nothing else."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Watched, serving, watch


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], str]]:
    """Give a function that serves a folder and returns its address, with a slash at the end."""
    with ExitStack() as servers:
        yield lambda folder: servers.enter_context(serving(folder))


@pytest.fixture(scope="session")
def gallery(built: Path) -> Path:
    """Give the mkdocs.yml of a Russian gallery of three passages."""
    return built


@pytest.fixture(scope="session")
def site_folder(gallery: Path) -> Path:
    """Give the folder of that gallery's site."""
    return gallery.parent / "site"


@pytest.fixture(scope="session")
def site(site_folder: Path, serve: Callable[[Path], str]) -> str:
    """Give the address of that gallery's site."""
    return serve(site_folder)


@pytest.fixture(scope="session")
def many_site(many: Path, serve: Callable[[Path], str]) -> str:
    """Give the address of a Russian gallery of 250 passages."""
    return serve(many.parent / "site")


@pytest.fixture
def watched(chromium: Any) -> Iterator[Watched]:
    """Give a page that blocks every other host and notes console errors, failed requests and exceptions."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="ru-RU")
    result = watch(context.new_page())

    def route(handler: Any) -> None:
        if handler.request.url.startswith("http://127.0.0.1:"):
            handler.continue_()
        else:
            result.faults.append(f"other host: {handler.request.url}")
            handler.abort()

    context.add_init_script("addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective}: ${e.blockedURI}`))")
    context.route(lambda url: url.startswith("http"), route)
    result.page.on("response", lambda response: result.faults.append(f"{response.status}: {response.url}") if response.status >= 400 else None)
    yield result
    context.close()
