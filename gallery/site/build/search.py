"""The search index and the sitemap, extended by the pages that MkDocs has not rendered."""

import gzip
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from gallery.site.build.file_links import name_file
from gallery.site.build.mkdocs_shells import shared_folders

SEARCH_LETTERS = 2_000_000
"""Letters of passages in the search index, in all."""


@dataclass(frozen=True)
class ListedPage:
    """A page for the search and the sitemap."""

    address: str
    title: str
    text: str
    """Text by which the search finds it; empty leaves the text that MkDocs has indexed."""


def cut_texts(texts: Sequence[str]) -> list[str]:
    """Return the passages' texts for the search index, the longest cut so that all stay within SEARCH_LETTERS.

    The theme loads the whole index into the browser, so its size must not grow with the gallery.
    """
    left, longest = SEARCH_LETTERS, 0
    for count, length in zip(range(len(texts), 0, -1), sorted(map(len, texts)), strict=True):
        if length * count > left:
            longest = left // count
            break
        left -= length
        longest = length
    return [text if len(text) <= longest else text[:longest].rsplit(maxsplit=1)[0] for text in texts]


def write_search(site: Path, pages: Iterable[ListedPage], named: bool = False) -> None:
    """Add pages to the search index by title and text; both are escaped, since the theme shows them as HTML.

    named: whether addresses name the file index.html.
    """
    path = site / "search" / "search_index.json"
    if not path.exists():
        return
    index = json.loads(path.read_text("utf-8"))
    docs = [doc for doc in index["docs"] if not doc["location"].startswith(shared_folders())]
    docs += [{"location": page.address, "title": escape(page.title), "text": f"<p>{escape(page.text)}</p>"} for page in pages if page.text]
    index["docs"] = [doc | {"location": name_file(doc["location"] or "./")} for doc in docs] if named else docs
    content = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    path.write_text(content, "utf-8")
    script = path.with_name("search_index.js")
    if script.exists():  # the plugin `offline` reads the index as a script
        script.write_text(f"var __index = {content}", "utf-8")


def write_sitemap(site: Path, pages: Iterable[ListedPage], site_url: str, named: bool = False) -> None:
    """Write a sitemap of all pages; the theme's instant navigation follows only links that it finds there."""
    path = site / "sitemap.xml"
    rendered = re.findall(r"<loc>(.*?)</loc>", path.read_text("utf-8")) if path.exists() else []
    kept = [url for url in rendered if not any(f"/{folder}" in url for folder in shared_folders())]
    urls = dict.fromkeys([*kept, *(escape(site_url + page.address) for page in pages)])
    if named:
        urls = dict.fromkeys(f"{url}index.html" if url.endswith("/") else url for url in urls)
    lines = "".join(f"  <url><loc>{url}</loc></url>\n" for url in urls)
    content = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{lines}</urlset>\n'.encode()
    path.write_bytes(content)
    (site / "sitemap.xml.gz").write_bytes(gzip.compress(content, mtime=0))
