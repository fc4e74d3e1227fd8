"""The page on reliability: the table of figures that the fault programs measured."""

from collections.abc import Iterator
from pathlib import Path

from gallery.site.pages.figures import folder_of, number_of, read_figures
from gallery.site.pages.gathered import GalleryInput
from gallery.site.pages.page import Declaration, Document, Page
from gallery.site.templates import rendered

FIGURES = "reliability.json"
"""File name within the documents; `python -m tests.faults` writes it."""
KEYS = ("kills", "kills_survived", "damages", "damages_found", "strings", "strings_executed", "fuzz_inputs", "fuzz_crashes")
_PROGRAM = "python -m tests.faults"


def reliability_pages(gallery: GalleryInput) -> Iterator[Page]:
    """Yield the page.

    Raises SiteError where the figures are not as the programs write them.
    """
    yield reliability_page(gallery.code, folder_of(gallery.source, FIGURES))


def reliability_page(code: str, source: Path) -> Page:
    """Return the page whose table shows the figures in the folder `source`; figures that are missing are shown as not tried.

    Raises SiteError where the figures are not as the programs write them.
    """
    path = source / FIGURES
    measured = read_figures(path, _PROGRAM) or {}
    figures = {key: number_of(measured, key, path, _PROGRAM) for key in KEYS if key in measured}
    return Page("reliability/", "reliability/", {"reliability": rendered(code, "reliability.html", figures=figures)})


DECLARATION = Declaration(position=80, documents=(Document("reliability.md"),), pages=reliability_pages)
