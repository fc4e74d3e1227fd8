"""A canary: fails, and says what to do, when glibc refuses the settings of gallery/compat/glibc.py."""

import platform
import sys

from gallery.compat.glibc import keep_freed_memory


def test_glibc_takes_both_thresholds() -> None:
    agreed = keep_freed_memory()
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        assert agreed, "mallopt refused M_MMAP_THRESHOLD or M_TRIM_THRESHOLD: look up their numbers in malloc.h, or drop keep_freed_memory (slower on a CPU)"
