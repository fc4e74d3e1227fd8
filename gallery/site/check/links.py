"""The links of a page, the resources it loads, and the anchors it offers; remembered from one check to the next."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from gallery.site import html_reader
from gallery.site.build_cache import file_state, open_base
from gallery.site.html_reader import Tag, read_tags

_RELEVANT = re.compile(r"(?:href|src|srcset|poster|id|name|style|action|data)\s*=", re.IGNORECASE)  # few tags have any of these
_CSS = re.compile(r"""url\(\s*(["']?)(.*?)\1\s*\)|@import\s+(["'])(.*?)\3""", re.IGNORECASE)
# Two patterns that begin with a literal are ten times faster than one with a choice.
_IMPORTS = [re.compile(rf"""{word}\s*\(?\s*(["'])((?:https?:)?//[^"']+)\1""") for word in ("from", "import")]
_ONLY_NAMES = {"canonical", "alternate", "next", "prev", "author", "license", "search", "me", "help", "edit"}
_LOADING = {"src", "srcset", "poster", "data-src"}


@dataclass
class PageLinks:
    """The links, resources and anchors of a page, style sheet or script."""

    links: list[str] = field(default_factory=list)
    """Addresses that a reader may follow."""
    resources: list[str] = field(default_factory=list)
    """Addresses the browser loads by itself."""
    anchors: set[str] = field(default_factory=set)


def read_page(text: str) -> PageLinks:
    """Return the links, resources and anchors of an HTML or SVG document."""
    page = PageLinks()
    for tag in read_tags(text):
        if _RELEVANT.search(tag.source):
            _add_tag(page, tag)
        if tag.content is not None:
            page.resources += read_css(tag.content) if tag.name == "style" else read_script(tag.content)
    return page


def read_css(text: str) -> list[str]:
    """Return the addresses that a style sheet loads."""
    return [match[1] or match[3] for match in _CSS.findall(text) if match[1] or match[3]]


def read_script(text: str) -> list[str]:
    """Return the modules of other hosts that a script imports; addresses in its strings do not count."""
    return [match[1] for pattern in _IMPORTS for match in pattern.findall(text)]


def _add_tag(page: PageLinks, tag: Tag) -> None:
    attributes = {name: value for name, value in tag.attributes().items() if value is not None}
    for name in ("id", "name") if tag.name == "a" else ("id",):
        if name in attributes:
            page.anchors.add(attributes[name])
    for name in _LOADING & attributes.keys():
        values = [part.split()[0] for part in attributes[name].split(",") if part.split()] if name == "srcset" else [attributes[name]]
        page.resources += values
    href = attributes.get("href", attributes.get("xlink:href"))
    if tag.name == "object" and "data" in attributes:
        page.resources.append(attributes["data"])
    if tag.name in {"form", "button", "input"}:
        page.links += [attributes[name] for name in ("action", "formaction") if name in attributes]
    if href is not None:
        names_only = tag.name in {"a", "area"} or (tag.name == "link" and set(attributes.get("rel", "").lower().split()) <= _ONLY_NAMES)
        (page.links if names_only else page.resources).append(href)
    if tag.name == "meta" and attributes.get("property") in {"og:url", "og:image"}:
        page.links.append(attributes.get("content", ""))
    if "style" in attributes:
        page.resources += read_css(attributes["style"])


def other_host(address: str) -> str | None:
    """Return the host that an address names, or None for an address within the site."""
    try:
        return urlsplit(address).netloc or None
    except ValueError:
        return address


class LinkCache:
    """The links of files, kept from one check to the next as long as a file's size and time of writing stay the same."""

    def __init__(self, path: Path | None) -> None:
        self._base = open_base(path, "links", ("name", "state", "links"))
        self._program = hashlib.sha256(b"".join(Path(module).read_bytes() for module in (__file__, html_reader.__file__))).hexdigest()

    def __enter__(self) -> "LinkCache":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._base.commit()
        self._base.close()

    def read(self, site: Path, name: str) -> PageLinks | None:
        """Return the links of a file of a site, or None for a kind of file that has none."""
        suffix, path = Path(name).suffix, site / name
        if suffix not in {".html", ".svg", ".css", ".js", ".mjs"}:
            return None
        state = f"{self._program} {file_state(path)}"
        known = self._base.execute("select links from links where name = ? and state = ?", (name, state)).fetchone()
        if known is not None:
            links, resources, anchors = json.loads(known[0])
            return PageLinks(links, resources, set(anchors))
        text = path.read_text("utf-8", "replace")
        page = read_page(text) if suffix in {".html", ".svg"} else PageLinks(resources=(read_css if suffix == ".css" else read_script)(text))
        kept = json.dumps([page.links, page.resources, sorted(page.anchors)])
        self._base.execute("replace into links values (?, ?, ?)", (name, state, kept))
        return page
