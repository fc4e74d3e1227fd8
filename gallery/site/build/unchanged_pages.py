"""The passages of the last build, so that this build renders only those whose input has changed.

One small SQLite file beside the generated documents. A passage's files are taken from the last site only if each still has
the size and time with which it was written, so a file that was changed since is rendered again.
"""

import json
import os
import shutil
from collections.abc import Container
from pathlib import Path
from types import TracebackType

from pydantic import TypeAdapter

from gallery.site.build_cache import file_state, open_base
from gallery.site.pages.summary import Summary

FileStates = dict[str, tuple[int, int]]
"""Path within the site -> size in bytes, time of writing in nanoseconds."""
_SUMMARY = TypeAdapter(Summary)


class UnchangedPages:
    """The file, open for one build; it is saved for the next build only if this one reaches its end."""

    def __init__(self, path: Path) -> None:
        self._base = open_base(path, "kept", ("id", "key", "files", "summary"))

    def __enter__(self) -> "UnchangedPages":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._base.commit()
        self._base.close()

    def sound(self, ident: str, key: str, site: Path) -> bool:
        """Tell whether a passage was last rendered from the same input, and its files are as they were written."""
        known = self._base.execute("select files from kept where id = ? and key = ?", (ident, key)).fetchone()
        return known is not None and all(file_state(site / name) == tuple(state) for name, state in json.loads(known[0]).items())

    def link(self, ident: str, site: Path, out: Path) -> Summary:
        """Link a sound passage's files into the new site; return its summary."""
        files, summary = self._base.execute("select files, summary from kept where id = ?", (ident,)).fetchone()
        made = set()
        for name in json.loads(files):
            target = out / name
            if target.parent not in made:
                target.parent.mkdir(parents=True, exist_ok=True)
                made.add(target.parent)
            try:
                os.link(site / name, target)
            except OSError:  # a file system without hard links
                shutil.copy2(site / name, target)
        return _SUMMARY.validate_json(summary)

    def put(self, ident: str, key: str, files: FileStates, summary: Summary) -> None:
        """Record a passage that was rendered."""
        self._base.execute("replace into kept values (?, ?, ?, ?)", (ident, key, json.dumps(files), _SUMMARY.dump_json(summary)))

    def forget(self, present: Container[str]) -> None:
        """Drop the passages that the gallery no longer has."""
        gone = [(ident,) for (ident,) in self._base.execute("select id from kept") if ident not in present]
        self._base.executemany("delete from kept where id = ?", gone)
