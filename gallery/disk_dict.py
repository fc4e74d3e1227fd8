"""A mapping that lies on the disk, for what grows with the number of passages."""

import sqlite3


class DiskDict:
    """Strings by strings, in a temporary file that goes with the object; holds a few megabytes, however many there are."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA cache_size = -16000")  # KiB
        self._database.execute("CREATE TABLE pairs (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
        self._database.execute("BEGIN")  # one transaction that is never ended: a commit each time costs most of the time

    def setdefault(self, key: str, value: str) -> str:
        """Put a value if the key has none; return the value it has."""
        if self._database.execute("INSERT OR IGNORE INTO pairs VALUES (?, ?)", (key, value)).rowcount:
            return value
        return str(self.get(key))

    def get(self, key: str) -> str | None:
        """Return a key's value, or None."""
        found = self._database.execute("SELECT value FROM pairs WHERE key = ?", (key,)).fetchone()
        return None if found is None else str(found[0])
