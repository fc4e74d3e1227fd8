"""The store: one file per entry, named by what it depends on, written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from gallery.errors import StoreError
from gallery.records import Record, decode, encode

MANIFEST = "manifest.jsonl"
LOCK = ".lock"
_WRITING = ".writing-"


class Store:
    """A folder of entries, `<kind>/<first two digits>/<key>.safetensors`; keeps nothing in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, kind: str, key: str) -> Path:
        """Return where an entry lies, or would lie."""
        return self.folder / kind / key[:2] / f"{key}.safetensors"

    def has(self, kind: str, key: str) -> bool:
        """Tell whether an entry is there; not whether it is sound, which only reading shows."""
        return self.path(kind, key).is_file()

    def size(self, kind: str, key: str) -> int:
        """Return how many bytes an entry takes; 0 where it is missing."""
        return self.path(kind, key).stat().st_size if self.has(kind, key) else 0

    def read(self, kind: str, key: str) -> Record:
        """Return an entry.

        Raises StoreError, naming the file, where it is missing or damaged.
        """
        path = self.path(kind, key)
        try:
            return decode(path.read_bytes(), kind)
        except FileNotFoundError as error:
            raise StoreError(f"{path}: not in the store. Run: python build.py explain") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{path}: damaged ({_why(error)}). Run: python build.py explain") from error

    def read_sound(self, kind: str, key: str) -> tuple[Record | None, str | None]:
        """Return an entry, or None; and where a damaged one was found, what was done with it.

        A damaged entry is moved to `damaged/`, so that it is computed anew and never served.
        """
        path = self.path(kind, key)
        if not os.path.lexists(path):
            return None, None
        try:
            return self.read(kind, key), None
        except StoreError as error:
            return None, self.set_aside(path, error)

    def set_aside(self, path: Path, damage: StoreError) -> str:
        """Move a damaged file to `damaged/`, so that it is never served; return what was wrong and where it is now.

        Raises StoreError where the system refuses.
        """
        aside = self.folder / "damaged" / (path.name if path.parent == self.folder else f"{path.parts[-3]}-{path.name}")
        try:
            aside.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(aside):
                shutil.rmtree(aside) if aside.is_dir() and not aside.is_symlink() else aside.unlink()
            path.rename(aside)
        except OSError as error:
            raise StoreError(f"{damage.message.split('. Run')[0]}, and cannot be set aside: {error.strerror}. Remove it.") from error
        return f"{damage.message.split('. Run')[0]}: set aside as {aside}"

    def sweep(self) -> None:
        """Remove what a killed build has left half-written; only for the build that holds the lock."""
        for pattern in (f"{_WRITING}*", f"*/??/{_WRITING}*"):
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)

    def write(self, key: str, record: Record) -> None:
        """Put an entry into the store.

        Raises StoreError where the disk is full or the folder cannot be written; nothing half-written stays.
        """
        write_whole(self.path(record.kind, key), encode(record))

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yield (kind, key) of every entry, sorted."""
        for path in sorted(self.folder.glob("*/??/*.safetensors")):
            yield path.parts[-3], path.stem


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other builds out of a folder; the lock is the system's, so a killed process does not hold it.

    Raises StoreError at once where another build is at work, or the folder cannot be written.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise StoreError(f"{folder}: another build is at work there. Wait until it ends, or give this one a folder of its own.") from error
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StoreError(f"{folder / LOCK}: {reason}. Make room, or allow writing there; or build in another folder.") from error
    try:
        yield
    finally:
        lock.release()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under another name, sync it to the disk, and rename it into place.

    Raises StoreError, naming the file, where the system refuses.
    """
    handle, name = -1, ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_WRITING, dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        if name and os.path.exists(name):
            os.unlink(name)
        raise StoreError(f"{path}: {error.strerror or error}. Make room, or allow writing there; then run the same command again.") from error


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
