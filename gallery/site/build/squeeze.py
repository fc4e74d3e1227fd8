"""White space that no reader sees, taken out of the pages that MkDocs has rendered."""

import re
from pathlib import Path

_KEPT = re.compile(r"(<(script|style|pre|textarea)\b.*?</\2>)", re.DOTALL | re.IGNORECASE)
_BREAKS = re.compile(r"[ \t]*\n\s*")


def squeezed(document: str) -> str:
    """Return a page with its lines neither indented nor apart; what stands in scripts, styles and preformatted text is kept to the letter.

    Every stretch of white space that has a line break becomes that break alone, which a browser shows alike.
    """
    parts = _KEPT.split(document)
    # Three parts a round: what lies between, what is kept, and the name of its tag.
    return "".join(_BREAKS.sub("\n", part) if place % 3 == 0 else part if place % 3 == 1 else "" for place, part in enumerate(parts))


def squeeze(folder: Path) -> None:
    """Squeeze every page of a folder."""
    for path in sorted(folder.rglob("*.html")):
        path.write_text(squeezed(path.read_text("utf-8")), "utf-8")
