"""Kinds of source: how a configured name is recognised, and how its files are fetched.

Every module of this room that has a `SOURCE` is a kind of source. Another package adds one by an entry point of the group
`gallery.sources`, whose name is the scheme: `demo = "package.module:SOURCE"` answers to `model: demo:anything`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from pkgutil import iter_modules
from typing import NamedTuple

from gallery.errors import SourceError, reason

GROUP = "gallery.sources"
"""Group of the entry points by which other packages add kinds."""
_SCHEME = re.compile(r"([a-z][a-z0-9_+.-]+):")  # two letters at least: C: is a drive


class Fetched(NamedTuple):
    """The verified files of a model or tokenizer.

    >>> Fetched(Path("models/authors"), "models/authors").notes
    ()
    """

    folder: Path
    resolved: str
    """The exact version that the name stood for, without machine paths; stored, and shown on the pages."""
    notes: tuple[str, ...] = ()
    """What the person who runs the build should know."""


@dataclass(frozen=True)
class SourceKind:
    """A kind of source.

    `fetch` must verify what it fetches, keep it for builds without a network, and raise SourceError with a message that
    begins with the name and says what to do.

    >>> def fetch(name, root, weights):
    ...     return Fetched(root / "models" / name.removeprefix("shelf:"), name)
    >>> kind = SourceKind("shelf:name", lambda name, root: name.startswith("shelf:"), fetch)
    >>> kind.fetch("shelf:authors", Path(), True).folder.as_posix()
    'models/authors'
    """

    form: str
    """How a name of this kind is written, for messages: "org/name@revision"."""
    recognises: Callable[[str, Path], bool]
    """(configured name, folder of mkdocs.yml) -> whether the name is of this kind."""
    fetch: Callable[[str, Path, bool], Fetched]
    """(configured name, folder of mkdocs.yml, whether weights are needed) -> the files; without weights, those of the tokenizer."""
    rank: int = 0
    """Kinds are asked in this order whether they recognise a name. A scheme is certain, so 0; names that look alike come later."""


def source_kind(name: str, root: Path) -> SourceKind:
    """Return the kind of a configured name.

    Other packages are looked at only if the name has a scheme that is not ours, so that a broken one harms nobody else.
    Raises SourceError if no kind recognises the name.
    """
    own = _own_kinds()
    for kind in own:
        if kind.recognises(name, root):
            return kind
    scheme = _SCHEME.match(name)
    added = entry_points(group=GROUP)
    if scheme and scheme[1] in added.names:
        return _loaded(name, added[scheme[1]])
    forms = [*sorted(kind.form for kind in own), *sorted(f"{other}:…" for other in added.names)]
    raise SourceError(f"{name}: no such folder. Correct extra.gallery.model (or tokenizer): {', '.join(forms[:-1])}, or {forms[-1]}.")


@cache
def _own_kinds() -> tuple[SourceKind, ...]:
    """Return the kinds of this room's modules, in the order in which they are asked."""
    room = __name__.rpartition(".")[0]
    modules = [import_module(f"{room}.{module.name}") for module in iter_modules(import_module(room).__path__)]
    return tuple(sorted((module.SOURCE for module in modules if hasattr(module, "SOURCE")), key=lambda kind: kind.rank))


def _loaded(name: str, added: EntryPoint) -> SourceKind:
    package = added.dist.name if added.dist else added.value
    try:
        kind = added.load()
    except Exception as error:  # whatever the package does when it is imported
        raise SourceError(f"{name}: the package {package}, which adds {added.name}:, cannot be loaded: {reason(error)}. Update or uninstall it.") from error
    if not isinstance(kind, SourceKind):
        raise SourceError(f"{name}: {added.value} of the package {package} is no gallery.sources.kinds.SourceKind. Update or uninstall it.")
    return kind
