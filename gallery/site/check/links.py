"""A page -> what it links to, what it loads, and the anchors it offers."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from gallery.site.remembered import open_base, written

# One pass over comments, scripts, styles and tags, in the order of the page. Possessive, no < outside quotes, and what is
# not closed runs to the end, as in a browser: so that no page can make it slow.
_ATTRIBUTES = r"""((?:"[^"]*+"|'[^']*+'|[^"'<>])*+)>"""
_MARKUP = re.compile(rf"<!--.*?(?:-->|\Z)|<(script|style)\b{_ATTRIBUTES}(.*?)(?:</\1\s*>|\Z)|<([a-zA-Z][^\s/<>]*+){_ATTRIBUTES}", re.DOTALL | re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)\s*=\s*("[^"]*"|'[^']*'|[^\s"'=<>`]+)""")
_TOLD = re.compile(r"(?:href|src|srcset|poster|id|name|style|action|data)\s*=", re.IGNORECASE)  # the few tags that say something here
_CSS = re.compile(r"""url\(\s*(["']?)(.*?)\1\s*\)|@import\s+(["'])(.*?)\3""", re.IGNORECASE)
_IMPORTS = [re.compile(rf"""{word}\s*\(?\s*(["'])((?:https?:)?//[^"']+)\1""") for word in ("from", "import")]  # a literal first: ten times faster
_ONLY_NAMES = {"canonical", "alternate", "next", "prev", "author", "license", "search", "me", "help", "edit"}
_LOADING = {"src", "srcset", "poster", "data-src"}


@dataclass
class Found:
    """What stands in a page."""

    links: list[str] = field(default_factory=list)
    """Addresses a reader may follow."""
    resources: list[str] = field(default_factory=list)
    """Addresses the browser loads by itself."""
    anchors: set[str] = field(default_factory=set)


def read_page(text: str) -> Found:
    """Return the links, resources and anchors of an HTML or SVG document."""
    found = Found()
    for match in _MARKUP.finditer(text):
        script, script_attributes, content, tag, attributes = match.groups()
        if script:
            _tag(found, script.lower(), script_attributes)
            found.resources += read_css(content) if script.lower() == "style" else read_script(content)
        elif tag:
            _tag(found, tag.lower(), attributes)
    return found


def read_css(text: str) -> list[str]:
    """Return what a style sheet loads."""
    return [found[1] or found[3] for found in _CSS.findall(text) if found[1] or found[3]]


def read_script(text: str) -> list[str]:
    """Return the modules of other hosts that a script imports; addresses in its strings are its own affair."""
    return [found[1] for pattern in _IMPORTS for found in pattern.findall(text)]


def _tag(found: Found, tag: str, text: str) -> None:
    if not _TOLD.search(text):
        return
    attributes = {name.lower(): unescape(value.strip("\"'")) for name, value in _ATTRIBUTE.findall(text)}
    for name in ("id", "name") if tag == "a" else ("id",):
        if name in attributes:
            found.anchors.add(attributes[name])
    for name in _LOADING & attributes.keys():
        values = [part.split()[0] for part in attributes[name].split(",") if part.split()] if name == "srcset" else [attributes[name]]
        found.resources += values
    href = attributes.get("href", attributes.get("xlink:href"))
    if tag == "object" and "data" in attributes:
        found.resources.append(attributes["data"])
    if tag in {"form", "button", "input"}:
        found.links += [attributes[name] for name in ("action", "formaction") if name in attributes]
    if href is not None:
        names_only = tag in {"a", "area"} or (tag == "link" and set(attributes.get("rel", "").lower().split()) <= _ONLY_NAMES)
        (found.links if names_only else found.resources).append(href)
    if tag == "meta" and attributes.get("property") in {"og:url", "og:image"}:
        found.links.append(attributes.get("content", ""))
    if "style" in attributes:
        found.resources += read_css(attributes["style"])


def other_host(address: str) -> str | None:
    """Return the host an address names, or None where it stays in the site."""
    try:
        return urlsplit(address).netloc or None
    except ValueError:
        return address


class Memory:
    """What stands in files, remembered from one check to the next as long as size and time of writing are the same."""

    def __init__(self, path: Path | None) -> None:
        self._base = open_base(path, "found", ("name", "state", "said"))
        self._program = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._base.commit()
        self._base.close()

    def read(self, site: Path, name: str) -> Found | None:
        """Return what stands in a file of a site, or None where it is of a kind that links nowhere."""
        suffix, path = Path(name).suffix, site / name
        if suffix not in {".html", ".svg", ".css", ".js", ".mjs"}:
            return None
        state = f"{self._program} {written(path)}"
        said = self._base.execute("select said from found where name = ? and state = ?", (name, state)).fetchone()
        if said is not None:
            links, resources, anchors = json.loads(said[0])
            return Found(links, resources, set(anchors))
        text = path.read_text("utf-8", "replace")
        found = read_page(text) if suffix in {".html", ".svg"} else Found(resources=(read_css if suffix == ".css" else read_script)(text))
        said = json.dumps([found.links, found.resources, sorted(found.anchors)])
        self._base.execute("replace into found values (?, ?, ?)", (name, state, said))
        return found
