"""Caches that one build leaves for the next: small SQLite files beside the generated documents. No build depends on them."""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


def file_state(path: Path) -> tuple[int, int] | None:
    """Return a file's size in bytes and time of writing in nanoseconds, or None where there is no file."""
    with suppress(OSError):
        state = path.stat()
        return state.st_size, state.st_mtime_ns
    return None


def open_base(path: Path | None, table: str, columns: Sequence[str]) -> sqlite3.Connection:
    """Open a SQLite file with one table, whose first column is its key; without a path, one in memory.

    A file that cannot be read, or has another table, is replaced by an empty one.
    """
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(2):
        base = sqlite3.connect(path or ":memory:")
        try:
            base.execute("pragma synchronous = off")  # a file that a power cut damages is replaced
            base.execute(f"create table if not exists {table} ({columns[0]} text primary key, {', '.join(columns[1:])}) without rowid")
            base.execute(f"select {', '.join(columns)} from {table}").fetchone()
            return base
        except sqlite3.DatabaseError:
            base.close()
            if path is None or attempt:
                raise
            path.unlink()
    raise AssertionError
