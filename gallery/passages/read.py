"""Passages from Markdown files, tables and references, read one at a time and checked."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gallery.config import Settings
from gallery.disk_dict import DiskDict
from gallery.errors import ConfigError, PassageError, shown
from gallery.passages import references
from gallery.passages.front_matter import read_markdown
from gallery.passages.references import Texts
from gallery.passages.tables import TABLES, TableRow, is_dataset, read_dataset

CLASSICS = "site_src/passages/classics.csv"
"""Genuine passages by reference. A table, so reading its folder, which takes Markdown files alone, does not read it."""

_ID = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_LONGEST_ID = 100
_WINDOWS_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(10))}
RESERVED = frozenset({"shell", "page", *_WINDOWS_DEVICES})
"""Names that no passage or author can have in an address: pages of the site itself, and devices of Windows."""
_SCRIPT_ADDRESS = re.compile(r"(?:java|vb)script:|(?<![a-z])data:(?:[a-z]+/|[,;])", re.IGNORECASE)
_NEVER_TEXT = re.compile(r"[\0\ud800-\udfff]")


@dataclass(frozen=True)
class Passage:
    """A text to be explained, with its true class and its bibliography."""

    id: str
    """Part of the page's address: lower-case Latin letters and digits, joined by single hyphens or underscores."""
    text: str
    true_class: str
    """The label's name or number, as written."""
    title: str
    origin: str
    """File, and its line or row, for messages."""
    work: str = ""
    source: str = ""
    note: str = ""


_OPTIONAL = ("title", "work", "source", "note")
_KNOWN = {"id", "true_class", "text", *_OPTIONAL, *references.KEYS}


def passage_paths(settings: Settings) -> tuple[str, ...]:
    """Return the folders, files and tables that hold a gallery's passages."""
    return (*settings.passages, CLASSICS) if settings.classics else settings.passages


def read_passages(paths: Iterable[str], root: Path = Path(), texts: Path | None = None) -> Iterator[Passage | PassageError]:
    """Yield each passage of some folders, files and tables, in order, and a PassageError for each that cannot be used.

    `paths` are relative to `root`. A folder yields its Markdown files by name, without README.md. Tables are read row by row,
    so a long table is never held in memory. For a row with a `url` instead of a text, the text comes from the folder `texts`, or
    from the network if the folder does not hold it. Raises ConfigError for a path or folder that is missing.
    """
    if texts is not None and not texts.is_dir():
        raise ConfigError(f"extra.gallery.texts: {texts}: no such folder. Correct it, or leave it out to fetch texts from their addresses.")
    library = Texts(texts)
    origins = DiskDict()
    for path in paths:
        for origin, row in _rows(root / path, path):
            try:
                passage = _passage(row, origin, library)
            except PassageError as error:
                yield error
                continue
            first = origins.setdefault(passage.id, origin)
            if first != origin:
                yield PassageError(f"{origin}: id: {passage.id!r} is taken by {first}. Give one of the two another id.")
            else:
                yield passage


def passage_ids(paths: Iterable[str], root: Path = Path()) -> Iterator[tuple[str, str]]:
    """Yield (id, origin) of each passage; fetches no text, and does not check whether the passage can be used."""
    for path in paths:
        for origin, row in _rows(root / path, path):
            if not isinstance(row, PassageError) and isinstance(row.get("id"), str):
                yield row["id"], origin


def _rows(path: Path, name: str) -> Iterator[tuple[str, TableRow]]:
    if is_dataset(path):
        yield from read_dataset(path, name)
    elif path.is_dir():
        for file in sorted(path.glob("*.md")):
            if file.name != "README.md":
                yield from read_markdown(file, f"{name}/{file.name}")
    elif not path.exists():
        raise ConfigError(f"extra.gallery.passages: {name}: no such file or folder. Make it, or name another.")
    elif path.suffix == ".md":
        yield from read_markdown(path, name)
    elif path.suffix in TABLES:
        yield from TABLES[path.suffix](path, name)
    else:
        raise ConfigError(f"extra.gallery.passages: {name}: not a folder, .md, {', '.join(sorted(TABLES))} file.")


def _passage(row: TableRow, origin: str, library: Texts) -> Passage:
    """Return the passage of a row; raise PassageError, naming its key, if it cannot be used."""
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
    """Raise PassageError for a list or mapping, for text that cannot be written as UTF-8, and for a link that would run a script."""
    if isinstance(value, (dict, list, tuple, set, bytes)) or (isinstance(value, int) and value.bit_length() > 64):
        raise PassageError(f"{origin}: {key}: not a text or a number. Write one value, in quotation marks if it holds a colon or a bracket.")
    if not isinstance(value, str):
        return
    if wrong := _NEVER_TEXT.search(value):
        raise PassageError(f"{origin}: {key}: character {wrong.start()} is U+{ord(wrong[0]):04X}, which no text holds. Save the text as UTF-8.")
    squeezed = "".join(c for c in value if c > " ")  # browsers ignore white space and control characters in a scheme
    if key == "source" and (address := _SCRIPT_ADDRESS.search(squeezed)):
        raise PassageError(f"{origin}: {key}: {address[0]} is an address that would run or hold something itself. Give an http or https address, or words.")


def _clean(text: str) -> str:
    """Return a text with Unix line ends and without blank edges, which editors and spreadsheets change unasked."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
