"""The page about the model, with the figures that training measured."""

from collections.abc import Iterator

from gallery.site.pages.gathered import GalleryInput
from gallery.site.pages.page import Declaration, Document, Page
from gallery.site.pages.quality import qualities
from gallery.site.templates import rendered


def model_pages(gallery: GalleryInput) -> Iterator[Page]:
    """Yield the page."""
    model = gallery.header.model
    figures = model.figures or {}
    lengths = sorted(figures.get("lengths", {}).items(), key=lambda item: int(item[0]))  # JSON keys are strings: 64 before 256
    measured = qualities(model.figures, model.calibration)
    yield Page("model/", "model/", {"model": rendered(gallery.code, "model.html", model=model, figures=figures, lengths=lengths, qualities=measured)})


DECLARATION = Declaration(
    position=60,
    documents=(Document("model.md", ("model",), title=lambda _: _("About the model"), hide="navigation"),),
    pages=model_pages,
    nav=lambda _: _("About the model"),
)
