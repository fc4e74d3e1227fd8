"""The page on scale: what tests/benchmarks/scale.py has measured, and its arithmetic for what has not been tried."""

import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from gallery.site.language import language
from gallery.site.pages.pages import Page
from gallery.site.templates import environment

_SIZES = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (0, "kB"))
_TIMES = ((2 * 86400, 86400, "days"), (2 * 3600, 3600, "h"), (120, 60, "min"), (0, 1, "s"))


def scale_pages(code: str, source: Path) -> list[Page]:
    """Return the page, filled from site_src/scale.json, or nothing where there are no figures."""
    path = source / "scale.json"
    if not path.is_file():
        return []
    figures: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return [Page("scale/", "scale/", {f"scale {part}": _fragment(code, part, figures) for part in ("measured", "passage", "time", "site")})]


def _fragment(code: str, part: str, figures: dict[str, Any]) -> Markup:
    template = environment(code).get_template("scale.html")
    return Markup(template.render(part=part, figures=figures, size=lambda value: size(code, value), time=lambda value: time(code, value)))


def size(code: str, value: float) -> str:
    """Return a number of bytes with its unit, 1 MB being a million bytes."""
    _ = language(code).gettext
    names = {"PB": _("PB"), "TB": _("TB"), "GB": _("GB"), "MB": _("MB"), "kB": _("kB")}
    unit, name = next((unit, name) for unit, name in _SIZES if value >= unit)
    return _figure(code, value / (unit or 1e3), names[name])


def time(code: str, value: float) -> str:
    """Return a number of seconds with a unit in which it is no less than 2, if there is one."""
    _ = language(code).gettext
    names = {"days": _("days"), "h": _("h"), "min": _("min"), "s": _("s")}
    unit, name = next((unit, name) for least, unit, name in _TIMES if value >= least)
    return _figure(code, value / unit, names[name])


def _figure(code: str, value: float, unit: str) -> str:
    return f"{language(code).number(value, 0 if value >= 10 else 1)}\u00a0{unit}"
