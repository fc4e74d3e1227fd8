"""Markdown files with front matter: YAML between two lines of three hyphens, then the text. The only reader of front matter."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from gallery.errors import PassageError, reason
from gallery.mkdocs_config import NOT_YAML
from gallery.passages.tables import TableRow

_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)(.*)", re.DOTALL | re.MULTILINE)


def read_markdown(path: Path, name: str) -> Iterator[tuple[str, TableRow]]:
    """Yield the file's only row: its keys, its text as `text`, and its stem as `id` unless the keys give another.

    The text keeps its line ends and its blank edges. A file that cannot be read yields a PassageError that names the line, and says what to do.
    """
    yield name, _row(path, name)


def _row(path: Path, name: str) -> TableRow:
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return PassageError(f"{name}: byte {error.start} is not UTF-8. Save the file as UTF-8.")
    except OSError as error:
        return PassageError(f"{name}: {reason(error)}.")
    match = _FRONT_MATTER.match(content)
    if not match:
        return PassageError(f"{name}: no front matter. Begin the file with --- and the keys id, true_class, title, then ---, then the text.")
    try:
        keys = yaml.safe_load(match[1])
    except NOT_YAML as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 2}:" if mark else ""
        return PassageError(f"{name}:{line} the front matter is not valid YAML. Put values with a colon or a quote into quotation marks.")
    if not isinstance(keys, dict):
        return PassageError(f"{name}: the front matter holds no keys. It needs at least true_class.")
    return {"id": path.stem, **keys, "text": match[2]}
