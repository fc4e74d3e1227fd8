"""The manifest: what the explain half leaves for the render half to find its way in the store.

One JSON object a line: first the header, then a row for each passage, in the gallery's order.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any

from gallery.errors import StoreError
from gallery.records import SCHEMA, Model, canonical
from gallery.store import MANIFEST, Store


@dataclass(frozen=True)
class Header:
    """What holds for the whole gallery."""

    model: Model
    methods: tuple[str, ...]
    """Attribution methods, the one shown first in front."""
    scripts: str | None
    """Key of the scripts that bertviz's views need."""
    parts: dict[str, Any] = field(default_factory=dict)
    """What the keys of the entries are made of besides the passages, as `Planner.parts` gives it."""


@dataclass(frozen=True)
class Row:
    """A passage and the keys of its entries."""

    id: str
    title: str
    work: str
    source: str
    note: str
    true_class: int
    targets: tuple[int, ...]
    """The classes explained: true, predicted, runner-up, each once."""
    entries: dict[str, str]


def write_manifest(store: Store, header: Header, rows: Iterable[Row]) -> None:
    """Write the manifest in one step, row by row, so that a long one is never held.

    Raises StoreError where the system refuses.
    """
    first = canonical({"schema": SCHEMA, **asdict(header)})
    lines = chain([first], (canonical(asdict(row)) for row in rows))
    store.files.write(MANIFEST, (f"{line}\n".encode() for line in lines))


def read_header(store: Store) -> Header:
    """Return the manifest's header.

    Raises StoreError where there is no manifest, or it is of another schema.
    """
    path = store.files.where(MANIFEST)
    try:
        head: dict[str, Any] = json.loads(next(store.files.lines(MANIFEST), ""))
        if head.pop("schema") != SCHEMA:
            raise ValueError("it was written by another version")
        model = Model(**{**head["model"], "labels": tuple(head["model"]["labels"])})
        return Header(model=model, methods=tuple(head["methods"]), scripts=head["scripts"], parts=head.get("parts", {}))
    except FileNotFoundError as error:
        raise StoreError(f"{path}: no such file, so nothing has been explained yet. Run: python build.py explain") from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: cannot be read: {error}. Run: python build.py explain") from error


def read_rows(store: Store) -> Iterator[Row]:
    """Yield the manifest's rows, one by one.

    Raises StoreError, naming the line, where one is damaged.
    """
    for number, line in enumerate(store.files.lines(MANIFEST), 1):
        if number == 1:
            continue
        try:
            row = json.loads(line)
            yield Row(**{**row, "targets": tuple(row["targets"])})
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{store.files.where(MANIFEST)}: line {number}: damaged: {error}. Run: python build.py explain") from error
