"""The measured parts of the page on methods -> HTML fragments; pure, as in gallery/site/pages/fragments.py."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from gallery.site.pages.measures import MEASURES, Forgetting, Overview, Spread, Tested, forgetting, overview
from gallery.site.templates import environment
from gallery.store.manifest import Header
from gallery.store.records import Array

WIDTH, HEIGHT = 100, 40
"""Of a picture, in units of its SVG."""


def methods_slots(code: str, header: Header, tests: Sequence[Tested]) -> dict[str, Markup]:
    """Return the fragments of the page on methods, by slot name."""
    return {
        "measures": measures_fragment(code, header.methods, overview(header.methods, tests), len(tests)),
        "sanity": sanity_fragment(code, forgetting(header.methods, tests)),
    }


def measures_fragment(code: str, methods: Sequence[str], found: Overview, passages: int) -> Markup:
    """Return methods × measures with their spread, a picture for each method, and how far methods agree."""
    rows = [*found.methods, *([found.chance] if found.chance else [])]
    scales = {name: _scale([row.figures[name] for row in rows]) for name in MEASURES}
    return _render(code, "measures.html", found=found, methods=methods, rows=rows, passages=passages, scales=scales)


def sanity_fragment(code: str, found: Sequence[Forgetting]) -> Markup:
    """Return what is left of each method's explanations as the model forgets; or how to find out."""
    return _render(code, "sanity.html", found=found, ordered=sorted(found, key=lambda one: one.left))


def line(values: Array) -> str:
    """Return points of an SVG polyline for values from 0 to 1, evenly spaced."""
    last = max(1, len(values) - 1)
    return " ".join(f"{WIDTH * i / last:.1f},{HEIGHT - HEIGHT * max(0.0, float(v)):.1f}" for i, v in enumerate(values))


def band(low: Array, high: Array) -> str:
    """Return points of an SVG polygon between two curves."""
    return " ".join([line(high), *reversed(line(low).split())])


def _scale(spreads: Sequence[Spread | None]) -> tuple[float, float]:
    """Return the ends of a column's scale: from the lowest quartile to the highest, 0 always on it."""
    known = [spread for spread in spreads if spread is not None]
    return min([0.0, *(spread.low for spread in known)]), max([1e-9, *(spread.high for spread in known)])


def _render(code: str, template: str, **values: Any) -> Markup:
    return Markup(environment(code).get_template(template).render(line=line, band=band, **values))
