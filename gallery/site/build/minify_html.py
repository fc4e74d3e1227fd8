"""Minified pages: white space that no reader sees is taken out of the pages that MkDocs has rendered."""

import re
from pathlib import Path

from gallery.site.html_reader import split_preserved

_BREAKS = re.compile(r"[ \t]*\n\s*")


def minified(document: str) -> str:
    """Return a page with every stretch of white space that has a line break reduced to that break, which a browser shows alike.

    Scripts, styles and preformatted text stay as they are.
    """
    return "".join(part if preserved else _BREAKS.sub("\n", part) for part, preserved in split_preserved(document))


def minify(folder: Path) -> None:
    """Minify every page of a folder."""
    for path in sorted(folder.rglob("*.html")):
        path.write_text(minified(path.read_text("utf-8")), "utf-8")
