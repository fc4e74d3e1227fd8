"""The list of authors with their counts."""

from collections import Counter
from collections.abc import Iterator

from gallery.site.pages.gathered import GalleryInput
from gallery.site.pages.page import Declaration, Document, Page
from gallery.site.templates import rendered


def authors_pages(gallery: GalleryInput) -> Iterator[Page]:
    """Yield the page: one row for each author class, by name."""
    passages = Counter(number for card in gallery.cards for number in card.truth)
    right = Counter(number for card in gallery.cards for number in card.truth if number in card.verdict)
    rows = [(number, name, passages[number], right[number]) for number, name in enumerate(gallery.labels)]
    fragment = rendered(gallery.code, "authors.html", rows=sorted(rows, key=lambda row: row[1]), slugs=gallery.slugs())
    yield Page("authors/", "authors/", {"authors": fragment})


DECLARATION = Declaration(
    position=20,
    documents=(Document("authors/index.md", ("authors",), title=lambda _: _("Authors")),),
    pages=authors_pages,
    nav=lambda _: _("Authors"),
)
