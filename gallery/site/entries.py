"""A passage's records, read from the store and looked up by what they are: the only module of site/ that knows how entries are named."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from gallery.store.entries import Store
from gallery.store.manifest import EntryName, Row
from gallery.store.records import Attribution, Faithfulness, Flip, Record, Sanity, Verification

Explained = TypeVar("Explained", Attribution, Faithfulness, Flip, Sanity, Verification)
Kind = TypeVar("Kind", bound=Record)


def read_records(store: Store, row: Row, without: frozenset[str] = frozenset()) -> dict[EntryName, Record]:
    """Return a passage's records by entry name, but for those of the kinds `without`.

    Raises StoreError where an entry is missing or damaged.
    """
    return {name: store.read(name.kind, key) for name, key in row.entries.items() if name.kind not in without}


def attention_key(row: Row) -> str:
    """Return the key of the entry that holds a passage's attention."""
    return row.entries[EntryName("attention")]


def by_method(records: Iterable[Record], kind: type[Explained]) -> Mapping[tuple[str, int], Explained]:
    """Return the records of one kind by (method, explained class), in the order of the entries, without those of methods that cannot explain the passage."""
    return {(record.method, record.target): record for record in records if isinstance(record, kind) and not getattr(record, "absent", False)}


def first_of(records: Iterable[Record], kind: type[Kind]) -> Kind | None:
    """Return the first record of a kind, or None where there is none."""
    return next((record for record in records if isinstance(record, kind)), None)
