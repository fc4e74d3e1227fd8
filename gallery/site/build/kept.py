"""What the last build knows of its passages, so that this one renders none of them again whose input has not changed.

One small SQLite file beside the generated documents. A passage's files are taken over from the last site only if each
has the size and the time it was written with, so whatever was done to them since is undone by rendering.
"""

import json
import os
import shutil
from collections.abc import Container
from pathlib import Path
from types import TracebackType

from pydantic import TypeAdapter

from gallery.site.pages.pages import Summary
from gallery.site.remembered import open_base, written

Written = dict[str, tuple[int, int]]
"""Path within the site -> size in bytes, time of writing in nanoseconds."""
_SUMMARY = TypeAdapter(Summary)


class Kept:
    """The file, open for one build; what was put is there for the next one if the build reaches its end."""

    def __init__(self, path: Path) -> None:
        self._base = open_base(path, "kept", ("id", "key", "files", "summary"))

    def __enter__(self) -> "Kept":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._base.commit()
        self._base.close()

    def sound(self, ident: str, key: str, site: Path) -> bool:
        """Tell whether a passage was last rendered from the same input and its files are as they were written."""
        found = self._base.execute("select files from kept where id = ? and key = ?", (ident, key)).fetchone()
        return found is not None and all(written(site / name) == tuple(state) for name, state in json.loads(found[0]).items())

    def link(self, ident: str, site: Path, out: Path) -> Summary:
        """Take a sound passage's files over into the new site; return its summary."""
        files, summary = self._base.execute("select files, summary from kept where id = ?", (ident,)).fetchone()
        made = set()
        for name in json.loads(files):
            target = out / name
            if target.parent not in made:
                target.parent.mkdir(parents=True, exist_ok=True)
                made.add(target.parent)
            try:
                os.link(site / name, target)
            except OSError:  # a file system that knows no hard links
                shutil.copy2(site / name, target)
        return _SUMMARY.validate_json(summary)

    def put(self, ident: str, key: str, files: Written, summary: Summary) -> None:
        """Remember a passage that was rendered."""
        self._base.execute("replace into kept values (?, ?, ?, ?)", (ident, key, json.dumps(files), _SUMMARY.dump_json(summary)))

    def forget(self, present: Container[str]) -> None:
        """Drop the passages that are no longer there."""
        gone = [(ident,) for (ident,) in self._base.execute("select id from kept") if ident not in present]
        self._base.executemany("delete from kept where id = ?", gone)
