"""A mapping on the disk, for values that grow with the number of passages."""

import sqlite3


class DiskDict:
    """A mapping of strings to strings in a temporary file, deleted with the object; takes a few megabytes of memory at any size."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA cache_size = -16000")  # KiB
        self._database.execute("CREATE TABLE pairs (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
        self._database.execute("BEGIN")  # a single transaction that never ends: commits would take most of the time

    def __del__(self) -> None:
        self._database.close()  # since Python 3.13, a connection that is not closed is a ResourceWarning

    def setdefault(self, key: str, value: str) -> str:
        """Return a key's value; a key without one gets `value` first."""
        if self._database.execute("INSERT OR IGNORE INTO pairs VALUES (?, ?)", (key, value)).rowcount:
            return value
        return str(self.get(key))

    def get(self, key: str) -> str | None:
        """Return a key's value, or None if it has none."""
        row = self._database.execute("SELECT value FROM pairs WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])
