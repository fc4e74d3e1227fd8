"""Passages as people keep them (Markdown with front matter, CSV, JSONL, Parquet, `datasets`), one at a time."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gallery.config import NOT_YAML, Settings
from gallery.disk_dict import DiskDict
from gallery.errors import ConfigError, PassageError, reason, shown
from gallery.passages import references
from gallery.passages.references import Texts
from gallery.passages.tables import TABLES, TableRow, is_dataset, read_dataset

CLASSICS = "site_src/passages/classics.csv"
"""Genuine passages by reference; a table, so it is not read with the folder it lies in."""

_ID = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_LONGEST_ID = 100
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(10))}
RESERVED = frozenset({"shell", "page", *_DEVICES})
"""Names that no passage or author can have in an address: pages of the site itself, and what Windows takes for a device."""
_SCRIPT_ADDRESS = re.compile(r"(?:java|vb)script:|(?<![a-z])data:(?:[a-z]+/|[,;])", re.IGNORECASE)
_NEVER_TEXT = re.compile(r"[\0\ud800-\udfff]")


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
_KNOWN = {"id", "true_class", "text", *_OPTIONAL, *references.KEYS}


def passage_paths(settings: Settings) -> tuple[str, ...]:
    """Return the folders and tables that a gallery's passages come from."""
    return (*settings.passages, CLASSICS) if settings.classics else settings.passages


def read_passages(places: Iterable[str], root: Path = Path(), texts: Path | None = None) -> Iterator[Passage | PassageError]:
    """Yield every passage of the given folders and tables, in order, and an error for each that is none.

    Folders yield their Markdown files by name, README.md left out. Tables are read row by row, so a long one
    is never held in memory. A row with a `url` in place of a text is looked up in the folder `texts`, or fetched.
    An error does not end the reading; a missing place raises ConfigError.
    """
    if texts is not None and not texts.is_dir():
        raise ConfigError(f"extra.gallery.texts: {texts}: no such folder. Correct it, or leave it out to fetch texts from their addresses.")
    library = Texts(texts)
    seen = DiskDict()
    for place in places:
        for origin, read in _rows(root / place, place):
            try:
                passage = _passage(read, origin, library)
            except PassageError as error:
                yield error
                continue
            first = seen.setdefault(passage.id, origin)
            if first != origin:
                yield PassageError(f"{origin}: id: {passage.id!r} is taken by {first}. Give one of the two another id.")
            else:
                yield passage


def passage_ids(places: Iterable[str], root: Path = Path()) -> Iterator[tuple[str, str]]:
    """Yield (id, where it stands) of every passage, without fetching texts and without asking whether it can be used."""
    for place in places:
        for origin, row in _rows(root / place, place):
            if not isinstance(row, PassageError) and isinstance(row.get("id"), str):
                yield row["id"], origin


def _rows(path: Path, name: str) -> Iterator[tuple[str, TableRow]]:
    if is_dataset(path):
        yield from read_dataset(path, name)
    elif path.is_dir():
        for file in sorted(path.glob("*.md")):
            if file.name != "README.md":
                yield f"{name}/{file.name}", _front_matter(file, f"{name}/{file.name}")
    elif not path.exists():
        raise ConfigError(f"extra.gallery.passages: {name}: no such file or folder. Make it, or name another.")
    elif path.suffix in TABLES:
        yield from TABLES[path.suffix](path, name)
    elif path.suffix == ".md":
        yield name, _front_matter(path, name)
    else:
        raise ConfigError(f"extra.gallery.passages: {name}: not a folder, .md, {', '.join(sorted(TABLES))} file.")


def _front_matter(path: Path, name: str) -> TableRow:
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return PassageError(f"{name}: byte {error.start} is not UTF-8. Save the file as UTF-8.")
    except OSError as error:
        return PassageError(f"{name}: {reason(error)}.")
    match = re.match(r"---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)(.*)", content, re.DOTALL | re.MULTILINE)
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


def _passage(row: TableRow, origin: str, library: Texts) -> Passage:
    if isinstance(row, PassageError):
        raise row
    unknown = sorted(key if isinstance(key, str) and key.isidentifier() and len(key) <= _LONGEST_ID else shown(key) for key in set(row) - _KNOWN)
    if unknown:
        raise PassageError(f"{origin}: {unknown[0]}: no such key. Known keys: {', '.join(sorted(_KNOWN))}.")
    for key, value in row.items():
        _check_value(key, value, origin)
    ident = row.get("id")
    if not isinstance(ident, str) or not _ID.fullmatch(ident) or len(ident) > _LONGEST_ID:
        raise PassageError(
            f"{origin}: id: {shown(ident)} cannot stand in an address. "
            f"Use lower-case Latin letters and digits, joined by hyphens, at most {_LONGEST_ID} in all."
        )
    if ident in RESERVED:
        raise PassageError(f"{origin}: id: {ident!r} is taken, by a page of the site itself or by Windows for a device. Use another.")
    true_class = row.get("true_class")
    if true_class is None or isinstance(true_class, (bool, float, dict, list)) or not str(true_class).strip():
        raise PassageError(f"{origin}: true_class: missing. Name the label, or give its number.")
    by_reference = row.get("url") is not None
    if by_reference and str(row.get("text") or "").strip():
        raise PassageError(f"{origin}: both a text and a url. Keep one of the two.")
    text = library.passage(row, origin) if by_reference else row.get("text")
    if not isinstance(text, str) or not text.strip():
        raise PassageError(f"{origin}: the text is empty. Write the passage {'below the front matter' if origin.endswith('.md') else 'into the column text'}.")
    _check_value("text", text, origin)
    texts = {key: str(row[key]) for key in _OPTIONAL if row.get(key) is not None}
    texts.setdefault("title", ident)
    return Passage(id=ident, text=_clean(text), true_class=str(true_class).strip(), origin=origin, **texts)


def _check_value(key: str, value: Any, origin: str) -> None:
    """Refuse what is no single value, what cannot be written as UTF-8, and links that would run a script.

    Raises PassageError.
    """
    if isinstance(value, (dict, list, tuple, set, bytes)) or (isinstance(value, int) and value.bit_length() > 64):
        raise PassageError(f"{origin}: {key}: not a text or a number. Write one value, in quotation marks if it holds a colon or a bracket.")
    if not isinstance(value, str):
        return
    if wrong := _NEVER_TEXT.search(value):
        raise PassageError(f"{origin}: {key}: character {wrong.start()} is U+{ord(wrong[0]):04X}, which no text holds. Save the text as UTF-8.")
    squeezed = "".join(c for c in value if c > " ")  # a browser passes over white space and control characters in a scheme
    if key == "source" and (found := _SCRIPT_ADDRESS.search(squeezed)):
        raise PassageError(f"{origin}: {key}: {found[0]} is an address that would run or hold something itself. Give an http or https address, or words.")


def _clean(text: str) -> str:
    """Unix line ends and no blank edges: what an editor or a spreadsheet may change without being asked."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
