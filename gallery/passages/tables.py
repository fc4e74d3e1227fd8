"""Tables of passages (CSV, JSONL, Parquet, folders of `datasets`), read row by row."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gallery.errors import ConfigError, PassageError, install_command, reason

TableRow = dict[str, Any] | PassageError
"""The values of a row by column, or the reason why it cannot be read."""


def _csv(path: Path, name: str) -> Iterator[tuple[str, TableRow]]:
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
            yield name, PassageError(f"{name}: after line {reader.line_num}: {reason(error)}. Save the table as UTF-8 CSV.")


def _jsonl(path: Path, name: str) -> Iterator[tuple[str, TableRow]]:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            origin = f"{name}: line {number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield origin, PassageError(f"{origin}: not valid JSON in UTF-8: {reason(error)}.")
                continue
            yield origin, row if isinstance(row, dict) else PassageError(f"{origin}: not a JSON object. Each line is one {{...}}.")


def _parquet(path: Path, name: str) -> Iterator[tuple[str, TableRow]]:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError(f"{name}: reading Parquet needs pyarrow. Run: {install_command('tables')}") from error
    try:
        number = 0
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=256):
            for row in batch.to_pylist():
                number += 1
                yield f"{name}: row {number}", {k: v for k, v in row.items() if v is not None}
    except (pyarrow.lib.ArrowException, OSError, ValueError) as error:  # a damaged footer is an OSError, a damaged text a ValueError
        yield name, PassageError(f"{name}: not a Parquet file that can be read: {reason(error)}. Write it again.")


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
        labels = dict(enumerate(feature.get("names") or ()))
        number = 0
        for file in files:
            with pyarrow.memory_map(str(path / Path(file).name)) as source:
                for batch in pyarrow.ipc.open_stream(source):
                    for row in batch.to_pylist():
                        number += 1
                        values = {k: labels.get(v, v) if k == "true_class" else v for k, v in row.items() if v is not None}
                        yield f"{name}: row {number}", values
    except (pyarrow.lib.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        yield name, PassageError(f"{name}: not a dataset that can be read: {reason(error)}. Write it again with save_to_disk.")


TABLES: dict[str, Callable[[Path, str], Iterator[tuple[str, TableRow]]]] = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
"""Readers of tables by the suffix of the file: (file, its name in messages) -> (origin of the row, row)."""
