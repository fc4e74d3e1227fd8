"""The list of all pages: every module of this room that has a `DECLARATION`. Build, navigation and check read it."""

import importlib
import pkgutil
from functools import cache

from gallery.site import pages
from gallery.site.pages.page import Declaration, Document


@cache
def declarations() -> tuple[Declaration, ...]:
    """Return the kinds of pages, in the order of the navigation."""
    names = sorted(module.name for module in pkgutil.iter_modules(pages.__path__))
    modules = (importlib.import_module(f"{pages.__name__}.{name}") for name in names)
    declared = (module.DECLARATION for module in modules if hasattr(module, "DECLARATION"))
    return tuple(sorted(declared, key=lambda declaration: declaration.position))


def documents() -> tuple[Document, ...]:
    """Return the documents of all pages."""
    return tuple(document for declaration in declarations() for document in declaration.documents)


def required_addresses() -> tuple[str, ...]:
    """Return the addresses that every site has, besides those of its passages and authors."""
    return tuple(document.address for document in documents() if document.slots and document.title)
