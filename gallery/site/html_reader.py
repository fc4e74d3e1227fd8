"""The one reader of HTML: tags with their attributes, inline scripts and styles, and stretches whose white space must stay.

One pass of a regular expression over comments, scripts, styles and tags, in the order of the page. Its quantifiers are possessive,
no `<` counts outside quotes, and a tag that is not closed runs to the end, as in a browser: so no page can make it slow.
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

_ATTRIBUTES = r"""((?:"[^"]*+"|'[^']*+'|[^"'<>])*+)>"""
_MARKUP = re.compile(rf"<!--.*?(?:-->|\Z)|<(script|style)\b{_ATTRIBUTES}(.*?)(?:</\1\s*>|\Z)|<([a-zA-Z][^\s/<>]*+){_ATTRIBUTES}", re.DOTALL | re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'=<>`]+))?""")
_PRESERVED = re.compile(r"(<(script|style|pre|textarea)\b.*?</\2>)", re.DOTALL | re.IGNORECASE)


class Tag(NamedTuple):
    """A start tag of an HTML or SVG document."""

    name: str
    """In lower case."""
    source: str
    """Its attributes as written."""
    content: str | None = None
    """Text of a script or style; None for other tags."""

    def attributes(self) -> dict[str, str | None]:
        """Return the attributes by name in lower case, character references resolved; None for those without a value."""
        return {name.lower(): unescape(value.strip("\"'")) if value else None for name, value in _ATTRIBUTE.findall(self.source)}


def read_tags(document: str) -> Iterator[Tag]:
    """Yield the start tags of a document in order; comments, and tags within scripts and styles, are left out."""
    for match in _MARKUP.finditer(document):
        raw, raw_attributes, content, tag, attributes = match.groups()
        if raw:
            yield Tag(raw.lower(), raw_attributes, content)
        elif tag:
            yield Tag(tag.lower(), attributes)


def split_preserved(document: str) -> Iterator[tuple[str, bool]]:
    """Yield a document in parts, and whether white space must stay in each: in scripts, styles and preformatted text it must."""
    for number, part in enumerate(_PRESERVED.split(document)):
        if number % 3 < 2:  # of three parts a round, the third is the name of the tag again
            yield part, number % 3 == 1
