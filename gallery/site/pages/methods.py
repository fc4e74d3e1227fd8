"""The measured parts of the page on methods: methods × measures with their spread, and the test by randomisation."""

from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from gallery.evaluation.metrics import VERIFICATION_LIMIT
from gallery.methods import method_of
from gallery.site.language import language
from gallery.site.pages.gathered import GalleryInput
from gallery.site.pages.measures import MEASURES, Forgetting, Held, Overview, Spread, bound, forgetting, held, overview
from gallery.site.pages.method_table import method_table
from gallery.site.pages.page import Declaration, Document, Page
from gallery.site.pages.truest import Truest, truest
from gallery.site.templates import rendered
from gallery.store.records import Array

WIDTH, HEIGHT = 100, 40
"""Size of a picture, in units of its SVG."""


def methods_pages(gallery: GalleryInput) -> Iterator[Page]:
    """Yield the page."""
    code, methods, tests = gallery.code, gallery.header.methods, gallery.gathered.tests
    slots = {
        "methods": method_table(code),
        "measures": measures_fragment(code, methods, overview(methods, tests), len(tests), truest(methods, tests)),
        "captum": captum_fragment(code, held(methods, tests), len(tests)),
        "sanity": sanity_fragment(code, forgetting(methods, tests)),
    }
    yield Page("methods/", "methods/", slots)


def measures_fragment(code: str, methods: Sequence[str], measured: Overview, passages: int, best: Truest | None = None) -> Markup:
    """Return methods × measures with their spread, a picture for each method, and how far methods agree."""
    rows = [*measured.methods, *([measured.chance] if measured.chance else [])]
    known = {row.method for row in measured.methods if row.passages}
    untried = [language(code).gettext(method_of(method).title) for method in methods if known and method not in known]
    scales = {name: _scale([row.figures[name] for row in rows]) for name in MEASURES}
    return _fragment(code, "measures.html", found=measured, methods=methods, rows=rows, passages=passages, scales=scales, truest=best, untried=untried)


def captum_fragment(code: str, rows: Sequence[Held], passages: int) -> Markup:
    """Return each method's largest difference from Captum; without any, the command that measures them."""
    worst = max((row.worst for row in rows if row.worst is not None), default=None)
    checked = max((row.passages for row in rows), default=0)
    return _fragment(code, "captum.html", rows=rows, worst=worst, checked=checked, passages=passages, bound=bound, limit=VERIFICATION_LIMIT)


def sanity_fragment(code: str, curves: Sequence[Forgetting]) -> Markup:
    """Return each method's likeness to its own explanations as the model is randomised; without curves, the command that measures them."""
    return _fragment(code, "sanity.html", found=curves, ordered=sorted(curves, key=lambda curve: curve.left))


def line(values: Array) -> str:
    """Return points of an SVG polyline for values from 0 to 1, evenly spaced."""
    last = max(1, len(values) - 1)
    return " ".join(f"{WIDTH * i / last:.1f},{HEIGHT - HEIGHT * max(0.0, float(v)):.1f}" for i, v in enumerate(values))


def band(low: Array, high: Array) -> str:
    """Return points of an SVG polygon between two curves."""
    return " ".join([line(high), *reversed(line(low).split())])


def _scale(spreads: Sequence[Spread | None]) -> tuple[float, float]:
    """Return the ends of a column's scale: from the lowest quartile to the highest, always with 0."""
    known = [spread for spread in spreads if spread is not None]
    return min([0.0, *(spread.low for spread in known)]), max([1e-9, *(spread.high for spread in known)])


def _fragment(code: str, template: str, **values: Any) -> Markup:
    return rendered(code, template, line=line, band=band, **values)


DECLARATION = Declaration(
    position=50,
    documents=(Document("methods.md", ("methods", "captum", "measures", "sanity"), title=lambda _: _("Methods")),),
    pages=methods_pages,
    nav=lambda _: _("Methods"),
)
