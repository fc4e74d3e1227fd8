"""Passages from Markdown files, tables and references, read one at a time and checked."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gallery.config import Settings
from gallery.disk_dict import DiskDict
from gallery.errors import ConfigError, PassageError, reason, shown
from gallery.passages.columns import COLUMNS, OPTIONAL
from gallery.passages.front_matter import read_markdown
from gallery.passages.references import Texts
from gallery.passages.tables import TABLES, ClassName, Note, TableRow, is_dataset, read_dataset

CLASSICS = "site_src/passages/classics.csv"
"""Genuine passages by reference. A table, so reading its folder, which takes Markdown files alone, does not read it."""

_ID = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_LONGEST_ID = 100
_MOST_NAMED = 10
"""At most so many columns, or characters, are named in a message."""
_WINDOWS_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(10))}
RESERVED = frozenset({"shell", "page", *_WINDOWS_DEVICES})
"""Names that no passage or author can have in an address: pages of the site itself, and devices of Windows."""
_SCRIPT_ADDRESS = re.compile(r"(?:java|vb)script:|(?<![a-z])data:(?:[a-z]+/|[,;])", re.IGNORECASE)
_NEVER_TEXT = re.compile(r"[\0\ud800-\udfff]")
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters without a shape that Unicode counts among letters, marks and symbols: fillers, and the blank pattern of Braille."""


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
    names_class: bool = False
    """Whether `true_class` is certainly a name, as in a dataset that declares its classes."""
    true_classes: tuple[str, ...] | None = None
    """The true classes, perhaps none, where a file gives a list of them; else None."""
    kind: str = ""
    """A word for what the text is where the author of its class did not write it, such as `stylisation`; empty for a genuine text."""
    year: str = ""
    edition: str = ""


def passage_paths(settings: Settings) -> tuple[str, ...]:
    """Return the folders, files and tables that hold a gallery's passages."""
    return (*settings.passages, CLASSICS) if settings.classics else settings.passages


def read_passages(
    paths: Iterable[str], root: Path = Path(), texts: Path | None = None, say: Callable[[str], None] = lambda note: None
) -> Iterator[Passage | PassageError]:
    """Yield each passage of some folders, files and tables, in order, and a PassageError for each that cannot be used.

    `paths` are relative to `root`. A folder yields its Markdown files by name, without README.md. Tables are read row by row,
    so a long table is never held in memory. For a row with a `url` instead of a text, the text comes from the folder `texts`, or
    from the network if the folder does not hold it. `say` is called with what the maker should know of a table: how its columns are
    separated, and which of them are not used. Raises ConfigError for a path or folder that is missing, but for the default folder.
    """
    if texts is not None and not texts.is_dir():
        raise ConfigError(f"extra.gallery.texts: {texts}: no such folder. Correct it, or leave it out to fetch texts from their addresses.")
    library = Texts(texts)
    origins = DiskDict()
    for path in paths:
        unused: dict[str, None] = {}
        empty = True
        for origin, row in _rows(root / path, path):
            if isinstance(row, Note):
                say(row)
                continue
            empty = False
            try:
                passage = _passage(row, origin, library, unused)
            except PassageError as error:
                yield error
                continue
            first = origins.setdefault(passage.id, origin)
            if first != origin:
                yield PassageError(f"{origin}: id: {passage.id!r} is taken by {first}. Give one of the two another id.", origin, "id taken")
            else:
                yield passage
        if empty and (root / path).exists():
            say(f"{path}: no passages in it.")
        if unused:
            known = ", ".join(sorted(COLUMNS))
            say(f"{path}: columns that are not used: {', '.join(list(unused)[:_MOST_NAMED])}{', …' if len(unused) > _MOST_NAMED else ''}. Known ones: {known}.")


def passage_ids(paths: Iterable[str], root: Path = Path()) -> Iterator[tuple[str, str] | PassageError]:
    """Yield (id, origin) of each passage, or the error where a file or row cannot be read.

    Fetches no text, and does not check whether the passage can be used.
    """
    for path in paths:
        for origin, row in _rows(root / path, path):
            if isinstance(row, PassageError):
                yield row
            elif not isinstance(row, Note) and isinstance(row.get("id"), str):
                yield row["id"], origin


def _rows(path: Path, name: str) -> Iterator[tuple[str, TableRow]]:
    try:
        yield from _reader(path, name)
    except OSError as error:
        yield name, PassageError(f"{name}: {reason(error)}.", name)


def _reader(path: Path, name: str) -> Iterator[tuple[str, TableRow]]:
    if is_dataset(path):
        yield from read_dataset(path, name)
    elif path.is_dir():
        for file in sorted(path.glob("*.md")):
            if file.name != "README.md":
                yield from read_markdown(file, f"{name}/{file.name}")
        if below := sorted({file.parent.relative_to(path).as_posix() for file in path.glob("*/**/*.md") if file.name != "README.md"}):
            more = ", …" if len(below) > _MOST_NAMED else ""
            yield name, Note(f"{name}: folders within it are not read: {', '.join(below[:_MOST_NAMED])}{more}. Name each under extra.gallery.passages.")
    elif not path.exists() and name in Settings.model_fields["passages"].default:  # git keeps no empty folder
        yield name, Note(f"{name}: no such folder, so no passage is read from it.")
    elif not path.exists():
        raise ConfigError(f"extra.gallery.passages: {name}: no such file or folder. Make it, or name another.")
    elif path.suffix == ".md":
        yield from read_markdown(path, name)
    elif path.suffix in TABLES:
        yield from TABLES[path.suffix](path, name)
    else:
        raise ConfigError(f"extra.gallery.passages: {name}: not a folder, .md, {', '.join(sorted(TABLES))} file.")


def _passage(row: TableRow, origin: str, library: Texts, unused: dict[str, None]) -> Passage:
    """Return the passage of a row; raise PassageError, naming its key, if it cannot be used.

    Unknown keys of a Markdown file are errors: somebody wrote them there. Columns of a table that are not known are added to `unused`.
    """
    if isinstance(row, PassageError):
        raise row
    assert not isinstance(row, Note)
    if broken := next((key for key in row if _NEVER_TEXT.search(str(key))), None):
        raise PassageError(f"{origin}: {shown(broken)}: no name of a column. Save the table as UTF-8.", origin)
    unknown = [key if key.isidentifier() and len(key) <= _LONGEST_ID else shown(key) for key in map(str, row) if key not in COLUMNS]
    if unknown and origin.endswith(".md"):
        raise PassageError(f"{origin}: {min(unknown)}: no such key. Known keys: {', '.join(sorted(COLUMNS))}.", origin)
    unused |= dict.fromkeys(unknown[: _MOST_NAMED + 1 - len(unused)] if len(unused) <= _MOST_NAMED else ())
    row = {key: value for key, value in row.items() if key in COLUMNS}
    several = _listed_classes(row, origin)
    for key, value in row.items():
        _check_value(key, value, origin)
    ident = row.get("id")
    if not isinstance(ident, str) or not _ID.fullmatch(ident) or len(ident) > _LONGEST_ID:
        raise PassageError(
            f"{origin}: id: {shown(ident)} cannot stand in an address. "
            f"Use lower-case Latin letters and digits, joined by hyphens, at most {_LONGEST_ID} in all.",
            origin,
            "id",
        )
    if ident in RESERVED:
        raise PassageError(f"{origin}: id: {ident!r} is taken, by a page of the site itself or by Windows for a device. Use another.", origin, "id reserved")
    true_class = row.get("true_class")
    if several != () and (not isinstance(true_class, str) or not true_class.strip()):
        raise PassageError(f"{origin}: true_class: missing. Name the label, or give its number.", origin)
    by_reference = row.get("url") is not None
    if by_reference and str(row.get("text") or "").strip():
        raise PassageError(f"{origin}: both a text and a url. Keep one of the two.", origin)
    text = library.passage(row, origin) if by_reference else row.get("text")
    if not isinstance(text, str) or not text.strip():
        raise PassageError(
            f"{origin}: the text is empty. Write the passage {'below the front matter' if origin.endswith('.md') else 'into the column text'}.",
            origin,
            "the text is empty",
        )
    _check_value("text", text, origin)
    texts = {key: str(row[key]) for key in OPTIONAL if str(row.get(key) or "").strip()}
    for key in ("text", "title"):
        _check_visible(key, text if key == "text" else texts.get(key, ident), origin)
    texts.setdefault("title", ident)
    return Passage(
        id=ident,
        text=_clean(text),
        true_class=str(true_class).strip(),
        origin=origin,
        names_class=isinstance(true_class, ClassName),
        true_classes=several,
        **texts,
    )


def _listed_classes(row: dict[str, Any], origin: str) -> tuple[str, ...] | None:
    """Return the classes of a row that lists them, and leave the first in the row, or an empty text; None where it names one."""
    listed = row.get("true_class")
    if not isinstance(listed, (list, tuple)):
        return None
    named = [one if isinstance(one, str) else str(one) for one in listed if isinstance(one, (str, int)) and not isinstance(one, bool)]
    if len(named) < len(listed) or not all(one.strip() for one in named):
        raise PassageError(f"{origin}: true_class: a list of something else than labels or numbers. List the true classes.", origin, "true_class: no text")
    row["true_class"] = named[0] if named else ""
    return tuple(one.strip() for one in named)


def _check_value(key: str, value: Any, origin: str) -> None:
    """Raise PassageError for a list or mapping, for text that cannot be written as UTF-8, and for a link that would run a script."""
    if value is not None and not isinstance(value, str):
        raise PassageError(
            f"{origin}: {key}: not a text or a number. Write one value, in quotation marks if it holds a colon or a bracket.", origin, f"{key}: no text"
        )
    if value is None:
        return
    if wrong := _NEVER_TEXT.search(value):
        raise PassageError(
            f"{origin}: {key}: character {wrong.start()} is U+{ord(wrong[0]):04X}, which no text holds. Save the text as UTF-8.", origin, f"{key}: never text"
        )
    squeezed = "".join(c for c in value if c > " ")  # browsers ignore white space and control characters in a scheme
    if key == "source" and (address := _SCRIPT_ADDRESS.search(squeezed)):
        raise PassageError(
            f"{origin}: {key}: {address[0]} is an address that would run or hold something itself. Give an http or https address, or words.", origin
        )


def _check_visible(key: str, value: str, origin: str) -> None:
    """Raise PassageError, with the names of its characters, for a text that shows nothing: zero-width characters, fillers, controls."""
    hidden = dict.fromkeys(value)
    if all(c in _BLANKS or unicodedata.category(c)[0] in "CZ" or unicodedata.name(c, "").startswith("VARIATION SELECTOR") for c in hidden):
        names = [f"U+{ord(c):04X} {unicodedata.name(c, '')}".rstrip() for c in hidden if not c.isspace()]
        raise PassageError(
            f"{origin}: {key}: nothing in it can be seen: it holds {', '.join(names[:_MOST_NAMED]) or 'white space'} alone. Write words, or take it out.",
            origin,
            f"{key}: invisible",
        )


def _clean(text: str) -> str:
    """Return a text with Unix line ends and without blank edges, which editors and spreadsheets change unasked."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
