"""The store: a file for each entry, named by its kind and key, written whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from gallery.errors import StoreError, command, cure, reason
from gallery.files import WRITING, Location, files_at
from gallery.store.record_files import decode, encode
from gallery.store.records import RECORD_TYPES, Record

MANIFEST = "manifest.jsonl"
TIMINGS = "timings.json"
LOCK = ".lock"


class Store:
    """The entries at a location, `<kind>/<first two digits>/<key>.safetensors`; keeps none in memory.

    >>> key = row.entries[EntryName("prediction")]
    >>> store.has("prediction", key)
    True
    >>> store.read("prediction", key).text
    '«Что же это такое?» — спросила она. Никто не ответил: дорога была пуста.'
    """

    def __init__(self, location: Location) -> None:
        self.location = location
        self.files = files_at(location)

    @property
    def folder(self) -> Path:
        """The store's folder; raises StoreError for a store behind a URL."""
        if isinstance(self.location, Path):
            return self.location
        raise StoreError(f"{self.location}: no folder of this machine. Name a folder with --store.")

    @staticmethod
    def name(kind: str, key: str) -> str:
        """Return the name of an entry's file within the store."""
        return f"{kind}/{key[:2]}/{key}.safetensors"

    def path(self, kind: str, key: str) -> Path:
        """Return the path of an entry's file, present or not; raises StoreError for a store behind a URL."""
        return self.folder / self.name(kind, key)

    def has(self, kind: str, key: str) -> bool:
        """Tell whether an entry's file exists; only reading it tells whether it is sound."""
        return self.files.has(self.name(kind, key))

    def size(self, kind: str, key: str) -> int:
        """Return the size of an entry in bytes; 0 if it is missing."""
        return self.files.size(self.name(kind, key))

    def read(self, kind: str, key: str) -> Record:
        """Return the record of an entry; raise StoreError, naming the file, if it is missing or damaged."""
        name = self.name(kind, key)
        try:
            return decode(self.files.read(name), kind)
        except FileNotFoundError as error:
            raise StoreError(f"{self.files.where(name)}: not in the store. Run: {command('explain')}") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{self.files.where(name)}: damaged ({reason(error)}). Run: {command('explain')}") from error

    def read_sound(self, kind: str, key: str) -> tuple[Record | None, str | None]:
        """Return the record of an entry, None if it is missing or damaged, and a message if it was damaged.

        A damaged entry is moved to `damaged/`, so that it is computed again and never rendered.
        """
        name = self.name(kind, key)
        try:
            return decode(self.files.read(name), kind), None
        except (OSError, ValueError, KeyError, TypeError) as error:
            return None, self.set_aside(name, f"damaged ({reason(error)})")

    def set_aside(self, name: str, damage: str) -> str | None:
        """Move a damaged file to `damaged/`; return a message with its new path, or None if the file is missing.

        `damage` says what is wrong with it. Raises StoreError if the system refuses.
        """
        folder, _, last = name.partition("/")
        aside = f"damaged/{folder}-{last.rpartition('/')[2]}" if last else f"damaged/{name}"
        path = self.files.where(name)
        try:
            moved = self.files.set_aside(name, aside)
        except OSError as error:
            raise StoreError(f"{path}: {damage}, and cannot be set aside: {reason(error)}. Remove it.") from error
        return f"{path}: {damage}: set aside as {self.files.where(aside)}" if moved else None

    def sweep(self) -> None:
        """Remove files that a killed build left half-written; call it only while holding the lock."""
        if isinstance(self.location, Path):
            for pattern in (f"{WRITING}*", f"*/??/{WRITING}*"):
                for path in self.location.glob(pattern):
                    path.unlink(missing_ok=True)

    def write(self, key: str, record: Record) -> None:
        """Write the record of an entry, whole or not at all; raises StoreError if the disk is full or the folder cannot be written."""
        self.files.write(self.name(record.kind, key), [encode(record)])

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yield (kind, key) of each entry, sorted."""
        for kind, key, _ in self.sizes():
            yield kind, key

    def sizes(self) -> Iterator[tuple[str, str, int]]:
        """Yield (kind, key, bytes) of each entry, sorted."""
        for kind in sorted(RECORD_TYPES):
            for name, count in self.files.sizes(kind):
                if name.count("/") == 2 and name.endswith(".safetensors"):
                    yield kind, name.rpartition("/")[2].removesuffix(".safetensors"), count


@contextmanager
def exclusive(location: Location) -> Iterator[None]:
    """Keep other builds out of a folder while the block runs; the system releases the lock of a killed process.

    A store behind a URL has no lock: equal keys mean equal entries, and the last writer's manifest stays.
    Raises StoreError at once if another build holds the lock, or the folder cannot be written.
    """
    if isinstance(location, str):
        yield
        return
    lock = FileLock(location / LOCK, timeout=0)
    try:
        location.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise StoreError(f"{location}: another build is at work there. Wait until it ends, or give this one a folder of its own.") from error
    except (OSError, NotImplementedError) as error:
        raise StoreError(f"{location / LOCK}: {reason(error)}. {cure(error)}, or build in another folder.") from error
    try:
        yield
    finally:
        lock.release()
