"""The living examples on the page about reading explanations, all from one passage."""

from collections.abc import Iterator

from markupsafe import Markup

from gallery.site.pages.gathered import GalleryInput
from gallery.site.pages.page import Declaration, Document, Page
from gallery.site.pages.passage import word_rows
from gallery.site.pages.summary import Card
from gallery.site.passage_input import PassageInput
from gallery.site.templates import rendered
from gallery.site.views import view_of

EXAMPLES = ("contribution", "baseline", "delta", "attention")


def how_to_read_pages(gallery: GalleryInput) -> Iterator[Page]:
    """Yield the page with its examples; without passages its slots stay empty."""
    passage, card = gallery.surest(), gallery.gathered.surest_card
    if passage is not None and card is not None:
        yield Page("how-to-read/", "how-to-read/", examples(passage, card))


def examples(passage: PassageInput, card: Card) -> dict[str, Markup]:
    """Return the examples by slot name."""
    view = view_of(passage.main)
    rows = word_rows(passage.prediction, view)
    speaks_for = next((row for row in rows if row.value > 0), None)
    against = next((row for row in rows if row.value < 0), None)
    values = {"labels": passage.labels, "card": card, "view": view, "attribution": passage.main, "speaks_for": speaks_for, "against": against}
    return {f"example {kind}": rendered(passage.code, "example.html", kind=kind, **values) for kind in EXAMPLES}


DECLARATION = Declaration(
    position=40,
    documents=(Document("how-to-read.md"),),
    pages=how_to_read_pages,
    nav=lambda _: _("How to read this"),
)
