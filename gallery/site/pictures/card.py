"""The card: the picture that a shared link shows, with title, author, verdict, and the first lines shaded.

Two layers of one byte a pixel, the pair of colours and the degree of ink, make a palette of 32 pairs × 8 degrees of ink:
a PNG of some 20 KB in a few milliseconds, the same bytes for the same text.
"""

import io
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import islice

from PIL import Image, ImageChops, ImageDraw

from gallery.site.language import language
from gallery.site.passage_input import PassageInput
from gallery.site.pictures.typeset import face, set_lines, set_plain, width_of
from gallery.site.verdict import lead, strongest_words
from gallery.site.view_labels import labels_of
from gallery.site.views import LEVELS, Piece

WIDTH, HEIGHT = 1200, 630
"""Size in pixels that social networks and messengers ask for."""

Colour = tuple[int, int, int]

PAPER: Colour = (253, 252, 249)
INK: Colour = (29, 27, 24)
TINTS: dict[str, Colour] = {"for": (224, 130, 20), "against": (128, 115, 172), "ink": (98, 93, 85)}
LINES: dict[str, Colour] = {"for": (179, 88, 6), "against": (84, 39, 136), "ink": (29, 27, 24)}
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
    """Return the opacity of the tint for a step of shading, 1 to LEVELS; gallery.css has the same."""
    return 0.10 + 0.44 * (step - 1) / (LEVELS - 1)


def underline(step: int) -> float:
    """Return the thickness of the line under a word of a step of shading, in ems."""
    return 0.176 * (step - 1) / (LEVELS - 1)


def blend(below: Colour, above: Colour, share: float) -> Colour:
    """Return a colour with a share of another laid over it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(below, above, strict=True))
    return red, green, blue


_PAIRS: dict[str, tuple[Colour, Colour]] = {
    "": (PAPER, INK),
    "quiet": (PAPER, _QUIET),
    "right": (PAPER, _RIGHT),
    "wrong": (PAPER, _WRONG),
    "rule": (_RULE, INK),
    **{f"{sign}line": (LINES[sign], INK) for sign in TINTS},
    **{f"{sign}{step}": (blend(PAPER, TINTS[sign], strength(step)), INK) for sign in TINTS for step in range(1, LEVELS + 1)},
}
"""Name -> colours of the ground and of the ink upon it."""
_NUMBERS = {name: _INKS * number for number, name in enumerate(_PAIRS)}


class _Sheet:
    """A card while it is drawn."""

    def __init__(self) -> None:
        self._pairs = Image.new("L", (WIDTH, HEIGHT))
        self._ink = Image.new("L", (WIDTH, HEIGHT))
        self._ground, self._pen = ImageDraw.Draw(self._pairs), ImageDraw.Draw(self._ink)

    def fill(self, left: float, top: float, right: float, bottom: float, pair: str) -> None:
        """Fill a rectangle with a pair's ground, up to but without `right` and `bottom`, rounded to pixels."""
        if round(right) > round(left) and round(bottom) > round(top):
            self._ground.rectangle((round(left), round(top), round(right) - 1, round(bottom) - 1), _NUMBERS[pair])

    def write(self, x: float, baseline: float, text: str, size: int, pair: str = "", bold: bool = False) -> float:
        """Write a line of text in the ink of a pair whose ground is paper; return its right end."""
        end = x + width_of(text, size, bold)
        self.fill(x - 2, baseline - size, end + 4, baseline + 0.35 * size, pair)
        self.ink(x, baseline, text, size, bold)
        return end

    def ink(self, x: float, baseline: float, text: str, size: int, bold: bool = False) -> None:
        """Write upon the ground that is there."""
        self._pen.text((round(x), baseline), text, 255, face(size, bold), anchor="ls")

    def stamp(self, x: int, y: int, mask: Image.Image, pair: str) -> None:
        """Draw a mask in the ink of a pair."""
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
    """Return a tick or a cross; drawn four times as large and reduced, so that its edges are smooth."""
    large = Image.new("L", (4 * side, 4 * side))
    strokes = [[(0.08, 0.56), (0.38, 0.86), (0.92, 0.16)]] if right else [[(0.14, 0.14), (0.86, 0.86)], [(0.86, 0.14), (0.14, 0.86)]]
    for stroke in strokes:
        points = [(4 * side * x, 4 * side * y) for x, y in stroke]
        ImageDraw.Draw(large).line(points, 255, width=round(0.14 * 4 * side), joint="curve")
    return large.resize((side, side), Image.Resampling.BOX)


def verdict(passage: PassageInput) -> str:
    """Return in words whether the model named the true author, and with which probability."""
    speech = language(passage.code)
    answer = speech.gettext("recognised") if passage.right else speech.gettext("the model says: %(name)s") % {"name": passage.answer}
    return f"{answer}, {speech.probability(passage.confidence)}"


def described(passage: PassageInput) -> str:
    """Return the description of a passage's page, which a shared link shows beside the card: the answer, and the words that speak for it."""
    speech = language(passage.code)
    words = ", ".join(speech.quoted(word) for _, word in strongest_words(passage, _NAMED))
    if not words:
        return lead(passage)
    heading = speech.gettext("What speaks for this answer most:") if passage.views[0].signed else speech.gettext("What matters most for this answer:")
    return f"{lead(passage)} {heading} {words}."


def passage_card(passage: PassageInput) -> bytes:
    """Return the PNG of a passage's card, shaded by the view that the page opens with."""
    speech, row, author = language(passage.code), passage.row, passage.author
    pair = "right" if passage.right else "wrong"
    sheet, across = _Sheet(), WIDTH - 2 * _MARGIN
    sheet.write(_MARGIN, 84, set_plain(f"{author}, {row.work}" if row.work else author, across, 30, 1)[0], 30, "quiet")
    y = _title(sheet, row.title, 96)
    sheet.stamp(_MARGIN, y + 20, _mark(passage.right), pair)
    sheet.write(_MARGIN + 48, y + 49, set_plain(verdict(passage), across - 48, 32, 1, bold=True)[0], 32, pair, bold=True)
    _text(sheet, beginning(passage.paragraphs), y + 92, HEIGHT - 92)
    sheet.fill(_MARGIN, HEIGHT - 78, WIDTH - _MARGIN, HEIGHT - 77, "rule")
    view, x = passage.views[0], float(_MARGIN)
    labels = labels_of(passage.code, passage.labels, view)
    signs = (("for", labels.speaks_for), ("against", labels.speaks_against)) if view.signed else (("ink", speech.gettext("strong, whether for or against")),)
    for sign, words in signs:
        _ground(sheet, x, x + 44, HEIGHT - 35, f"{sign}6", 34)
        x = sheet.write(x + 56, HEIGHT - 34, words, 26) + 32
    room = WIDTH - _MARGIN - x
    if room > 160:
        name = set_plain(passage.publication.name, room, 26, 1)[0]
        sheet.write(WIDTH - _MARGIN - width_of(name, 26), HEIGHT - 34, name, 26, "quiet")
    return sheet.png()


def site_card(title: str, description: str, figures: str, pieces: Sequence[Piece]) -> bytes:
    """Return the PNG of the card of all other pages; `pieces` begin the passage that represents the gallery, or are empty."""
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
    """Return the first pieces of a passage as one paragraph, more than fit on a card."""
    return list(islice((piece for paragraph in paragraphs for piece in (*paragraph, Piece(" ", None))), _PIECES))


def _title(sheet: _Sheet, title: str, top: int) -> int:
    """Write a title in at most two lines; return its lower end."""
    for line in set_plain(title, WIDTH - 2 * _MARGIN, 54, 2, bold=True):
        top += 62
        sheet.write(_MARGIN, top, line, 54, bold=True)
    return top


def _text(sheet: _Sheet, pieces: Iterable[Piece], top: int, bottom: int) -> None:
    """Write shaded words on as many whole lines as fit."""
    size, high = 34, 56
    shown = set_lines(pieces, WIDTH - 2 * _MARGIN, size)[: (bottom - top) // high]
    for number, line in enumerate(shown):
        baseline = top + number * high + 40
        for run in line:
            x, end = _MARGIN + run.x, _MARGIN + run.x + run.width
            if run.css:
                _ground(sheet, x, end, baseline, run.css, size)
            sheet.ink(x, baseline, run.text, size)


def _ground(sheet: _Sheet, left: float, right: float, baseline: float, css: str, size: int) -> None:
    """Fill the ground of a word: tint, and a line below for, dots above against, as in gallery.css."""
    thick = max(1.0, underline(int(css[-1])) * size)
    sheet.fill(left, baseline - 31, right, baseline + 13, css)
    line = f"{css[:-1]}line"
    if not css.startswith("against"):
        sheet.fill(left, baseline + 13 - thick, right, baseline + 13, line)
        return
    for dot in range(round(left), round(right), max(2, round(2 * thick))):
        sheet.fill(dot, baseline - 31, min(dot + round(thick), right), baseline - 31 + thick, line)
