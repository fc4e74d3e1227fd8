"""A check of every file of a store, without a model and without changing anything."""

from dataclasses import dataclass, field

from gallery.errors import StoreError, command
from gallery.store.entries import LOCK, MANIFEST, TIMINGS, Store
from gallery.store.manifest import read_header, read_rows
from gallery.store.records import RECORD_TYPES


@dataclass
class Audit:
    """The result of checking a store."""

    files: int = 0
    sound: int = 0
    damage: list[str] = field(default_factory=list)
    """A line for each file that is damaged or missing."""
    notes: list[str] = field(default_factory=list)
    """A line for each thing that is unused or not part of a store."""


def audit(store: Store) -> Audit:
    """Verify the checksum of every file of a store, and find the entries that the manifest lists and that are missing.

    Raises StoreError if there is no store.
    """
    if not store.folder.is_dir():
        raise StoreError(f"{store.folder}: no such folder, so nothing has been explained yet. Run: {command('explain')}")
    result = Audit(files=1)
    listed: set[tuple[str, str]] = set()
    try:
        header = read_header(store)
        listed = {("scripts", header.scripts)} if header.scripts else set()
        for row in read_rows(store):
            listed |= {(name.kind, key) for name, key in row.entries.items()}
        result.sound += 1
    except StoreError as error:
        result.damage.append(error.message)
    present = {(kind, key) for kind, key in store.entries() if kind in RECORD_TYPES}
    for kind, key in sorted(present | listed):
        result.files += 1
        try:
            store.read(kind, key)
            result.sound += 1
        except StoreError as error:
            result.damage.append(error.message)
    if unused := len(present - listed):
        result.notes.append(f"{store.folder}: {unused:,} entries of earlier settings or passages; `store pack` leaves them out.")
    known = {MANIFEST, TIMINGS, LOCK, *RECORD_TYPES}
    strange = sorted(path.name for path in store.folder.iterdir() if path.name not in known)
    result.notes += [f"{store.folder / name}: {'set aside earlier as damaged' if name == 'damaged' else 'not part of the store'}." for name in strange]
    return result
