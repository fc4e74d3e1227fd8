"""A shaded passage as a picture by itself: an SVG whose words can be selected, with title, legend and address."""

from gallery.site.passage_input import PassageInput
from gallery.site.pictures.card import INK, LINES, PAPER, TINTS, Colour, blend, strength, underline
from gallery.site.pictures.typeset import set_lines, set_plain
from gallery.site.templates import environment
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
            shades=[(f"{sign}{step}", *_paint(sign, step)) for sign in TINTS for step in range(1, LEVELS + 1)],
            paper=_hex(PAPER),
            ink=_hex(INK),
            address=passage.publication.address(row.id),
        )
    )


_HEIGHT = 29  # of a word's ground, in the template's units


def _paint(sign: str, step: int) -> tuple[str, str, str]:
    """Return the colour of a word's ground, the upper edge of the underline on it, from 0 to 1, and the underline's colour."""
    return _hex(blend(PAPER, TINTS[sign], strength(step))), f"{1 - underline(step) * _SIZE / _HEIGHT:.3f}", _hex(LINES[sign])


def _hex(colour: Colour) -> str:
    return "#" + bytes(colour).hex()
