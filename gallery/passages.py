"""Passages as people keep them (Markdown with front matter, CSV, JSONL, Parquet), one at a time."""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gallery.errors import ConfigError, PassageError

TABLES = {".csv", ".jsonl", ".parquet"}
_ID = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_LONGEST_ID = 100


@dataclass(frozen=True)
class Passage:
    """One text to be explained, and what is known of it."""

    id: str
    """Stands in the page's address: lower-case Latin letters, digits, single hyphens."""
    text: str
    true_class: str
    """A label's name or number, as written."""
    title: str
    origin: str
    """File, and line or row, that it came from."""
    work: str = ""
    source: str = ""
    note: str = ""


_OPTIONAL = ("title", "work", "source", "note")
_KNOWN = {"id", "true_class", "text", *_OPTIONAL}


def read_passages(places: Iterable[str], root: Path = Path()) -> Iterator[Passage | PassageError]:
    """Yield every passage of the given folders and tables, in order, and an error for each that is none.

    Folders yield their Markdown files by name, README.md left out. Tables are read row by row, so a long one
    is never held in memory. An error does not end the reading; a missing place raises ConfigError.
    """
    seen: dict[str, str] = {}
    for place in places:
        for origin, read in _rows(root / place, place):
            try:
                passage = _passage(read, origin)
            except PassageError as error:
                yield error
                continue
            first = seen.setdefault(passage.id, origin)
            if first != origin:
                yield PassageError(f"{origin}: id: {passage.id!r} is taken by {first}. Give one of the two another id.")
            else:
                yield passage


Row = dict[str, Any] | PassageError


def _rows(path: Path, name: str) -> Iterator[tuple[str, Row]]:
    if path.is_dir():
        for file in sorted(path.glob("*.md")):
            if file.name != "README.md":
                yield f"{name}/{file.name}", _front_matter(file, f"{name}/{file.name}")
    elif not path.exists():
        raise ConfigError(f"extra.gallery.passages: {name}: no such file or folder. Make it, or name another.")
    elif path.suffix in TABLES:
        reader = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}[path.suffix]
        yield from reader(path, name)
    elif path.suffix == ".md":
        yield name, _front_matter(path, name)
    else:
        raise ConfigError(f"extra.gallery.passages: {name}: not a folder, .md, {', '.join(sorted(TABLES))} file.")


def _front_matter(path: Path, name: str) -> Row:
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return PassageError(f"{name}: byte {error.start} is not UTF-8. Save the file as UTF-8.")
    except OSError as error:
        return PassageError(f"{name}: {error.strerror}.")
    match = re.match(r"---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)(.*)", content, re.DOTALL | re.MULTILINE)
    if not match:
        return PassageError(f"{name}: no front matter. Begin the file with --- and the keys id, true_class, title, then ---, then the text.")
    try:
        keys = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 2}:" if mark else ""
        return PassageError(f"{name}:{line} the front matter is not valid YAML. Put values with a colon or a quote into quotation marks.")
    if not isinstance(keys, dict):
        return PassageError(f"{name}: the front matter holds no keys. It needs at least true_class.")
    return {"id": path.stem, **keys, "text": match[2]}


def _csv(path: Path, name: str) -> Iterator[tuple[str, Row]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        try:
            for row in reader:
                extra = row.pop(None, None)
                origin = f"{name}: line {reader.line_num}"
                yield (
                    origin,
                    PassageError(f"{origin}: more fields than the heading names. Quote texts that hold a comma.")
                    if extra
                    else {k: v for k, v in row.items() if v},
                )
        except (csv.Error, UnicodeDecodeError) as error:
            yield name, PassageError(f"{name}: after line {reader.line_num}: {error}. Save the table as UTF-8 CSV.")


def _jsonl(path: Path, name: str) -> Iterator[tuple[str, Row]]:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            origin = f"{name}: line {number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield origin, PassageError(f"{origin}: not valid JSON in UTF-8: {error}.")
                continue
            yield origin, row if isinstance(row, dict) else PassageError(f"{origin}: not a JSON object. Each line is one {{...}}.")


def _parquet(path: Path, name: str) -> Iterator[tuple[str, Row]]:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError(f'{name}: reading Parquet needs pyarrow. Run: pip install -c constraints.txt ".[tables]"') from error
    try:
        number = 0
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=256):
            for row in batch.to_pylist():
                number += 1
                yield f"{name}: row {number}", {k: v for k, v in row.items() if v is not None}
    except pyarrow.lib.ArrowException as error:
        yield name, PassageError(f"{name}: not a Parquet file that can be read: {error}.")


def _passage(row: Row, origin: str) -> Passage:
    if isinstance(row, PassageError):
        raise row
    unknown = sorted(str(key) for key in set(row) - _KNOWN)
    if unknown:
        raise PassageError(f"{origin}: {unknown[0]}: no such key. Known keys: {', '.join(sorted(_KNOWN))}.")
    ident = row.get("id")
    if not isinstance(ident, str) or not _ID.fullmatch(ident) or len(ident) > _LONGEST_ID:
        raise PassageError(
            f"{origin}: id: {ident!r} cannot stand in an address. Use lower-case Latin letters and digits, joined by hyphens, at most {_LONGEST_ID} in all."
        )
    text = row.get("text")
    if not isinstance(text, str) or not text.strip():
        raise PassageError(f"{origin}: the text is empty. Write the passage {'below the front matter' if origin.endswith('.md') else 'into the column text'}.")
    true_class = row.get("true_class")
    if true_class is None or isinstance(true_class, (bool, float, dict, list)) or not str(true_class).strip():
        raise PassageError(f"{origin}: true_class: missing. Name the label, or give its number.")
    texts = {key: str(row[key]) for key in _OPTIONAL if row.get(key) is not None}
    texts.setdefault("title", ident)
    return Passage(id=ident, text=_clean(text), true_class=str(true_class).strip(), origin=origin, **texts)


def _clean(text: str) -> str:
    """Unix line ends and no blank edges: what an editor or a spreadsheet may change without being asked."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
