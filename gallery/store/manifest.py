"""The manifest: what the explain half leaves for the render half to find its way in the store.

One JSON object a line: first the header, then a row for each passage, in the gallery's order, then how many there are.
Every line carries its own sha256, so that a changed title or figure is found as surely as a changed entry.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from gallery.errors import StoreError, reason
from gallery.store.entries import MANIFEST, Store
from gallery.store.records import SCHEMA, Model, canonical


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
    written = 0

    def lines() -> Iterator[str]:
        nonlocal written
        yield _seal({"schema": SCHEMA, **asdict(header)})
        for row in rows:
            written += 1
            yield _seal(asdict(row))
        yield _seal({"rows": written})

    store.files.write(MANIFEST, (f"{line}\n".encode() for line in lines()))


def read_header(store: Store) -> Header:
    """Return the manifest's header.

    Raises StoreError where there is no manifest, or it is of another schema.
    """
    path = store.files.where(MANIFEST)
    try:
        head = _unseal(next(store.files.lines(MANIFEST), ""))
        if head.pop("schema") != SCHEMA:
            raise ValueError("it was written by another version")
        model = Model(**{**head["model"], "labels": tuple(head["model"]["labels"])})
        return Header(model=model, methods=tuple(head["methods"]), scripts=head["scripts"], parts=head.get("parts", {}))
    except FileNotFoundError as error:
        raise StoreError(f"{path}: no such file, so nothing has been explained yet. Run: python build.py explain") from error
    except OSError as error:
        raise StoreError(f"{path}: {reason(error)}. Run: python build.py explain") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"{path}: cannot be read: {reason(error)}. Run: python build.py explain") from error


def read_rows(store: Store) -> Iterator[Row]:
    """Yield the manifest's rows, one by one.

    Raises StoreError, naming the line, where one is damaged or lines are missing at the end.
    """
    path = store.files.where(MANIFEST)
    number = 0
    try:
        for number, line in enumerate(store.files.lines(MANIFEST)):
            values = _unseal(line)
            if values.get("rows") == number - 1:
                return
            if number:
                yield Row(**{**values, "targets": tuple(values["targets"])})
        raise ValueError("it is cut short")
    except OSError as error:
        raise StoreError(f"{path}: {reason(error)}. Run: python build.py explain") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"{path}: line {number + 1}: damaged: {reason(error)}. Run: python build.py explain") from error


def _seal(values: dict[str, Any]) -> str:
    """Return a line that carries the sha256 of the rest of it."""
    return canonical({**values, "sha256": hashlib.sha256(canonical(values).encode()).hexdigest()})


def _unseal(line: str) -> dict[str, Any]:
    """Return what was sealed; raise ValueError where a character of it has changed."""
    values = json.loads(line)
    if not isinstance(values, dict) or values.pop("sha256", None) != hashlib.sha256(canonical(values).encode()).hexdigest():
        raise ValueError("the checksum does not match")
    return values
