"""Why a passage has to be explained again: which part of its entries' keys has changed since the last finished run."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from gallery.disk_dict import DiskDict
from gallery.errors import StoreError
from gallery.explain.needs import Need
from gallery.explain.plan import Job, Planner
from gallery.store.entries import Store
from gallery.store.keys import canonical
from gallery.store.manifest import EntryName, Row, read_header, read_rows

NEW = "new passage"
UNFINISHED = "not finished last time"
EDITED = "text edited"
CLASS = "another class is explained"
LOST = "lost or damaged in the store"
UNKNOWN = "settings or text changed (the store was made by an earlier version)"

MORE_FILES = "tokenizer: all files of its folder count now, not those of a list alone"

_DIGESTS = {"weights": "model", "tokenizer": "tokenizer"}


class Before:
    """What the entries of the last finished run depended on, according to its manifest."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: DiskDict | None = None
        self._parts: Mapping[str, Mapping[str, Any]] = {}
        self._card: dict[str, str] | None = None
        self._unfinished: tuple[str, ...] = ()
        try:
            header = read_header(store)
        except StoreError:
            return
        self._parts, self._unfinished = header.parts, header.unfinished
        self._card = {"weights": header.model.weights_digest, "tokenizer": header.model.tokenizer_digest}

    def reasons(self, job: Job, planner: Planner) -> list[str]:
        """Return the reasons why a passage must be explained, each once."""
        row = self._row(job.passage.id)
        if row is None:
            return [NEW if job.missing[0].kind == "prediction" else UNFINISHED]
        if not self._parts:
            return self._named(_differences(self._card or {}, planner.parts["prediction"], common=True), planner) or [UNKNOWN]
        prediction = EntryName("prediction")
        if row.get(prediction) != Need(prediction, self._parts["prediction"], passage={"text": job.passage.text}).key:
            return [EDITED]
        why: dict[str, None] = {}
        for need in job.missing:
            why |= dict.fromkeys(self._changes(need, row, planner))
        return list(why)

    def _changes(self, need: Need, row: Mapping[EntryName, str], planner: Planner) -> list[str]:
        changes = self._named(_differences(self._parts["prediction"], planner.parts["prediction"]), planner)
        if changes or need.kind == "prediction":
            return changes or [LOST]
        if need.part in self._unfinished:
            return [UNFINISHED]
        if need.part not in self._parts:
            tried = any(EntryName.parse(part).kind == need.kind for part in self._parts)
            if need.kind == "faithfulness" and tried and str(EntryName("attribution", need.method)) in self._parts:
                return [f"put to the test: {need.method}"]
            known = need.method and (need.kind == "attribution" or tried)
            return [f"new method: {need.method}" if known else f"new: {need.kind}"]
        changes = _differences(self._parts[need.part], need.depends)
        return changes or [LOST if row.get(need.name) == need.key else CLASS]

    def _named(self, changes: list[str], planner: Planner) -> list[str]:
        """Return changes, where the same tokenizer has another digest only because more of its files count."""
        same = self._card is not None and self._card["tokenizer"] == planner.former_tokenizer
        return [MORE_FILES if same and change == _DIGESTS["tokenizer"] else change for change in changes]

    def _row(self, ident: str) -> dict[EntryName, str] | None:
        """Return the keys of a passage's entries by name, None where it had no row; the first call copies all rows to the disk."""
        if self._card is None:
            return None
        if self._rows is None:
            self._rows = DiskDict()
            for row in _readable(self._store):
                self._rows.setdefault(row.id, canonical([[*name, key] for name, key in row.entries.items()]))
        entries = self._rows.get(ident)
        return None if entries is None else {EntryName(*name): key for *name, key in json.loads(entries)}


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], common: bool = False) -> list[str]:
    """Return a line for each value that differs; `common` compares only names that both have."""
    names = old.keys() & new.keys() if common else old.keys() | new.keys()
    changed = [name for name in sorted(names) if old.get(name) != new.get(name)]
    return [_DIGESTS[name] if name in _DIGESTS else f"{name}: {_shown(old.get(name))} → {_shown(new.get(name))}" for name in changed]


def _shown(value: Any) -> str:
    return "null" if value is None else str(value)


def _readable(store: Store) -> Iterator[Row]:
    """Yield the manifest's rows, up to the first that cannot be read."""
    try:
        yield from read_rows(store)
    except (StoreError, OSError):
        return
