"""Tables as spreadsheets, scripts and `datasets` write them."""

import csv
import datetime
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


def test_a_cell_may_be_longer_than_the_limit_of_the_csv_library(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"id,true_class,text\ntwo,0,{'а' * 200_000}\n", "utf-8")
    (passage,) = _read(tmp_path, "t.csv")
    assert len(passage.text) == 200_000


HEADING, FIRST, SECOND = ("id", "true_class", "title", "text"), ("a", "neg", "Fox", "The fox, the dog."), ("b", "pos", "Dog", 'The "dog"; lazy\nindeed.')


@pytest.mark.parametrize("before", ["", "sep=", "\ufeff"])
@pytest.mark.parametrize(("separator", "word"), [(",", ""), (";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")])
def test_the_separator_of_columns_is_recognised_and_said(tmp_path: Path, separator: str, word: str, before: str) -> None:
    """As Excel saves a table where a comma is the decimal sign; written here by Python's own csv."""
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as stream:
        stream.write(f"sep={separator}\r\n" if before == "sep=" else before)
        csv.writer(stream, delimiter=separator).writerows([HEADING, FIRST, SECOND, ("", "", "", "")])
    said: list[str] = []
    found = list(read_passages(["t.csv"], tmp_path, say=said.append))
    assert [(p.id, p.true_class, p.title, p.text) for p in found if isinstance(p, Passage)] == [FIRST, SECOND]
    assert len(found) == 2
    assert [p.origin for p in found if isinstance(p, Passage)] == (
        ["t.csv: line 3", "t.csv: line 4"] if before == "sep=" else ["t.csv: line 2", "t.csv: line 3"]
    )
    assert said == ([f"t.csv: its columns are separated by {word}."] if word else [])


def test_a_table_in_the_unicode_of_excel_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("id\ttrue_class\ttext\none\t0\tРаз.\n", "utf-16")
    (passage,) = _read(tmp_path, "t.tsv")
    assert passage.text == "Раз."


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ('z,neg,fine\na,neg,"The fox says\nb,pos,The dog.\nc,neg,The end.\n', "t.csv: line 3: a quotation mark opens a text there and does not close it"),
        ('z,neg,fine\na,neg,"The fox says\nb,pos,"The dog."\n', "t.csv: line 3: a quotation mark opens a text there and does not close it"),
        ("z,neg,fine\na,neg,The fox, the dog.\n", "t.csv: line 3: more fields than the heading names: 4, not 3. Quote texts that hold the separator."),
        ("z,neg,fine\na,neg\n", "t.csv: line 3: fewer fields than the heading names: 2, not 3. Quote texts that hold a line break."),
    ],
)
def test_a_row_that_is_not_as_the_heading_says_is_an_error_that_names_its_first_line(tmp_path: Path, rows: str, complaint: str) -> None:
    (tmp_path / "t.csv").write_text(f"id,true_class,text\n{rows}", "utf-8")
    first, error = read_passages(["t.csv"], tmp_path)
    assert isinstance(first, Passage)
    assert first.text == "fine"
    assert isinstance(error, PassageError)
    assert error.message.startswith(complaint)


@pytest.mark.parametrize(
    ("heading", "complaint"),
    [
        ("id,author,text", "t.csv: line 1: no column true_class. The columns are: id, author, text. Name them id, true_class, text."),
        (
            "name,class,body",
            "t.csv: line 1: no column id, none true_class, none text or url. The columns are: name, class, body. Name them id, true_class, text.",
        ),
        ("id,true_class,text,text", "t.csv: line 1: two columns are named text. Give each its own name."),
        ("\n\nid,true_class\n", "t.csv: line 3: no column text or url. The columns are: id, true_class. Name them id, true_class, text."),
    ],
)
def test_a_table_without_its_columns_is_one_error(tmp_path: Path, heading: str, complaint: str) -> None:
    (tmp_path / "t.csv").write_text(heading + "\n1,2,3\n" * 50, "utf-8")
    (error,) = read_passages(["t.csv"], tmp_path)
    assert isinstance(error, PassageError)
    assert error.message == complaint


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_columns_that_the_gallery_does_not_know_are_said_once(tmp_path: Path, kind: str) -> None:
    rows = [{"id": f"p{n}", "true_class": "0", "text": "Раз.", "annotator": "N. N."} for n in range(300)]
    if kind == "jsonl":
        (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    else:
        with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    said: list[str] = []
    found = list(read_passages([f"t.{kind}"], tmp_path, say=said.append))
    assert [p.id for p in found if isinstance(p, Passage)] == [row["id"] for row in rows]
    assert said == [
        f"t.{kind}: columns that are not used: annotator. "
        "Known ones: edition, encoding, id, kind, length, note, sha256, source, start, text, title, true_class, url, work, year."
    ]


@pytest.mark.parametrize(
    ("json_row", "expected"),
    [
        ('{"id": 1, "true_class": 4, "title": 1.10, "work": true, "note": NaN, "text": "T."}', ("1", "4", "1.10", "true", "")),
        ('{"id": 1.0, "true_class": 4.0, "title": 1984, "work": 1e3, "note": null, "text": "T."}', ("1", "4", "1984", "1e3", "")),
        ('{"id": "1", "true_class": "4", "title": "010", "work": "no", "note": "", "text": "T."}', ("1", "4", "010", "no", "")),
    ],
)
def test_values_of_json_are_texts_as_they_stand_there(tmp_path: Path, json_row: str, expected: tuple[str, ...]) -> None:
    (tmp_path / "t.jsonl").write_text(json_row, "utf-8")
    (p,) = _read(tmp_path, "t.jsonl")
    assert (p.id, p.true_class, p.title, p.work, p.note) == expected


@pytest.mark.parametrize("row", ['{"id": "a", "id": "b"}', '{"id": Infinity}'])
def test_json_that_does_not_say_one_thing_is_an_error(tmp_path: Path, row: str) -> None:
    (tmp_path / "t.jsonl").write_text(row, "utf-8")
    (error,) = read_passages(["t.jsonl"], tmp_path)
    assert isinstance(error, PassageError)
    assert error.message.startswith("t.jsonl: line 1: not valid JSON")


def test_values_of_parquet_keep_their_meaning(tmp_path: Path) -> None:
    """Numbers are as pandas writes them: an integer column with a missing value is one of floats."""
    from pyarrow import parquet

    columns = {
        "id": pa.array([1, 2], pa.int64()),
        "true_class": pa.array([3.0, 0.0], pa.float64()),
        "title": pa.array([1.1, float("nan")], pa.float32()),
        "work": pa.array([datetime.date(1890, 5, 6), None]),
        "note": pa.array([False, None]),
        "text": pa.array(["Раз.", "Два."]),
    }
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    found = _read(tmp_path, "t.parquet")
    assert [(p.id, p.true_class, p.title, p.work, p.note) for p in found] == [("1", "3", "1.1", "1890-05-06", "false"), ("2", "0", "2", "", "")]


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
