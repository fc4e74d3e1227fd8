"""Tables of passages (CSV, JSONL, Parquet, folders of `datasets`), read row by row."""

import csv
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from gallery.errors import ConfigError, PassageError, install_command, reason
from gallery.passages.columns import COLUMNS, REQUIRED


class Note(str):
    """A message about how a table was read."""


class ClassName(str):
    """A class that its table declares by name, so that it is never read as a number."""


class _Float(str):
    """A number with a point or an exponent, as its file writes it."""


TableRow = dict[str, Any] | PassageError | Note
"""The values of a row by column, as texts; or the reason why it cannot be read; or a message about the table."""

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}


def _csv(path: Path, name: str) -> Iterator[tuple[str, TableRow]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # for all of this process; the library's own limit is 131,072 characters
    line = 0
    try:
        with path.open(encoding=_encoding(path), newline="") as stream:
            heading, separator, line = _heading(stream)
            columns = [column.strip() for column in next(csv.reader([heading], delimiter=separator), [])]
            if fault := _fault(columns):
                yield name, PassageError(f"{name}: line {line}: {fault}", name)
                return
            if separator != ",":
                yield name, Note(f"{name}: its columns are separated by {_SEPARATORS.get(separator, repr(separator))}.")
            before, reader = line, csv.reader(stream, delimiter=separator, strict=True)
            while True:
                line = before + reader.line_num + 1
                cells = next(reader, None)
                if cells is None:
                    return
                if any(cell.strip() for cell in cells):
                    yield f"{name}: line {line}", _cells(columns, cells, f"{name}: line {line}")
    except UnicodeDecodeError as error:
        after = f"after line {line}: " if line else ""
        yield name, PassageError(f"{name}: {after}{reason(error)}. Save the table as UTF-8 CSV.", name)
    except csv.Error as error:
        yield (
            name,
            PassageError(
                f"{name}: line {line}: a quotation mark opens a text there and does not close it ({reason(error)}). Close it, and double those "
                "within the text; the rows from there on were not read.",
                name,
            ),
        )
    except OSError as error:
        yield name, PassageError(f"{name}: {reason(error)}.", name)


def _encoding(path: Path) -> str:
    """Return UTF-16 for a file with its byte-order mark, which Excel's "Unicode text" has, else UTF-8."""
    with path.open("rb") as stream:
        return "utf-16" if stream.read(2) in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"


def _heading(stream: TextIO) -> tuple[str, str, int]:
    """Return the heading of a CSV table, the character that separates its columns, and the heading's line.

    Excel may name the separator in a line before, `sep=;`. Else it is the one that makes the most known columns of the heading.
    """
    line, heading, separator = 0, "", None
    while True:
        heading, line = stream.readline(), line + 1
        named = re.fullmatch(r"sep=(.)\s*", heading)
        separator = named[1] if named else separator
        if (heading.strip() and not named) or not heading:
            return heading, separator or max(_SEPARATORS, key=lambda mark: _known(heading, mark)), line


def _known(heading: str, separator: str) -> int:
    with suppress(csv.Error):
        return len(COLUMNS & {column.strip() for column in next(csv.reader([heading], delimiter=separator), [])})
    return 0


def _cells(columns: list[str], cells: list[str], origin: str) -> TableRow:
    if len(cells) > len(columns):
        return PassageError(
            f"{origin}: more fields than the heading names: {len(cells)}, not {len(columns)}. Quote texts that hold the separator.", origin, "more fields"
        )
    if len(cells) < len(columns):
        return PassageError(
            f"{origin}: fewer fields than the heading names: {len(cells)}, not {len(columns)}. Quote texts that hold a line break.", origin, "fewer fields"
        )
    return {column: cell for column, cell in zip(columns, cells, strict=True) if cell}


def _fault(columns: Iterable[str]) -> str | None:
    """Return what is wrong with a table's columns, or None."""
    named = [column for column in columns if column]
    twice = sorted({column for column in named if named.count(column) > 1})
    if twice:
        return f"two columns are named {twice[0]}. Give each its own name."
    missing = [" or ".join(names) for names in REQUIRED if not set(names) & set(named)]
    if missing:
        have = ", ".join(named[:10]) or "none"
        return f"no column {', none '.join(missing)}. The columns are: {have}. Name them id, true_class, text."
    return None


def _jsonl(path: Path, name: str) -> Iterator[tuple[str, TableRow]]:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            origin = f"{name}: line {number}"
            try:
                row = json.loads(line, parse_int=str, parse_float=_Float, parse_constant=_constant, object_pairs_hook=_object)
            except (ValueError, RecursionError) as error:
                yield origin, PassageError(f"{origin}: not valid JSON in UTF-8: {reason(error)}.", origin, "not JSON")
                continue
            if not isinstance(row, dict):
                yield origin, PassageError(f"{origin}: not a JSON object. Each line is one {{...}}.", origin)
                continue
            yield origin, _texts(row)


def _constant(name: str) -> None:
    """Return None for NaN, which Python's own JSON writes for a missing value; refuse the infinities."""
    if name != "NaN":
        raise ValueError(f"{name} is no number of JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key is given twice")
    return values


def _parquet(path: Path, name: str) -> Iterator[tuple[str, TableRow]]:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError(f"{name}: reading Parquet needs pyarrow. Run: {install_command('tables')}") from error
    try:
        number, file = 0, pyarrow.parquet.ParquetFile(path)
        if fault := _fault(file.schema_arrow.names):
            yield name, PassageError(f"{name}: {fault}", name)
            return
        for batch in file.iter_batches(batch_size=256):
            for row in _rows(batch):
                number += 1
                yield f"{name}: row {number}", _texts(row)
    except (pyarrow.lib.ArrowException, OSError, ValueError) as error:  # a damaged footer is an OSError, a damaged text a ValueError
        yield name, PassageError(f"{name}: not a Parquet file that can be read: {reason(error)}. Write it again.", name)


def _rows(batch: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows of an Arrow batch; short floats as the shortest decimal that they stand for."""
    import pyarrow

    columns = [
        column.cast(pyarrow.float32()).cast(pyarrow.string()).cast(pyarrow.float64()) if str(column.type) in {"float", "halffloat"} else column
        for column in batch.columns
    ]
    yield from pyarrow.RecordBatch.from_arrays(columns, batch.schema.names).to_pylist()


def _texts(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of typed values as texts, without those that are missing; lists and the like stay as they are."""
    return {key: text for key, value in row.items() if (text := _text(value, whole=key in {"id", "true_class", "start", "length"})) is not None}


def _text(value: Any, whole: bool) -> Any:
    """Return a value as the text that its file holds; None where it is missing, which also NaN says. whole: write 3.0 as 3."""
    if isinstance(value, _Float):
        return re.sub(r"\.0+$", "", value) if whole else str(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return None if math.isnan(value) else str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return str(value) if isinstance(value, int | Decimal | date | time) else value


def is_dataset(path: Path) -> bool:
    """Tell whether a folder was written by `save_to_disk` of `datasets`: one table, or several splits."""
    return (path / "state.json").is_file() or (path / "dataset_dict.json").is_file()


def read_dataset(path: Path, name: str) -> Iterator[tuple[str, TableRow]]:
    """Yield (origin, row) for each row of a dataset's folder, split by split."""
    if not (path / "dataset_dict.json").is_file():
        yield from _dataset(path, name)
        return
    for split in sorted(folder for folder in path.iterdir() if folder.is_dir()):
        yield from _dataset(split, f"{name}/{split.name}")


def _dataset(path: Path, name: str) -> Iterator[tuple[str, TableRow]]:
    """Yield the rows of one split: Arrow streams, with the names of classes in a file beside them."""
    try:
        import pyarrow.ipc
    except ImportError as error:
        raise ConfigError(f"{name}: reading a dataset needs pyarrow. Run: {install_command('tables')}") from error
    try:
        files = [entry["filename"] for entry in json.loads((path / "state.json").read_text("utf-8"))["_data_files"]]
        feature = json.loads((path / "dataset_info.json").read_text("utf-8"))["features"].get("true_class", {})
        labels = {number: ClassName(label) for number, label in enumerate(feature.get("names") or ())}
        number = 0
        for file in files:
            with pyarrow.memory_map(str(path / Path(file).name)) as source:
                for batch in pyarrow.ipc.open_stream(source):
                    if fault := _fault(batch.schema.names):
                        yield name, PassageError(f"{name}: {fault}", name)
                        return
                    for row in _rows(batch):
                        number += 1
                        values = {k: labels.get(v, v) if k == "true_class" and not isinstance(v, list) else v for k, v in row.items()}
                        yield f"{name}: row {number}", _texts(values)
    except (pyarrow.lib.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        yield name, PassageError(f"{name}: not a dataset that can be read: {reason(error)}. Write it again with save_to_disk.", name)


TABLES: dict[str, Callable[[Path, str], Iterator[tuple[str, TableRow]]]] = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet, ".tsv": _csv}
"""Readers of tables by the suffix of the file: (file, its name in messages) -> (origin of the row, row)."""
