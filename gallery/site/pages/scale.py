"""The page on scale: figures that tests/benchmarks/scale.py measured, and its arithmetic for sizes that were not tried."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from jinja2 import UndefinedError
from markupsafe import Markup
from pydantic import BaseModel, Field, ValidationError

from gallery.errors import SiteError, reason, short
from gallery.site.language import language
from gallery.site.pages.figures import folder_of, read_figures, remedy
from gallery.site.pages.gathered import GalleryInput
from gallery.site.pages.page import Declaration, Document, Page
from gallery.site.templates import rendered

FIGURES = "scale.json"
"""File name within the documents."""
PARTS = ("measured", "passage", "time", "site")
_PROGRAM = "python tests/benchmarks/scale.py"
_SIZES = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (0, "kB"))
_TIMES = ((2 * 86400, 86400, "days"), (2 * 3600, 3600, "h"), (120, 60, "min"), (0, 1, "s"))

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]


class _Build(BaseModel):
    passages: Count
    seconds: Amount
    processor_s: Amount
    incremental_s: Amount
    incremental_processor_s: Amount
    peak_mb: Amount
    bytes: Amount
    kinds: dict[str, Amount]


class _Model(BaseModel):
    name: str
    layers: Count
    width: Count
    flops: list[Amount]
    bytes: list[Amount]


class _Format(BaseModel):
    peak_tera: Amount
    seconds: dict[str, list[Amount]]


class _Paper(BaseModel):
    parts: dict[str, Amount]
    passes: Amount
    points: Count
    classes: Count
    bytes_a_number: Amount
    used: Amount
    lengths: list[Count]
    models: list[_Model]
    passages: list[Count]
    formats: dict[str, _Format]
    store_bytes: list[Amount]


class _Explained(BaseModel):
    passages: Count
    longest: Count
    seconds: Amount


class _Figures(BaseModel):
    pages: Annotated[list[_Build], Field(min_length=1)]
    cores: Count
    paper: _Paper
    explained: _Explained | None = None
    throughput_share: Amount | None = None
    ray_ratio: Amount | None = None
    ray_same_digest: bool | None = None


def scale_pages(gallery: GalleryInput) -> Iterator[Page]:
    """Yield the page, filled from scale.json.

    Raises SiteError where the figures are not as the benchmark writes them.
    """
    yield from scale_page(gallery.code, folder_of(gallery.source, FIGURES))


def scale_page(code: str, source: Path) -> list[Page]:
    """Return the page filled from the figures in the folder `source`, or nothing where there are none.

    Raises SiteError, naming the file and the key, where the figures are not as the benchmark writes them.
    """
    path = source / FIGURES
    figures = read_figures(path, _PROGRAM)
    if figures is None:
        return []
    try:
        _Figures.model_validate(figures)
        slots = {f"scale {part}": _fragment(code, part, figures) for part in PARTS}
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(step) for step in problem["loc"])
        raise SiteError(f"{path}: {key}: {problem['msg']}; it is {short(repr(problem['input']))}. {remedy(_PROGRAM)}") from error
    except (UndefinedError, LookupError, TypeError, ValueError) as error:  # keys that belong together and are not all there
        raise SiteError(f"{path}: incomplete: {reason(error)}. {remedy(_PROGRAM)}") from error
    return [Page("scale/", "scale/", slots)]


def _fragment(code: str, part: str, figures: dict[str, Any]) -> Markup:
    return rendered(code, "scale.html", part=part, figures=figures, size=partial(size, code), time=partial(time, code))


def size(code: str, value: float) -> str:
    """Return a number of bytes with its unit, 1 MB being a million bytes."""
    _ = language(code).gettext
    names = {"PB": _("PB"), "TB": _("TB"), "GB": _("GB"), "MB": _("MB"), "kB": _("kB")}
    unit, name = next((unit, name) for unit, name in _SIZES if value >= unit)
    return _figure(code, value / (unit or 1e3), names[name])


def time(code: str, value: float) -> str:
    """Return a number of seconds in the largest unit of which there are at least two, or in seconds."""
    _ = language(code).gettext
    names = {"days": _("days"), "h": _("h"), "min": _("min"), "s": _("s")}
    unit, name = next((unit, name) for least, unit, name in _TIMES if value >= least)
    return _figure(code, value / unit, names[name])


def _figure(code: str, value: float, unit: str) -> str:
    return f"{language(code).number(value, 0 if value >= 10 else 1)}\u00a0{unit}"


DECLARATION = Declaration(position=70, documents=(Document("scale.md"),), pages=scale_pages)
