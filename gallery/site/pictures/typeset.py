"""Typesetting for pictures: lines broken by widths that are measured in a font.

The font is PT Serif, which the pages ask for too; it comes as a package, so that a picture is the same on every machine.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import fontpkg
from PIL import ImageFont

from gallery.site.views import Piece

_MEASURED = 1000  # pixels per em for measuring, so large that hinting rounds nothing


@dataclass(frozen=True)
class Run:
    """A stretch of text on a line."""

    x: float
    width: float
    text: str
    number: int | None
    """Number of its word in the passage; None between words."""
    css: str
    """CSS class of its shade, as on the page."""


@cache
def face(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return the font at a size in pixels per em, with Pillow's basic layout whichever libraries are installed."""
    return ImageFont.truetype(str(fontpkg.path("PT Serif", weight=700 if bold else 400)), size, layout_engine=ImageFont.Layout.BASIC)


@cache
def _advance(character: str, bold: bool) -> float:
    return face(_MEASURED, bold).getlength(character) / _MEASURED


def width_of(text: str, size: float, bold: bool = False) -> float:
    """Return the width of a text in pixels, at a size in pixels per em."""
    return size * sum(_advance(character, bold) for character in text)


def set_lines(pieces: Iterable[Piece], width: float, size: float, bold: bool = False) -> list[list[Run]]:
    """Return one paragraph as lines of at most `width`, broken at white space, and within a word that is wider."""
    lines: list[list[Run]] = [[]]
    x = space = 0.0
    for chunk in _chunks(pieces):
        if not chunk[0].text.strip():
            space = width_of(" ", size, bold)
            continue
        whole = sum(width_of(piece.text, size, bold) for piece in chunk)
        if lines[-1] and x + space + whole > width:
            lines.append([])
            x = space = 0.0
        x += space
        space = 0.0
        for piece in chunk:
            for part in [piece.text] if whole <= width else _fitting(piece.text, width, size, bold):
                wide = width_of(part, size, bold)
                if lines[-1] and x + wide > width:
                    lines.append([])
                    x = 0.0
                lines[-1].append(Run(x, wide, part, piece.number, piece.css))
                x += wide
    return lines if lines[-1] else lines[:-1]


def set_plain(text: str, width: float, size: float, most: int, bold: bool = False) -> list[str]:
    """Return a plain text as at most `most` lines; an ellipsis ends a text that is cut."""
    pieces = [Piece(part, None) for word in text.split() for part in (word, " ")]
    lines = [line for line in set_lines(pieces, width, size, bold) if line]
    shown = [_spelled(line, size, bold) for line in lines[:most]]
    if len(lines) > most:
        last = shown[-1]
        while last and width_of(last + "…", size, bold) > width:
            last = last[:-1].rstrip()
        shown[-1] = last + "…"
    return shown


def _spelled(line: Sequence[Run], size: float, bold: bool) -> str:
    """Return a line as text, with a space wherever two runs stand apart."""
    text, end = "", 0.0
    for run in line:
        text += " " * (run.x - end > 0.5 * width_of(" ", size, bold)) + run.text
        end = run.x + run.width
    return text


def _chunks(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Yield the pieces between which a line may break: words with the marks that touch them, and white space."""
    chunk: list[Piece] = []
    for piece in pieces:
        if not piece.text.strip():
            if chunk:
                yield chunk
            yield [piece]
            chunk = []
        else:
            chunk.append(piece)
    if chunk:
        yield chunk


def _fitting(text: str, width: float, size: float, bold: bool) -> list[str]:
    """Return a word in parts that fit a line."""
    parts = [""]
    for character in text:
        if parts[-1] and width_of(parts[-1] + character, size, bold) > width:
            parts.append("")
        parts[-1] += character
    return parts
