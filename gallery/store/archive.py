"""Packing a store into a tar file, for a release or an artifact, and unpacking it; equal stores give equal bytes."""

import errno
import gzip
import io
import json
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO, cast

from gallery.errors import StoreError, command, cure, reason
from gallery.files import Location
from gallery.store.entries import LOCK, MANIFEST, Store
from gallery.store.manifest import read_header, read_rows
from gallery.store.record_files import decode
from gallery.store.records import RECORD_TYPES

LIST = "contents.json"
"""The first member: [bytes, sha256] by name for all other members; a member that is not listed is refused."""
MAX_FILE = 512 << 20
MAX_LIST = 256 << 20
_BLOCKS = 4096
"""Allowance for the headers and padding of a tar member, in bytes."""
_NAME = re.compile(rf"{re.escape(MANIFEST)}|({'|'.join(RECORD_TYPES)})/([0-9a-f]{{2}})/\2[0-9a-f]{{62}}\.safetensors")


def pack(location: Location, file: Path, everything: bool = False) -> tuple[int, int]:
    """Write the manifest and the entries that it names into a tar file (`.tar` or `.tar.gz`); return the number of files, and the size of the tar file.

    `everything` adds the entries of earlier settings. Raises StoreError for an entry that is missing or fails its checksum.
    """
    store = Store(location)
    header, rows = read_header(store), read_rows(store)
    wanted = {(name.kind, key) for row in rows for name, key in row.entries.items()}
    wanted |= {("scripts", header.scripts)} if header.scripts else set()
    wanted |= {(kind, key) for kind, key in store.entries() if kind in RECORD_TYPES} if everything else set()
    names = [MANIFEST, *(store.name(kind, key) for kind, key in sorted(wanted))]
    contents = {}
    for name in names:
        content = _read(store, name)
        contents[name] = [len(content), sha256(content).hexdigest()]
    handle, fresh = tempfile.mkstemp(prefix=".packing-", dir=_made(file.parent))
    try:
        with os.fdopen(handle, "wb") as raw, _compressed(raw, file) as stream, tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            _add(archive, LIST, json.dumps(contents, sort_keys=True, separators=(",", ":")).encode())
            for name in names:
                _add(archive, name, _read(store, name))
        os.chmod(fresh, 0o644)
        os.replace(fresh, file)
    except OSError as error:
        raise StoreError(f"{file}: {reason(error)}. {cure(error)}, or name another file.") from error
    finally:
        if os.path.exists(fresh):
            os.unlink(fresh)
    return len(names), file.stat().st_size


def unpack(file: Path, store: Path) -> int:
    """Unpack a store into a missing or empty folder, and verify every byte; return the number of files.

    Raises StoreError, and leaves no file behind, if the tar file is no packed store, is cut short or changed, or holds links,
    duplicates, names that no store has, or more bytes than it lists.
    """
    if store.exists() and (not store.is_dir() or {path.name for path in store.iterdir()} - {LOCK}):
        raise StoreError(f"{store}: not an empty folder. Remove it, or name another with --store.")
    fresh = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=_made(store.parent)))
    try:
        count = 0
        with file.open("rb") as raw:
            for name, content in _members(raw, shutil.disk_usage(fresh).free):
                path = fresh / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                count += 1
        fresh.chmod(0o755)
        if store.exists():
            (store / LOCK).unlink(missing_ok=True)
            store.rmdir()
        fresh.replace(store)
    except FileNotFoundError as error:
        raise StoreError(f"{error.filename}: no such file. Name what `store pack` wrote.") from error
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(f"{file}: not a packed store, or damaged: {reason(error)}. Fetch it again.") from error
    except OSError as error:
        raise StoreError(f"{store}: {reason(error)}. {cure(error)}.") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return count


class _Metered:
    """A stream that raises ValueError after `allowed` bytes, so that a decompression bomb never reaches memory or disk."""

    def __init__(self, stream: IO[bytes], allowed: int) -> None:
        self._stream, self.allowed = stream, allowed

    def read(self, size: int = -1) -> bytes:
        content = self._stream.read(min(size, self.allowed + 1) if size >= 0 else self.allowed + 1)
        self.allowed -= len(content)
        if self.allowed < 0:
            raise ValueError("it unpacks to more than it lists")
        return content


def _members(raw: IO[bytes], free: int) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of each listed file; `free` is the space on disk, in bytes.

    Raises ValueError for a member that is not listed or not as listed, OSError if there is too little space.
    """
    packed = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    stream = _Metered(cast(IO[bytes], gzip.GzipFile(fileobj=raw, mode="rb")) if packed else raw, MAX_LIST + _BLOCKS)
    contents: dict[str, tuple[int, str]] | None = None
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|", bufsize=_BLOCKS) as archive:  # read in order, without seeking
        for member in archive:
            if not member.isreg():
                raise ValueError(f"{member.name!r} is no plain file")
            if contents is None:
                contents = _contents(member, archive.extractfile(member))
                total = sum(size for size, _ in contents.values())
                if total > free:
                    raise OSError(errno.ENOSPC, f"{total:,} bytes, but there is room for {free:,}")
                stream.allowed = total + (len(contents) + 10) * _BLOCKS
                continue
            if member.name not in contents:
                raise ValueError(f"{member.name!r} is not listed, or is there twice")
            size, digest = contents.pop(member.name)
            content = _bounded(archive.extractfile(member), member.size, size)
            if sha256(content).hexdigest() != digest:
                raise ValueError(f"{member.name}: the checksum does not match")
            _sound(member.name, content)
            yield member.name, content
    if contents is None or contents:
        raise ValueError(f"{min(contents) if contents else LIST} is missing")


def _contents(member: tarfile.TarInfo, stream: IO[bytes] | None) -> dict[str, tuple[int, str]]:
    if member.name != LIST:
        raise ValueError(f"it does not begin with {LIST}")
    listed = json.loads(_bounded(stream, member.size, min(member.size, MAX_LIST)))
    contents: dict[str, tuple[int, str]] = {}
    for name, (size, digest) in listed.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of an entry")
        if not isinstance(size, int) or not 0 <= size <= MAX_FILE:
            raise ValueError(f"{name} is listed with {size} bytes")
        contents[name] = (size, digest)
    return contents


def _bounded(stream: IO[bytes] | None, given: int, listed: int) -> bytes:
    if stream is None or given != listed:
        raise ValueError(f"{given:,} bytes where {listed} were listed")
    content = stream.read(given)
    if len(content) != given:
        raise ValueError("it is cut short")
    return content


def _sound(name: str, content: bytes) -> None:
    if name != MANIFEST:
        decode(content, name.split("/")[0])


def _read(store: Store, name: str) -> bytes:
    try:
        content = store.files.read(name)
        _sound(name, content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{store.files.where(name)}: damaged ({reason(error)}). Run: {command('explain')}") from error
    return content


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    archive.addfile(member, io.BytesIO(content))


def _compressed(raw: IO[bytes], file: Path) -> IO[bytes]:
    if file.suffix not in {".gz", ".tgz"}:
        return raw
    return cast(IO[bytes], gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0))


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: {reason(error)}. Allow writing there, or name another folder.") from error
    return folder
