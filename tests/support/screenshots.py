"""Take the README's pictures of a built gallery: index, passage, author, how to read.

    python tests/screenshots.py [--site site] [--out .github/screenshots] [--passage ID]

Without an id, the passage that the model recognised most surely is shown, and its author.
"""

import argparse
import functools
import os
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import sync_playwright

SUREST = """cards => cards.filter(card => card.dataset.true === card.dataset.predicted)
  .sort((a, b) => b.dataset.confidence - a.dataset.confidence)[0].querySelector("h3 a").pathname.split("/").at(-2)"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    """Serve the site on this machine and photograph it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site", type=Path, default=Path("site"))
    parser.add_argument("--out", type=Path, default=Path(".github/screenshots"))
    parser.add_argument("--passage")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=options.site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = f"http://127.0.0.1:{server.server_port}/"
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        page = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce").new_page()
        page.set_default_timeout(120_000)

        def shoot(name: str, address: str) -> None:
            page.goto(home + address)
            page.evaluate("customElements.whenDefined('gallery-words').then(() => true)")
            page.wait_for_load_state("networkidle")
            page.screenshot(path=options.out / f"{name}.png")

        shoot("index", "")
        ident = options.passage or page.eval_on_selector_all(".g-card", SUREST)
        shoot("passage", f"passages/{ident}/")
        author = page.locator(".g-byline a").evaluate("link => link.pathname.slice(1)")
        shoot("author", author)
        shoot("how-to-read", "how-to-read/")
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    main()
