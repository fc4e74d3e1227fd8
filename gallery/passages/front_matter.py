"""Markdown files with front matter: YAML between two lines of three hyphens, then the text. The only reader of front matter."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from gallery.errors import PassageError, reason
from gallery.mkdocs_config import NOT_YAML
from gallery.passages.tables import TableRow

_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)(.*)", re.DOTALL | re.MULTILINE)


class _AsWritten(yaml.BaseLoader):
    """Reads every value as the text that stands in the file: `no`, `010`, `12:30` and `1.10` are titles, and no other type is.

    Raises a YAMLError, with its line, for a key that is given twice and for a type that the file asks for (`!!binary`).
    """

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        if node.tag not in {self.DEFAULT_SCALAR_TAG, self.DEFAULT_SEQUENCE_TAG, self.DEFAULT_MAPPING_TAG}:
            raise yaml.constructor.ConstructorError(None, None, f"{node.tag} is no text", node.start_mark)
        return super().construct_object(node, deep)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is given twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def read_markdown(path: Path, name: str) -> Iterator[tuple[str, TableRow]]:
    """Yield the file's only row: its keys, its text as `text`, and its stem as `id` unless the keys give another.

    Values are texts as they stand in the file, None where nothing stands there. The text keeps its line ends and its blank edges.
    A file that cannot be read yields a PassageError that names the line, and says what to do.
    """
    yield name, _row(path, name)


def _row(path: Path, name: str) -> TableRow:
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return PassageError(f"{name}: byte {error.start} is not UTF-8. Save the file as UTF-8.", name, "not UTF-8")
    except OSError as error:
        return PassageError(f"{name}: {reason(error)}.", name)
    match = _FRONT_MATTER.match(content)
    if not match:
        return PassageError(f"{name}: no front matter. Begin the file with --- and the keys id, true_class, title, then ---, then the text.", name)
    try:
        keys = yaml.load(match[1], _AsWritten)
    except NOT_YAML as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 2}:" if mark else ""
        why = getattr(error, "problem", "") if isinstance(error, yaml.constructor.ConstructorError) else ""
        words = f" ({why})" if why else ""
        return PassageError(
            f"{name}:{line} the front matter is not valid YAML{words}. Put values with a colon or a quote into quotation marks.", name, "not YAML"
        )
    if not isinstance(keys, dict):
        return PassageError(f"{name}: the front matter holds no keys. It needs at least true_class.", name)
    return {"id": path.stem, **{key: None if value == "" else value for key, value in keys.items()}, "text": match[2]}
