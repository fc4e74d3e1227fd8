"""A shaded passage as a picture by itself: an SVG whose words can be selected, with title, legend and address."""

from dataclasses import dataclass

from gallery.site.passage_input import PassageInput
from gallery.site.pictures.card import INK, LINES, PAPER, TINTS, Colour, blend, strength, underline
from gallery.site.pictures.typeset import set_lines, set_plain
from gallery.site.templates import environment
from gallery.site.view_labels import labels_of
from gallery.site.views import LEVELS

_WIDTH, _MARGIN, _SIZE, _LINE = 760, 40, 20, 36


def shaded_passage(passage: PassageInput) -> str:
    """Return the SVG of a passage, shaded by the view that its page opens with.

    Lines are broken by widths measured in PT Serif, and each word carries its width, so that another font keeps the lines.
    Each shade is a paint server (`url(#for3)`), so that downloads.js changes the view by changing names.
    """
    row, view = passage.row, passage.views[0]
    across = _WIDTH - 2 * _MARGIN
    titles = set_plain(row.title, across, 26, 2, bold=True)
    top = 134 + 34 * len(titles)
    lines = []
    for paragraph in passage.paragraphs:
        lines += [(top + _LINE * number, line) for number, line in enumerate(set_lines(paragraph, across, _SIZE))]
        top = (lines[-1][0] if lines else top) + round(1.4 * _LINE)
    bottom = lines[-1][0] if lines else top
    return (
        environment(passage.code)
        .get_template("shaded.svg")
        .render(
            width=_WIDTH,
            height=bottom + 146,
            margin=_MARGIN,
            titles=titles,
            author=", ".join(part for part in (passage.author, row.work) if part),
            row=row,
            view=view,
            labels=passage.labels,
            right=passage.right,
            answer=passage.answer,
            confidence=passage.confidence,
            lines=lines,
            bottom=bottom,
            scale=max((abs(v) for v in view.words), default=0.0),
            explained=labels_of(passage.code, passage.labels, view),
            shades=[_paint(sign, step) for sign in TINTS for step in range(1, LEVELS + 1)],
            paper=_hex(PAPER),
            ink=_hex(INK),
            address=passage.publication.address(row.id),
        )
    )


_HEIGHT = 29  # of a word's ground, in the template's units


@dataclass(frozen=True)
class Paint:
    """The paint server of a step of shading."""

    name: str
    ground: str
    line: str
    thick: float
    """Thickness of the line below a word, or size of the dots above it."""
    edge: float
    """Upper edge of the line below, as a share of the word's height."""


def _paint(sign: str, step: int) -> Paint:
    thick = max(1.0, round(underline(step) * _SIZE, 2))
    return Paint(f"{sign}{step}", _hex(blend(PAPER, TINTS[sign], strength(step))), _hex(LINES[sign]), thick, round(1 - thick / _HEIGHT, 3))


def _hex(colour: Colour) -> str:
    return "#" + bytes(colour).hex()
