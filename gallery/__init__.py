"""Explanation Gallery: a static site in which a text classifier explains itself.

The names below are the public face: other programs may rely on them, and every other module may change between two versions.
Each is imported when it is first used, so `import gallery` loads neither torch nor MkDocs.

>>> from pathlib import Path
>>> import gallery
>>> config_file = Path("mkdocs.yml")
>>> settings = gallery.load_settings(config_file)
>>> problems = gallery.explain_passages(settings, config_file)
3 of 3 passages explained.
>>> store = gallery.open_store(settings, config_file)
>>> for row in gallery.read_rows(store):
...     prediction = store.read("prediction", row.entries[gallery.EntryName("prediction")])
...     print(row.id, len(prediction.words), prediction.probabilities.shape)
dusty-road 19 (3,)
old-yorick 20 (3,)
white-wall 21 (3,)
>>> gallery.render_site(settings, config_file)
Site: 3 passages (0 unchanged), 3 authors in site.
[]
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gallery.attribution.attribute import attribute
    from gallery.config import Settings, load_settings
    from gallery.errors import GalleryError, SourceError
    from gallery.halves import explain_passages, open_classifier, open_store, render_site
    from gallery.methods import Method, method_names, method_of
    from gallery.sources.kinds import Fetched, SourceKind
    from gallery.store.entries import Store
    from gallery.store.manifest import EntryName, Header, Row, read_header, read_rows
    from gallery.store.records import (
        Attention,
        Attribution,
        Bertviz,
        Chance,
        EveryClass,
        Faithfulness,
        Heads,
        Interactions,
        Model,
        Precision,
        Prediction,
        Sanity,
        Verification,
    )
    from gallery.testing import check_method

__version__ = "0.2.0.dev0"

_HOMES = {
    "gallery.config": ("load_settings", "Settings"),
    "gallery.halves": ("explain_passages", "render_site", "open_store", "open_classifier"),
    "gallery.store.entries": ("Store",),
    "gallery.store.manifest": ("EntryName", "Header", "Row", "read_header", "read_rows"),
    "gallery.store.records": (
        "Model", "Prediction", "Attribution", "Attention", "Heads", "Bertviz", "Faithfulness", "Chance", "Sanity", "Precision", "Verification", "Interactions",
        "EveryClass",
    ),
    "gallery.methods": ("Method", "method_names", "method_of"),
    "gallery.attribution.attribute": ("attribute",),
    "gallery.testing": ("check_method",),
    "gallery.sources.kinds": ("SourceKind", "Fetched"),
    "gallery.errors": ("GalleryError", "SourceError"),
}  # fmt: skip
"""Module -> the public names that it defines."""
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "load_settings", "Settings",
    "explain_passages", "render_site", "open_store", "open_classifier",
    "Store", "EntryName", "Header", "Row", "read_header", "read_rows",
    "Model", "Prediction", "Attribution", "Attention", "Heads", "Bertviz", "Faithfulness", "Chance", "Sanity", "Precision", "Verification", "Interactions",
    "EveryClass",
    "Method", "method_names", "method_of", "attribute", "check_method",
    "SourceKind", "Fetched",
    "GalleryError", "SourceError",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first used."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
