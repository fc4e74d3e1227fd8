"""A shaded passage as a picture that stands alone: an SVG whose words can be selected, with title, legend and address."""

from collections.abc import Sequence

from gallery.site.pictures.card import INK, LINES, PAPER, TINTS, Colour, blend, strength, underline
from gallery.site.pictures.typeset import set_lines, set_plain
from gallery.site.templates import environment
from gallery.site.views import LEVELS, Piece, View
from gallery.store.manifest import Header, Row
from gallery.store.records import Prediction

_WIDTH, _MARGIN, _SIZE, _LINE = 760, 40, 20, 36


def shaded_passage(code: str, header: Header, row: Row, prediction: Prediction, view: View, paragraphs: Sequence[Sequence[Piece]], address: str) -> str:
    """Return the SVG of a passage shaded by one view.

    Lines are broken by widths measured in PT Serif, and each word says its width, so that another font keeps the lines.
    Each shade is a paint server (`url(#for3)`), so that downloads.js changes the view by changing names.
    """
    across = _WIDTH - 2 * _MARGIN
    titles = set_plain(row.title, across, 26, 2, bold=True)
    top = 134 + 34 * len(titles)
    lines = []
    for paragraph in paragraphs:
        lines += [(top + _LINE * number, line) for number, line in enumerate(set_lines(paragraph, across, _SIZE))]
        top = (lines[-1][0] if lines else top) + round(1.4 * _LINE)
    bottom = lines[-1][0] if lines else top
    return (
        environment(code)
        .get_template("shaded.svg")
        .render(
            width=_WIDTH,
            height=bottom + 146,
            margin=_MARGIN,
            titles=titles,
            author=", ".join(part for part in (header.model.labels[row.true_class], row.work) if part),
            row=row,
            view=view,
            labels=header.model.labels,
            right=prediction.ranking[0] == row.true_class,
            predicted=prediction.ranking[0],
            confidence=float(prediction.probabilities[prediction.ranking[0]]),
            lines=lines,
            bottom=bottom,
            scale=max((abs(v) for v in view.words), default=0.0),
            shades=[(f"{way}{step}", *_paint(way, step)) for way in TINTS for step in range(1, LEVELS + 1)],
            paper=_hex(PAPER),
            ink=_hex(INK),
            address=address,
        )
    )


_HIGH = 29  # of a word's ground, in the template's units


def _paint(way: str, step: int) -> tuple[str, str, str]:
    """Return the colour of a ground, where the line under the word begins on it, from 0 to 1, and the line's colour."""
    return _hex(blend(PAPER, TINTS[way], strength(step))), f"{1 - underline(step) * _SIZE / _HIGH:.3f}", _hex(LINES[way])


def _hex(colour: Colour) -> str:
    return "#" + bytes(colour).hex()
