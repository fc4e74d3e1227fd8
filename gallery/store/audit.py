"""A store looked through file by file, without a model and without changing anything."""

from dataclasses import dataclass, field

from gallery.errors import StoreError
from gallery.store.entries import LOCK, MANIFEST, TIMINGS, Store
from gallery.store.manifest import read_header, read_rows
from gallery.store.records import RECORD_TYPES

_ADVICE = ". Run: python build.py explain"


@dataclass
class Audit:
    """What was found in a store."""

    files: int = 0
    sound: int = 0
    damage: list[str] = field(default_factory=list)
    """One line for every file that is damaged or missing."""
    notes: list[str] = field(default_factory=list)
    """What lies there and is no harm."""


def audit(store: Store) -> Audit:
    """Read every file of a store and hold it against its own checksum; name what the manifest lists and is not there.

    Raises StoreError where there is no store.
    """
    if not store.folder.is_dir():
        raise StoreError(f"{store.folder}: no such folder, so nothing has been explained yet{_ADVICE}")
    found = Audit(files=1)
    listed: set[tuple[str, str]] = set()
    try:
        header = read_header(store)
        listed = {("scripts", header.scripts)} if header.scripts else set()
        for row in read_rows(store):
            listed |= {(name.kind, key) for name, key in row.entries.items()}
        found.sound += 1
    except StoreError as error:
        found.damage.append(error.message)
    there = {(kind, key) for kind, key in store.entries() if kind in RECORD_TYPES}
    for kind, key in sorted(there | listed):
        found.files += 1
        try:
            store.read(kind, key)
            found.sound += 1
        except StoreError as error:
            found.damage.append(error.message)
    if unused := len(there - listed):
        found.notes.append(f"{store.folder}: {unused:,} entries of earlier settings or passages; `store pack` leaves them out.")
    known = {MANIFEST, TIMINGS, LOCK, *RECORD_TYPES}
    strange = sorted(path.name for path in store.folder.iterdir() if path.name not in known)
    found.notes += [f"{store.folder / name}: {'set aside earlier as damaged' if name == 'damaged' else 'not part of the store'}." for name in strange]
    return found
