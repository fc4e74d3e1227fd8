"""Files of a store in a folder of this machine or behind a URL of fsspec; each is written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from gallery.errors import GalleryError, StoreError, cure, install_command, reason

Location = Path | str
"""A folder of this machine, or the URL of a folder."""

WRITING = ".writing-"
"""Beginning of the name of a file that is still being written."""
_OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oci", "oss", "memory"}
"""Protocols that store a file whole or not at all, so that it needs no temporary name."""


class Files(Protocol):
    """Files by name; a name is relative to the location, with slashes."""

    def where(self, name: str) -> str:
        """Return the file's path or URL, for messages."""

    def has(self, name: str) -> bool:
        """Tell whether the file exists."""

    def size(self, name: str) -> int:
        """Return the file's size in bytes; 0 if it is missing."""

    def read(self, name: str) -> bytes:
        """Return the file's content.

        Raises OSError if it is missing or cannot be read, StoreError if the server does not answer.
        """

    def lines(self, name: str) -> Iterator[str]:
        """Yield the file's lines without holding them all in memory; raises OSError."""

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write a file whole or not at all; raises StoreError, naming the file."""

    def set_aside(self, name: str, other: str) -> bool:
        """Rename a file or folder, replacing another; tell whether there was anything to rename."""

    def sizes(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield (name, bytes) of the files below a folder, sorted by name."""


def store_location(store: str, root: Path) -> Location:
    """Return the location of a configured store: a folder relative to that of mkdocs.yml, or a URL; `file://` means a folder."""
    scheme, remote, rest = store.partition("://")
    if not remote:
        return root / store
    return Path(rest) if scheme == "file" else store


def files_at(location: Location) -> Files:
    """Return the files of a location, whichever kind it is of."""
    return Folder(location) if isinstance(location, Path) else Remote(location)


class Folder:
    """Files in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def where(self, name: str) -> str:
        """Return the file's path."""
        return str(self.folder / name)

    def has(self, name: str) -> bool:
        """Tell whether the file exists."""
        return (self.folder / name).is_file()

    def size(self, name: str) -> int:
        """Return the file's size in bytes."""
        return (self.folder / name).stat().st_size if self.has(name) else 0

    def read(self, name: str) -> bytes:
        """Return the file's content."""
        return (self.folder / name).read_bytes()

    def lines(self, name: str) -> Iterator[str]:
        """Yield the file's lines."""
        with (self.folder / name).open(encoding="utf-8") as stream:
            yield from stream

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write under a temporary name, sync to the disk, rename."""
        write_chunks(self.folder / name, chunks)

    def set_aside(self, name: str, other: str) -> bool:
        """Rename a file, a folder or a dangling link."""
        old, new = self.folder / name, self.folder / other
        if not os.path.lexists(old):
            return False
        new.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(new):
            shutil.rmtree(new) if new.is_dir() and not new.is_symlink() else new.unlink()
        old.rename(new)
        return True

    def sizes(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield (name, bytes), folder by folder."""
        start = self.folder / folder
        for path in sorted(start.iterdir()) if start.is_dir() else ():
            name = f"{folder}/{path.name}" if folder else path.name
            if path.is_dir():
                yield from self.sizes(name)
            elif path.is_file():
                yield name, path.stat().st_size


class Remote:
    """Files behind a URL that fsspec knows, such as s3://bucket/folder."""

    def __init__(self, url: str) -> None:
        try:
            import fsspec

            self._files, self._root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except ImportError as error:
            raise StoreError(f"{url}: {reason(error)}. Run: {install_command('remote')}, and what fsspec names for it.") from error
        except (ValueError, OSError) as error:
            raise StoreError(f"{url}: {reason(error)}. Name a folder, or a URL that fsspec knows, as extra.gallery.store.") from error
        self.url = url.rstrip("/")
        self._root = self._root.rstrip("/")
        self._whole = url.partition("://")[0] in _OBJECT_STORES

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def where(self, name: str) -> str:
        """Return the file's URL."""
        return f"{self.url}/{name}"

    def has(self, name: str) -> bool:
        """Tell whether the file exists."""
        return bool(self._files.isfile(self._path(name)))

    def size(self, name: str) -> int:
        """Return the file's size in bytes."""
        return int(self._files.size(self._path(name)) or 0) if self.has(name) else 0

    def read(self, name: str) -> bytes:
        """Return the file's content."""
        try:
            content: bytes = self._files.cat_file(self._path(name))
            return content
        except (FileNotFoundError, IsADirectoryError):
            raise
        except Exception as error:  # each service has its own errors; a server that does not answer has not lost the file
            raise StoreError(f"{self.where(name)}: {reason(error)}. Run the same command again when it answers.") from error

    def lines(self, name: str) -> Iterator[str]:
        """Yield the file's lines."""
        with self._files.open(self._path(name), "r", encoding="utf-8") as stream:
            yield from stream

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write in one step; where the protocol has no such step, under a temporary name, then rename."""
        path = self._path(name)
        try:
            with tempfile.NamedTemporaryFile(prefix="gallery-") as spool:
                spool.writelines(chunks)
                spool.flush()
                self._put(spool.name, path)
        except GalleryError:
            raise
        except Exception as error:
            raise StoreError(f"{self.where(name)}: {reason(error)}. Allow writing there; then run the same command again.") from error

    def _put(self, spooled: str, path: str) -> None:
        folder, _, last = path.rpartition("/")
        if self._whole:
            self._files.put_file(spooled, path)
            return
        self._files.makedirs(folder, exist_ok=True)
        fresh = f"{folder}/{WRITING}{os.urandom(8).hex()}-{last}"
        try:
            self._files.put_file(spooled, fresh)
            self._files.mv(fresh, path)
        except BaseException:
            if self._files.exists(fresh):
                self._files.rm_file(fresh)
            raise

    def set_aside(self, name: str, other: str) -> bool:
        """Copy the file or folder, then remove it."""
        path, new = self._path(name), self._path(other)
        if not self._files.exists(path):
            return False
        if not self._whole:
            self._files.makedirs(new.rpartition("/")[0], exist_ok=True)
        self._files.mv(path, new, recursive=bool(self._files.isdir(path)))
        return True

    def sizes(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield (name, bytes), folder by folder, so that no list of all files is held in memory."""
        try:
            entries: list[dict[str, Any]] = self._files.ls(self._path(folder), detail=True)
        except FileNotFoundError:
            return
        for info in sorted(entries, key=lambda info: str(info["name"])):
            last = str(info["name"]).rstrip("/").rpartition("/")[2]
            name = f"{folder}/{last}" if folder else last
            if info["type"] == "directory":
                yield from self.sizes(name)
            else:
                yield name, int(info["size"])


def write_chunks(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file under a temporary name, sync it to the disk, and rename it.

    Raises StoreError, naming the file, if the system refuses; then no half-written file stays.
    """
    name = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=WRITING, dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.writelines(chunks)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        raise StoreError(f"{path}: {reason(error)}. {cure(error)}; then run the same command again.") from error
    finally:
        if name and os.path.exists(name):
            os.unlink(name)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file of this machine whole or not at all, as `write_chunks` does."""
    write_chunks(path, [content])
