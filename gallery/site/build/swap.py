"""Two folders change places in one step, so that whoever reads one sees the old or the new, and never none."""

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

_AT_FDCWD = -100  # <fcntl.h>: paths are taken from the working folder
_RENAME_EXCHANGE = 2  # <linux/fs.h>
_RENAME_SWAP = 2  # <sys/stdio.h> of macOS
_LACKING = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


def put_in_place(fresh: Path, place: Path) -> None:
    """Put a folder where another is, or where none is yet; the old one then lies where the new one was.

    One step on Linux and macOS; two renames, with nothing at `place` for a moment, where the system or its file
    system cannot exchange. Raises OSError; `place` is then as it was.
    """
    if not os.path.lexists(place):
        fresh.rename(place)
    elif not _exchange(fresh, place):
        aside = fresh.with_name(f"{fresh.name}.old")
        place.rename(aside)
        try:
            fresh.rename(place)
        except OSError:
            aside.rename(place)
            raise
        aside.rename(fresh)


def _exchange(one: Path, other: Path) -> bool:
    """Let two paths change places; tell whether the system can."""
    rename = _system_call()
    if rename is None:
        return False
    if rename(os.fsencode(one), os.fsencode(other)) == 0:
        return True
    number = ctypes.get_errno()
    if number in _LACKING:
        return False
    raise OSError(number, os.strerror(number), str(other))


def _system_call() -> Callable[[bytes, bytes], int] | None:
    """Return renameat2 or renamex_np, or None where the C library has neither."""
    if sys.platform not in {"linux", "darwin"}:
        return None
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and hasattr(library, "renameat2"):
        return lambda one, other: int(library.renameat2(_AT_FDCWD, one, _AT_FDCWD, other, ctypes.c_uint(_RENAME_EXCHANGE)))
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        return lambda one, other: int(library.renamex_np(one, other, ctypes.c_uint(_RENAME_SWAP)))
    return None
