"""The page on which two views of a passage, or two passages, stand side by side; JavaScript fills it."""

from collections.abc import Iterator

from gallery.site.language import language
from gallery.site.names import speaks_against, speaks_for
from gallery.site.pages.gathered import GalleryInput
from gallery.site.pages.numbers import numbers_name
from gallery.site.pages.page import Declaration, Document, Page
from gallery.site.templates import rendered
from gallery.site.views import LEVELS, knows_classes


def compare_pages(gallery: GalleryInput) -> Iterator[Page]:
    """Yield the page."""
    numbers = numbers_name(gallery.carried.packed)
    speech = language(gallery.code)
    speaks = [(speaks_for(speech, name), speaks_against(speech, name)) for name in gallery.labels]
    blind = [method for method in gallery.header.methods if not knows_classes(method)]
    values = {"labels": gallery.labels, "methods": gallery.header.methods, "levels": LEVELS, "numbers": numbers, "speaks": speaks, "blind": blind}
    fragment = rendered(gallery.code, "compare.html", **values)
    yield Page("compare/", "compare/", {"compare": fragment})


DECLARATION = Declaration(
    position=30,
    documents=(Document("compare.md", ("compare",), title=lambda _: _("Compare")),),
    pages=compare_pages,
    nav=lambda _: _("Compare"),
)
