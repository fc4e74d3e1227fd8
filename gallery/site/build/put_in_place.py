"""Puts the new site in the old one's place in one step: a reader sees the old or the new one, never neither."""

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

_AT_FDCWD = -100  # <fcntl.h>: paths are relative to the working folder
_RENAME_EXCHANGE = 2  # <linux/fs.h>
_RENAME_SWAP = 2  # <sys/stdio.h> of macOS
_LACKING = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


def put_in_place(new: Path, target: Path) -> None:
    """Move a folder to `target`; a folder that was there is then where the new one was.

    One step on Linux and macOS. Where the system or its file system cannot exchange two folders, two renames, with no folder
    at `target` for a moment. Raises OSError; `target` is then as it was.
    """
    if not os.path.lexists(target):
        new.rename(target)
    elif not _exchange(new, target):
        aside = new.with_name(f"{new.name}.old")
        target.rename(aside)
        try:
            new.rename(target)
        except OSError:
            aside.rename(target)
            raise
        aside.rename(new)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two paths; return False where the system cannot."""
    rename = _system_call()
    if rename is None:
        return False
    if rename(os.fsencode(first), os.fsencode(second)) == 0:
        return True
    number = ctypes.get_errno()
    if number in _LACKING:
        return False
    raise OSError(number, os.strerror(number), str(second))


def _system_call() -> Callable[[bytes, bytes], int] | None:
    """Return renameat2 or renamex_np, or None where the C library has neither."""
    if sys.platform not in {"linux", "darwin"}:
        return None
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and hasattr(library, "renameat2"):
        return lambda first, second: int(library.renameat2(_AT_FDCWD, first, _AT_FDCWD, second, ctypes.c_uint(_RENAME_EXCHANGE)))
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        return lambda first, second: int(library.renamex_np(first, second, ctypes.c_uint(_RENAME_SWAP)))
    return None
