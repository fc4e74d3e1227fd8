"""What commands begin with that work on passages which are explained already: `sanity` and `verify`. Needs no torch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from gallery.config import Settings
from gallery.errors import GalleryError, command
from gallery.explain.needs import Need, entry_names
from gallery.explain.prepared import Run, prepare
from gallery.store.entries import Store
from gallery.store.manifest import EntryName, Header, Row, read_header, read_rows
from gallery.store.records import Prediction

Item = TypeVar("Item")


@dataclass(frozen=True)
class Explained:
    """A gallery's explained passages, with the model that explained them."""

    run: Run
    header: Header
    rows: list[Row]
    """At least one."""


def explained(settings: Settings, root: Path, idents: Sequence[str]) -> Explained:
    """Return the explained passages.

    Raises a GalleryError where there are none, where the store explains another model, and where one of the ids is unknown.
    """
    run = prepare(settings, root)
    header, rows = read_header(run.store), list(read_rows(run.store))
    if (run.model.digest, run.tokenizer.digest) != (header.model.weights_digest, header.model.tokenizer_digest):
        raise GalleryError(f"{run.model.name}: not the model that the store explains. Run: {command('explain')}")
    if not rows:
        raise GalleryError(f"No passage has been explained yet. Run: {command('explain')}")
    known = {row.id for row in rows}
    for ident in idents:
        if ident not in known:
            some = ", ".join([row.id for row in rows][:12])
            raise GalleryError(f"--id {ident}: no explained passage of that id. There are: {some}{', …' if len(rows) > 12 else ''}")
    return Explained(run, header, rows)


def prediction_of(store: Store, row: Row) -> Prediction:
    """Return a passage's prediction. Raises StoreError where it is missing or damaged."""
    prediction = store.read("prediction", row.entries[EntryName("prediction")])
    assert isinstance(prediction, Prediction)
    return prediction


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """Return `count` items, or all where there are fewer, evenly spread from the first to the last."""
    return [items[index] for index in sorted({int(position) for position in np.linspace(0, len(items) - 1, min(count, len(items))).round()})]


def with_entries(row: Row, needs: Iterable[Need], store: Store) -> Row:
    """Return a passage's row with those of the needs that the store has."""
    return replace(row, entries={**row.entries, **entry_names(need for need in needs if store.has(need.kind, need.key))})
