"""The store: one file per entry, named by what it depends on, written whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from gallery.errors import StoreError, reason
from gallery.files import WRITING, Location, files_at
from gallery.store.record_files import decode, encode
from gallery.store.records import RECORD_TYPES, Record

MANIFEST = "manifest.jsonl"
TIMINGS = "timings.json"
LOCK = ".lock"


class Store:
    """A folder of entries, `<kind>/<first two digits>/<key>.safetensors`; keeps nothing in memory.

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
        """The folder, where the store lies in one.

        Raises StoreError for a store behind a URL.
        """
        if isinstance(self.location, Path):
            return self.location
        raise StoreError(f"{self.location}: no folder of this machine. Name a folder with --store.")

    @staticmethod
    def name(kind: str, key: str) -> str:
        """Return an entry's name within the store."""
        return f"{kind}/{key[:2]}/{key}.safetensors"

    def path(self, kind: str, key: str) -> Path:
        """Return where an entry lies, or would lie, in a store that is a folder."""
        return self.folder / self.name(kind, key)

    def has(self, kind: str, key: str) -> bool:
        """Tell whether an entry is there; not whether it is sound, which only reading shows."""
        return self.files.has(self.name(kind, key))

    def size(self, kind: str, key: str) -> int:
        """Return how many bytes an entry takes; 0 where it is missing."""
        return self.files.size(self.name(kind, key))

    def read(self, kind: str, key: str) -> Record:
        """Return an entry.

        Raises StoreError, naming the file, where it is missing or damaged.
        """
        name = self.name(kind, key)
        try:
            return decode(self.files.read(name), kind)
        except FileNotFoundError as error:
            raise StoreError(f"{self.files.where(name)}: not in the store. Run: python build.py explain") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{self.files.where(name)}: damaged ({reason(error)}). Run: python build.py explain") from error

    def read_sound(self, kind: str, key: str) -> tuple[Record | None, str | None]:
        """Return an entry, or None; and where a damaged one was found, what was done with it.

        A damaged entry is moved to `damaged/`, so that it is computed anew and never served.
        """
        name = self.name(kind, key)
        try:
            return decode(self.files.read(name), kind), None
        except (OSError, ValueError, KeyError, TypeError) as error:
            return None, self.set_aside(name, f"damaged ({reason(error)})")

    def set_aside(self, name: str, damage: str) -> str | None:
        """Move a damaged file to `damaged/`, so that it is never served; return what was wrong and where it is now, None where there is none.

        Raises StoreError where the system refuses.
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
        """Remove what a killed build has left half-written; only for the build that holds the lock."""
        if isinstance(self.location, Path):
            for pattern in (f"{WRITING}*", f"*/??/{WRITING}*"):
                for path in self.location.glob(pattern):
                    path.unlink(missing_ok=True)

    def write(self, key: str, record: Record) -> None:
        """Put an entry into the store.

        Raises StoreError where the disk is full or the folder cannot be written; nothing half-written stays.
        """
        self.files.write(self.name(record.kind, key), [encode(record)])

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yield (kind, key) of every entry, sorted."""
        for kind, key, _ in self.sizes():
            yield kind, key

    def sizes(self) -> Iterator[tuple[str, str, int]]:
        """Yield (kind, key, bytes) of every entry, sorted."""
        for kind in sorted(RECORD_TYPES):
            for name, count in self.files.sizes(kind):
                if name.count("/") == 2 and name.endswith(".safetensors"):
                    yield kind, name.rpartition("/")[2].removesuffix(".safetensors"), count


@contextmanager
def exclusive(location: Location) -> Iterator[None]:
    """Keep other builds out of a folder; the lock is the system's, so a killed process does not hold it.

    A store behind a URL has no such lock: entries are the same whoever writes them, and the manifest is the last writer's.
    Raises StoreError at once where another build is at work, or the folder cannot be written.
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
        raise StoreError(f"{location / LOCK}: {reason(error)}. Make room, or allow writing there; or build in another folder.") from error
    try:
        yield
    finally:
        lock.release()
