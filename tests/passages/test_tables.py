"""Tables as spreadsheets, scripts and `datasets` write them."""

import json
import sys
from pathlib import Path

import pytest

from gallery.errors import ConfigError, PassageError
from gallery.passages.read import Passage, read_passages

pa = pytest.importorskip("pyarrow")
ROWS = [{"id": "one", "true_class": "0", "text": "Раз.", "title": "Один"}, {"id": "two", "true_class": "1", "text": "Два.", "title": None, "work": None}]


def _read(folder: Path, name: str) -> list[Passage]:
    found = list(read_passages([name], folder))
    assert [error.message for error in found if isinstance(error, PassageError)] == []
    return [passage for passage in found if isinstance(passage, Passage)]


def _dataset(folder: Path, rows: list[dict[str, object]], columns: dict[str, object] | None = None) -> None:
    folder.mkdir(parents=True)
    table = pa.Table.from_pylist(rows)
    with pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": columns or {}}))


@pytest.mark.parametrize("kind", ["csv", "parquet", "dataset"])
def test_an_empty_cell_is_a_key_left_out(tmp_path: Path, kind: str) -> None:
    """Also in a column that no passage could have: a spreadsheet's own notes cost nothing as long as they are empty."""
    rows: list[dict[str, object]] = [{**row, "checked_by": None} for row in ROWS]
    if kind == "csv":
        (tmp_path / "table.csv").write_text("id,true_class,text,title,checked_by\none,0,Раз.,Один,\ntwo,1,Два.,,\n", "utf-8")
    elif kind == "parquet":
        from pyarrow import parquet

        parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "table.parquet")
    else:
        _dataset(tmp_path / "table.dataset", rows)
    found = _read(tmp_path, f"table.{kind}")
    assert [(passage.id, passage.title, passage.work, passage.true_class, passage.text) for passage in found] == [
        ("one", "Один", "", "0", "Раз."),
        ("two", "two", "", "1", "Два."),
    ]
    where = {"csv": ["line 2", "line 3"], "parquet": ["row 1", "row 2"], "dataset": ["row 1", "row 2"]}[kind]
    assert [passage.origin for passage in found] == [f"table.{kind}: {line}" for line in where]


def test_a_dataset_of_splits_is_read_split_by_split_and_nothing_else_in_its_folder_is(tmp_path: Path) -> None:
    _dataset(tmp_path / "set" / "train", [{"id": "b", "true_class": 1, "text": "Раз."}], {"true_class": {"names": ["Чехов", "Гоголь"]}})
    _dataset(tmp_path / "set" / "test", [{"id": "a", "true_class": "Чехов", "text": "Два."}])
    (tmp_path / "set" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    (tmp_path / "set" / "README.md").write_text("# A data card")
    assert [(passage.id, passage.true_class, passage.origin) for passage in _read(tmp_path, "set")] == [
        ("a", "Чехов", "set/test: row 1"),
        ("b", "Гоголь", "set/train: row 1"),
    ]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("state.json", "{"),
        ("state.json", "[]"),
        ("state.json", "{}"),
        ("state.json", '{"_data_files": [1]}'),
        ("state.json", '{"_data_files": [{"filename": "gone.arrow"}]}'),
        ("dataset_info.json", "[]"),
        ("dataset_info.json", '{"features": []}'),
        ("dataset_info.json", '{"features": {"true_class": {"names": 3}}}'),
        ("data-00000-of-00001.arrow", "no Arrow at all"),
    ],
)
def test_a_damaged_dataset_is_an_error_that_names_it(tmp_path: Path, file: str, content: str) -> None:
    _dataset(tmp_path / "set", [{"id": "a", "true_class": "0", "text": "Раз."}])
    (tmp_path / "set" / file).write_text(content)
    (error,) = read_passages(["set"], tmp_path)
    assert isinstance(error, PassageError)
    assert error.message.startswith("set: not a dataset that can be read: ")
    assert error.message.endswith(". Write it again with save_to_disk.")


def test_a_damaged_parquet_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and no more")
    (error,) = read_passages(["t.parquet"], tmp_path)
    assert isinstance(error, PassageError)
    assert error.message.startswith("t.parquet: not a Parquet file that can be read: ")
    assert "\n" not in error.message


@pytest.mark.parametrize(("name", "module"), [("t.parquet", "pyarrow.parquet"), ("set", "pyarrow.ipc")])
def test_a_table_that_needs_pyarrow_says_how_to_have_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, module: str) -> None:
    _dataset(tmp_path / "set", [{"id": "a", "true_class": "0", "text": "Раз."}])
    (tmp_path / "t.parquet").touch()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=rf"{name}: .* needs pyarrow\. Run: pip install .*\[tables\]"):
        list(read_passages([name], tmp_path))


def test_a_cell_too_long_for_csv_is_an_error_and_what_came_before_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"id,true_class,text\none,0,Раз.\ntwo,0,{'а' * 200_000}\n", "utf-8")
    first, error = read_passages(["t.csv"], tmp_path)
    assert isinstance(first, Passage)
    assert isinstance(error, PassageError)
    assert error.message == "t.csv: after line 2: field larger than field limit (131072). Save the table as UTF-8 CSV."


def test_rows_of_json_may_be_apart_and_nest_too_deep(tmp_path: Path) -> None:
    deep = "[" * 100_000
    (tmp_path / "t.jsonl").write_text(f'\n{json.dumps(ROWS[0])}\n  \n{deep}\n"text"\n', "utf-8")
    first, nested, text = read_passages(["t.jsonl"], tmp_path)
    assert isinstance(first, Passage)
    assert first.origin == "t.jsonl: line 2"
    assert isinstance(nested, PassageError)
    assert nested.message.startswith("t.jsonl: line 4: not valid JSON in UTF-8: ")
    assert isinstance(text, PassageError)
    assert text.message == "t.jsonl: line 5: not a JSON object. Each line is one {...}."
