"""The Content-Security-Policy of every page: scripts, styles and data of the site itself are allowed, nothing else.

Inline scripts and styles are allowed by their hash. The hashes are taken from the pages as MkDocs has rendered them, before any
text of a passage is in them, so no text can be among them. All pages carry one policy: the theme's instant
navigation puts a page into the document of another, whose policy stays in force.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from pathlib import Path

from gallery.site.html_reader import read_tags

_DATA_BLOCKS = {"application/json", "application/ld+json", "text/template"}
_META = '<meta http-equiv="Content-Security-Policy" content="{}">'
_HEAD = re.compile(r"<head\b[^>]*>(?:\s*<meta charset=[^>]*>)?", re.IGNORECASE)


def site_policy(documents: Iterable[str]) -> str:
    """Return the policy under which all of these pages work: scripts, styles, data, frames and workers of their own host.

    Pictures may also be data: (the theme's icons) and blob: (pictures that a reader saves).
    """
    scripts, styles, attributes = set(), set(), set()
    for document in documents:
        inline = _inline(document)
        scripts |= set(inline.scripts)
        styles |= set(inline.styles)
        attributes |= inline.attributes
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
    """Return the policy of a page within a frame, such as a view of bertviz: its first inline script, and pictures of its own host.

    Only the first script is allowed: if a token of the passage broke out of it, the rest would be a second script.
    """
    inline = _inline(document)
    return _policy(
        script_src=["'self'", *_hashes(inline.scripts[:1])],
        style_src=["'self'", *_hashes({*inline.styles, *inline.attributes}), "'unsafe-hashes'"],
        img_src=["'self'", "data:"],
        form_action=["'none'"],
    )


def with_policy(document: str, policy: str) -> str:
    """Return a page with a policy in its head, before anything that the policy restricts."""
    return _HEAD.sub(lambda head: head[0] + _META.format(escape(policy)), document, count=1)


def without_policy(document: bytes) -> bytes:
    """Return a page without its policy, for a server that adds a script of its own."""
    start, end = (part.encode() for part in _META.split("{}"))
    before, meta, after = document.partition(start)
    return before + after.partition(end)[2] if meta else document


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


@dataclass(frozen=True)
class _Inline:
    """The inline scripts and styles of a page, and the values of its style attributes."""

    scripts: list[str]
    styles: list[str]
    attributes: set[str]


def _inline(document: str) -> _Inline:
    """Return the inline scripts and styles of a page; blocks of data are no scripts."""
    inline = _Inline([], [], set())
    for tag in read_tags(document):
        attributes = tag.attributes()
        if tag.name == "script" and "src" not in attributes and (attributes.get("type") or "").lower() not in _DATA_BLOCKS:
            inline.scripts.append(tag.content or "")
        elif tag.name == "style":
            inline.styles.append(tag.content or "")
        if style := attributes.get("style"):
            inline.attributes.add(style)
    return inline
