"""The manifest, line by line: each is held against its own sha256, and a damaged one is named."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from gallery.errors import StoreError
from gallery.store.entries import Store
from gallery.store.manifest import EntryName, Header, Row, read_header, read_rows, write_manifest
from gallery.store.records import Model

MODEL = Model("m", "org/m@1", "0" * 64, "1" * 64, "BertForSequenceClassification", ("Гоголь", "Чехов"), 2, 3, 8, 64, "org/t@2", {"top1": 0.5})
HEADER = Header(MODEL, ("occlusion", "lime"), "2" * 64, {"chance": {"random_orders": 2}})
NAMES = (EntryName("prediction"), EntryName("faithfulness", "lime", 1))
ROWS = [Row(f"p{n}", "Заглавие", "Труд", "https://example.org", "…", n, (n, 1 - n), dict(zip(NAMES, "ab", strict=True))) for n in range(2)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    write_manifest(store, HEADER, ROWS)
    return store


def lines(store: Store) -> list[dict[str, object]]:
    return [json.loads(line) for line in (store.folder / "manifest.jsonl").read_text("utf-8").splitlines()]


def sealed(values: dict[str, object]) -> str:
    """Return a line with the sha256 of its JSON without it: sorted, without spaces, in UTF-8."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return json.dumps({**values, "sha256": hashlib.sha256(text.encode()).hexdigest()}, ensure_ascii=False)


def forge(store: Store, number: int, line: str) -> None:
    path = store.folder / "manifest.jsonl"
    content = path.read_text("utf-8").splitlines()
    content[number] = line
    path.write_text("\n".join(content) + "\n", "utf-8")


def test_what_is_written_is_read(store: Store) -> None:
    assert read_header(store) == HEADER
    assert list(read_rows(store)) == ROWS
    write_manifest(store, replace(HEADER, scripts=None), iter(ROWS[:1]))
    assert read_header(store).scripts is None
    assert list(read_rows(store)) == ROWS[:1]
    write_manifest(store, HEADER, [])
    assert list(read_rows(store)) == []


def test_lines_are_a_header_a_row_for_each_passage_and_their_count_each_with_its_own_checksum(store: Store) -> None:
    found = lines(store)
    assert [line.get("id") for line in found] == [None, "p0", "p1", None]
    assert (found[0]["schema"], found[-1]["rows"]) == (1, 2)
    assert found[1]["entries"] == {"prediction": "a", "faithfulness/lime/1": "b"}
    for line in found:
        digest = line.pop("sha256")
        assert json.loads(sealed(line))["sha256"] == digest


def test_a_manifest_of_before_the_parts_were_kept_is_read(store: Store) -> None:
    head = {key: value for key, value in lines(store)[0].items() if key not in {"parts", "sha256"}}
    forge(store, 0, sealed(head))
    assert read_header(store) == replace(HEADER, parts={})


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ("", "Expecting value"),
        ("[]", "the checksum does not match"),
        ('{"schema": 1}', "the checksum does not match"),
        (sealed({"schema": 2}), "it was written by another version"),
        (sealed({}), "'schema'"),
        (sealed({"schema": 1, "model": {"labels": ["a"], "colour": "red"}}), "unexpected keyword argument 'colour'"),
        (sealed({"schema": 1, "model": None}), "NoneType"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_header_that_cannot_be_used_says_why_and_what_to_run(store: Store, head: str, says: str) -> None:
    forge(store, 0, head)
    with pytest.raises(StoreError) as error:
        read_header(store)
    assert error.value.message.startswith(f"{store.folder / 'manifest.jsonl'}: cannot be read: ")
    assert says in error.value.message
    assert error.value.message.endswith(". Run: python build.py explain")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{}",
        "[" * 100_000,
        sealed({"id": "p0"}),
        sealed({"id": "p0", "targets": 3, "entries": {}}),
        sealed({"id": "p0", "targets": [0], "entries": {}, "colour": "red"}),
        sealed({"id": "p0", "targets": [0], "entries": []}),
        sealed({"rows": 5}),
    ],
    ids=range(8),
)
def test_a_row_that_cannot_be_used_is_named_by_its_line(store: Store, line: str) -> None:
    forge(store, 2, line)
    found = read_rows(store)
    assert next(found) == ROWS[0]
    with pytest.raises(StoreError) as error:
        next(found)
    assert error.value.message.startswith(f"{store.folder / 'manifest.jsonl'}: line 3: damaged: ")
    assert error.value.message.endswith(". Run: python build.py explain")


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_manifest_without_its_last_lines_is_cut_short(store: Store, count: int) -> None:
    path = store.folder / "manifest.jsonl"
    path.write_text("".join(path.read_text("utf-8").splitlines(keepends=True)[:count]), "utf-8")
    with pytest.raises(StoreError, match=rf"line {max(count, 1)}: damaged: it is cut short"):
        list(read_rows(store))


def test_no_manifest_and_one_that_cannot_be_read_are_told_apart(store: Store) -> None:
    path = store.folder / "manifest.jsonl"
    path.unlink()
    with pytest.raises(StoreError, match="no such file, so nothing has been explained yet"):
        read_header(store)
    with pytest.raises(StoreError, match="No such file or directory"):
        list(read_rows(store))
    path.mkdir()
    for read in (read_header, lambda store: list(read_rows(store))):
        with pytest.raises(StoreError, match=r"manifest\.jsonl: Is a directory\. Run: python build\.py explain"):
            read(store)


@pytest.mark.parametrize(
    ("name", "text"),
    [(EntryName("chance"), "chance"), (EntryName("sanity", "lime"), "sanity/lime"), (EntryName("attribution", "lime", 0), "attribution/lime/0")],
)
def test_the_name_of_an_entry_is_written_and_read(name: EntryName, text: str) -> None:
    assert str(name) == text
    assert EntryName.parse(text) == name
