"""The picture that stands for a page where a link to it is shared: title, author, verdict, the first lines shaded.

Drawn as two layers of one byte a pixel, which pair of colours and how much ink, that together are a palette of
32 pairs × 8 degrees of ink: a PNG of some 20 KB in a few milliseconds, the same bytes for the same text.
"""

import io
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import islice

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from gallery.site.language import language
from gallery.site.pictures.typeset import face, set_lines, set_plain, width_of
from gallery.site.views import LEVELS, Piece
from gallery.store.manifest import Header, Row
from gallery.store.records import Attribution, Prediction

WIDTH, HEIGHT = 1200, 630
"""What social networks and messengers ask for."""

Colour = tuple[int, int, int]

PAPER: Colour = (253, 252, 249)
INK: Colour = (29, 27, 24)
TINTS: dict[str, Colour] = {"for": (224, 130, 20), "against": (128, 115, 172)}
LINES: dict[str, Colour] = {"for": (179, 88, 6), "against": (84, 39, 136)}
_QUIET: Colour = (98, 93, 85)
_RULE: Colour = (221, 216, 205)
_RIGHT: Colour = (27, 106, 71)
_WRONG: Colour = (143, 45, 45)
_MARGIN = 64
_PIECES = 200
_NAMED = 5
"""Words that a description names."""
_INKS = 8
_DEGREES = [value * _INKS // 256 for value in range(256)]


def strength(step: int) -> float:
    """Return how much of its tint a step of shading, 1 to LEVELS, lays over the paper; gallery.css has the same."""
    return 0.10 + 0.44 * (step - 1) / (LEVELS - 1)


def underline(step: int) -> float:
    """Return the thickness of the line under a word of a step of shading, in ems."""
    return 0.176 * (step - 1) / (LEVELS - 1)


def blend(one: Colour, other: Colour, share: float) -> Colour:
    """Return a colour with a share of another laid over it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


_PAIRS: dict[str, tuple[Colour, Colour]] = {
    "": (PAPER, INK),
    "quiet": (PAPER, _QUIET),
    "right": (PAPER, _RIGHT),
    "wrong": (PAPER, _WRONG),
    "rule": (_RULE, INK),
    **{f"{way}line": (LINES[way], INK) for way in TINTS},
    **{f"{way}{step}": (blend(PAPER, TINTS[way], strength(step)), INK) for way in TINTS for step in range(1, LEVELS + 1)},
}
"""Name -> the ground and the ink upon it."""
_NUMBERS = {name: _INKS * number for number, name in enumerate(_PAIRS)}


class _Sheet:
    """A card in the making."""

    def __init__(self) -> None:
        self._pairs = Image.new("L", (WIDTH, HEIGHT))
        self._ink = Image.new("L", (WIDTH, HEIGHT))
        self._ground, self._pen = ImageDraw.Draw(self._pairs), ImageDraw.Draw(self._ink)

    def fill(self, left: float, top: float, right: float, bottom: float, pair: str) -> None:
        """Lay a ground, edges in whole pixels; right and bottom are the first left out."""
        if round(right) > round(left) and round(bottom) > round(top):
            self._ground.rectangle((round(left), round(top), round(right) - 1, round(bottom) - 1), _NUMBERS[pair])

    def write(self, x: float, baseline: float, text: str, size: int, pair: str = "", bold: bool = False) -> float:
        """Write a line of text, in the ink of a pair whose ground is paper; return where it ends."""
        end = x + width_of(text, size, bold)
        self.fill(x - 2, baseline - size, end + 4, baseline + 0.35 * size, pair)
        self.ink(x, baseline, text, size, bold)
        return end

    def ink(self, x: float, baseline: float, text: str, size: int, bold: bool = False) -> None:
        """Write upon whatever ground there is."""
        self._pen.text((round(x), baseline), text, 255, face(size, bold), anchor="ls")

    def stamp(self, x: int, y: int, mask: Image.Image, pair: str) -> None:
        """Lay a mask of ink down, in the ink of a pair."""
        self.fill(x, y, x + mask.width, y + mask.height, pair)
        self._ink.paste(mask, (x, y))

    def png(self) -> bytes:
        """Return the card as a file."""
        image = ImageChops.add(self._pairs, self._ink.point(_DEGREES))
        image.putpalette(_palette())
        file = io.BytesIO()
        image.save(file, "PNG", compress_level=5)  # a third faster than 6, for one kilobyte
        return file.getvalue()


@cache
def _palette() -> bytes:
    return b"".join(bytes(blend(ground, ink, degree / (_INKS - 1))) for ground, ink in _PAIRS.values() for degree in range(_INKS))


@cache
def _mark(right: bool, side: int = 34) -> Image.Image:
    """Return a tick or a cross, drawn four times as large, so that its edges are smooth."""
    large = Image.new("L", (4 * side, 4 * side))
    strokes = [[(0.08, 0.56), (0.38, 0.86), (0.92, 0.16)]] if right else [[(0.14, 0.14), (0.86, 0.86)], [(0.86, 0.14), (0.14, 0.86)]]
    for stroke in strokes:
        points = [(4 * side * x, 4 * side * y) for x, y in stroke]
        ImageDraw.Draw(large).line(points, 255, width=round(0.14 * 4 * side), joint="curve")
    return large.resize((side, side), Image.Resampling.BOX)


def verdict(code: str, header: Header, row: Row, prediction: Prediction) -> str:
    """Return in words whether the model named the true author, and how sure it was."""
    speech = language(code)
    predicted = prediction.ranking[0]
    said = (
        speech.gettext("recognised") if predicted == row.true_class else speech.gettext("the model says: %(name)s") % {"name": header.model.labels[predicted]}
    )
    return f"{said}, {speech.percent(float(prediction.probabilities[predicted]))}"


def described(code: str, header: Header, row: Row, prediction: Prediction, attribution: Attribution) -> str:
    """Return a passage's page in a sentence or two, as a shared link shows it beside the card."""
    texts = [text.lower() for text in prediction.word_texts()]
    strongest = [texts[i] for i in np.argsort(-attribution.words, kind="stable") if attribution.words[i] > 0 and any(c.isalpha() for c in texts[i])]
    words = ", ".join(f"«{word}»" if code == "ru" else f"“{word}”" for word in list(dict.fromkeys(strongest))[:_NAMED])
    told = f"{header.model.labels[row.true_class]}: {verdict(code, header, row, prediction)}."
    return f"{told} {language(code).gettext('What speaks for this author most: %(words)s.') % {'words': words}}" if words else told


def passage_card(code: str, header: Header, row: Row, prediction: Prediction, shaded: Sequence[Sequence[Piece]], site: str) -> bytes:
    """Return the PNG of a passage's card; `shaded` are its paragraphs in the view that the page opens with."""
    speech = language(code)
    author, right = header.model.labels[row.true_class], prediction.ranking[0] == row.true_class
    pair = "right" if right else "wrong"
    sheet, across = _Sheet(), WIDTH - 2 * _MARGIN
    sheet.write(_MARGIN, 84, set_plain(f"{author}, {row.work}" if row.work else author, across, 30, 1)[0], 30, "quiet")
    y = _title(sheet, row.title, 96)
    sheet.stamp(_MARGIN, y + 20, _mark(right), pair)
    sheet.write(_MARGIN + 48, y + 49, set_plain(verdict(code, header, row, prediction), across - 48, 32, 1, bold=True)[0], 32, pair, bold=True)
    _text(sheet, beginning(shaded), y + 92, HEIGHT - 92)
    sheet.fill(_MARGIN, HEIGHT - 78, WIDTH - _MARGIN, HEIGHT - 77, "rule")
    x = sheet.write(_MARGIN, HEIGHT - 34, f"{author}:", 26) + 24
    for way, words in (("for", speech.gettext("speaks for")), ("against", speech.gettext("speaks against"))):
        sheet.fill(x, HEIGHT - 58, x + 44, HEIGHT - 30, f"{way}6")
        sheet.fill(x, HEIGHT - 30, x + 44, HEIGHT - 26, f"{way}line")
        x = sheet.write(x + 56, HEIGHT - 34, words, 26) + 32
    room = WIDTH - _MARGIN - x
    if room > 160:
        name = set_plain(site, room, 26, 1)[0]
        sheet.write(WIDTH - _MARGIN - width_of(name, 26), HEIGHT - 34, name, 26, "quiet")
    return sheet.png()


def site_card(title: str, description: str, figures: str, pieces: Sequence[Piece]) -> bytes:
    """Return the PNG of the card of all other pages; `pieces` are of the passage that speaks for the gallery, or none."""
    sheet = _Sheet()
    y = _title(sheet, title, 70)
    for line in set_plain(description, WIDTH - 2 * _MARGIN, 34, 2) if description else ():
        y += 48
        sheet.write(_MARGIN, y, line, 34, "quiet")
    _text(sheet, pieces, y + 56, HEIGHT - 92)
    sheet.fill(_MARGIN, HEIGHT - 78, WIDTH - _MARGIN, HEIGHT - 77, "rule")
    sheet.write(_MARGIN, HEIGHT - 34, figures, 26, "quiet")
    return sheet.png()


def beginning(paragraphs: Sequence[Sequence[Piece]]) -> list[Piece]:
    """Return more pieces of a passage than a card has room for, as one paragraph."""
    return list(islice((piece for paragraph in paragraphs for piece in (*paragraph, Piece(" ", None))), _PIECES))


def _title(sheet: _Sheet, title: str, top: int) -> int:
    """Write a title in no more than two lines; return where it ends."""
    for line in set_plain(title, WIDTH - 2 * _MARGIN, 54, 2, bold=True):
        top += 62
        sheet.write(_MARGIN, top, line, 54, bold=True)
    return top


def _text(sheet: _Sheet, pieces: Iterable[Piece], top: int, bottom: int) -> None:
    """Write shaded words on as many whole lines as there is room for."""
    size, high = 34, 56
    shown = set_lines(pieces, WIDTH - 2 * _MARGIN, size)[: (bottom - top) // high]
    for number, line in enumerate(shown):
        baseline = top + number * high + 40
        for placed in line:
            x, end = _MARGIN + placed.x, _MARGIN + placed.x + placed.width
            if placed.css:
                thick = underline(int(placed.css[-1])) * size
                sheet.fill(x, baseline - 31, end, baseline + 13, placed.css)
                sheet.fill(x, baseline + 13 - thick, end, baseline + 13, f"{placed.css[:-1]}line")
            sheet.ink(x, baseline, placed.text, size)
