"""Small SQLite files in which one build leaves for the next what it need not find out again."""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


def written(path: Path) -> tuple[int, int] | None:
    """Return a file's size and time of writing, or None where there is no file."""
    with suppress(OSError):
        found = path.stat()
        return found.st_size, found.st_mtime_ns
    return None


def open_base(path: Path | None, table: str, columns: Sequence[str]) -> sqlite3.Connection:
    """Open a file of one table, the first column being its key; a file that cannot be read is begun anew, since no build depends on it."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(2):
        base = sqlite3.connect(path or ":memory:")
        try:
            base.execute("pragma synchronous = off")  # what a power cut damages is begun anew
            base.execute(f"create table if not exists {table} ({columns[0]} text primary key, {', '.join(columns[1:])}) without rowid")
            base.execute(f"select {', '.join(columns)} from {table}").fetchone()
            return base
        except sqlite3.DatabaseError:
            base.close()
            if path is None or attempt:
                raise
            path.unlink()
    raise AssertionError
