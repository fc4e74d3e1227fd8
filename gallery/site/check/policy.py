"""The Content-Security-Policy of every page: what the site itself brought may run and load, nothing else.

Inline scripts and styles are let in by their hash. The hashes are taken of what MkDocs has rendered, before any
text of a passage is in it, so no text can ever be one of them. All pages carry one policy: the theme's instant
navigation puts a page into the document of another, whose policy stays in force.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from html import escape
from html.parser import HTMLParser
from pathlib import Path

_DATA_BLOCKS = {"application/json", "application/ld+json", "text/template"}
_META = '<meta http-equiv="Content-Security-Policy" content="{}">'
_HEAD = re.compile(r"<head\b[^>]*>(?:\s*<meta charset=[^>]*>)?", re.IGNORECASE)


def site_policy(documents: Iterable[str]) -> str:
    """Return the policy under which all of these pages work: scripts, styles, data, frames and workers of their own host.

    Pictures may also be data: (the theme's icons) and blob: (what a reader saves).
    """
    scripts, styles, attributes = set(), set(), set()
    for document in documents:
        found = _Inline(document)
        scripts |= set(found.scripts)
        styles |= set(found.styles)
        attributes |= found.attributes
    return _policy(
        script_src=["'self'", *_hashes(scripts)],
        style_src=["'self'", *_hashes(styles | attributes), *(["'unsafe-hashes'"] if attributes else [])],
        img_src=["'self'", "data:", "blob:"],
        connect_src=["'self'"],
        font_src=["'self'"],
        frame_src=["'self'"],
        manifest_src=["'self'"],
        worker_src=["'self'"],
        form_action=["'self'"],
    )


def frame_policy(document: str) -> str:
    """Return the policy of a page that stands in a frame by itself, as bertviz's views do: its first inline script, and no data but its own.

    The first alone: were a token ever to break out of it, what follows would be a second.
    """
    found = _Inline(document)
    return _policy(
        script_src=["'self'", *_hashes(found.scripts[:1])],
        style_src=["'self'", *_hashes({*found.styles, *found.attributes}), "'unsafe-hashes'"],
        img_src=["'self'", "data:"],
        form_action=["'none'"],
    )


def with_policy(document: str, policy: str) -> str:
    """Return a page with a policy in its head, before anything that the policy is about."""
    return _HEAD.sub(lambda head: head[0] + _META.format(escape(policy)), document, count=1)


def without_policy(document: bytes) -> bytes:
    """Return a page without its policy, for a server that puts a script of its own into it."""
    start, end = (part.encode() for part in _META.split("{}"))
    before, found, after = document.partition(start)
    return before + after.partition(end)[2] if found else document


def protect(folder: Path) -> None:
    """Put one policy into every page of a folder that MkDocs has written."""
    pages = {path: path.read_text("utf-8") for path in sorted(folder.rglob("*.html"))}
    policy = site_policy(pages.values())
    for path, document in pages.items():
        path.write_text(with_policy(document, policy), "utf-8")


def _policy(**sources: list[str]) -> str:
    directives = {"default-src": ["'none'"], "base-uri": ["'none'"], **{name.replace("_", "-"): listed for name, listed in sources.items()}}
    return "; ".join(f"{name} {' '.join(listed)}" for name, listed in directives.items())


def _hashes(contents: Iterable[str]) -> list[str]:
    return sorted(f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'" for content in contents)


class _Inline(HTMLParser):
    """The inline scripts and styles of a page."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.attributes: set[str] = set()
        """Values of style attributes."""
        self._open: list[str] | None = None
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._open = None
        if tag == "script" and "src" not in given and (given.get("type") or "").lower() not in _DATA_BLOCKS:
            self._open = self.scripts
        elif tag == "style":
            self._open = self.styles
        if self._open is not None:
            self._open.append("")
        if given.get("style"):
            self.attributes.add(str(given["style"]))

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self._open[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._open = None
