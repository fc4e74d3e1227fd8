"""The C library's memory allocator, which torch uses on a CPU."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> bool:
    """Let this process reuse the memory of freed tensors, instead of asking the system for new pages at every layer.

    Returns whether the allocator agreed; only glibc can.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    settings = ((_M_MMAP_THRESHOLD, 2**30), (_M_TRIM_THRESHOLD, 2**31 - 1))
    return all(bool(mallopt(ctypes.c_int(name), ctypes.c_int(value))) for name, value in settings)
