"""What the fault programs measured -> the table of the page on reliability."""

import json
from pathlib import Path

from markupsafe import Markup

from gallery.errors import SiteError
from gallery.site.pages.pages import Page
from gallery.site.templates import environment

FIGURES = "reliability.json"
"""In site_src/; written by `python -m tests.faults`."""
KEYS = ("kills", "kills_survived", "damages", "damages_found", "strings", "strings_executed", "fuzz_inputs", "fuzz_crashes")


def reliability_page(code: str, source: Path) -> Page:
    """Return the page whose table shows the figures that lie beside it.

    Raises SiteError where they are not what the programs write.
    """
    path = source / FIGURES
    try:
        found = json.loads(path.read_text("utf-8")) if path.exists() else {}
        figures = {key: int(found[key]) for key in KEYS if key in found}
    except (OSError, ValueError, TypeError) as error:
        raise SiteError(f"{path}: cannot be read: {error}. Run: python -m tests.faults, or remove it.") from error
    table = Markup(environment(code).get_template("reliability.html").render(figures=figures))
    return Page("reliability/", "reliability/", {"reliability": table})
