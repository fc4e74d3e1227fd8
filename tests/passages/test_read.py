import json
from pathlib import Path

import pytest

from gallery.config import Settings
from gallery.errors import ConfigError, PassageError
from gallery.passages.read import CLASSICS, Passage, passage_ids, passage_paths, read_passages

GOOD = "---\nid: one\ntrue_class: Толстой\ntitle: Заглавие\n---\nТекст с ёлкой.\n\nВторой абзац.\n"


def read(folder: Path, *places: str) -> list[Passage | PassageError]:
    return list(read_passages(places or ("passages",), folder))


def write(folder: Path, name: str, content: str | bytes) -> None:
    path = folder / "passages" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_a_markdown_file_is_a_passage(tmp_path: Path) -> None:
    write(tmp_path, "one.md", GOOD)
    (passage,) = read(tmp_path)
    assert passage == Passage(id="one", text="Текст с ёлкой.\n\nВторой абзац.", true_class="Толстой", title="Заглавие", origin="passages/one.md")


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    write(tmp_path, "one.md", GOOD)
    (plain,) = read(tmp_path)
    write(tmp_path, "one.md", b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read(tmp_path) == [plain]


def test_the_file_name_stands_in_for_an_id(tmp_path: Path) -> None:
    write(tmp_path, "white-wall.md", GOOD.replace("id: one\n", ""))
    (passage,) = read(tmp_path)
    assert isinstance(passage, Passage)
    assert passage.id == "white-wall"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (GOOD.replace("Текст с ёлкой.\n\nВторой абзац.\n", "  \n"), "text is empty"),
        (GOOD.encode("cp1251"), "not UTF-8"),
        ("Просто текст", "no front matter"),
        (GOOD.replace("title: Заглавие", "title: a: b"), "line 4"),
        (GOOD.replace("id: one", "id: ../etc"), "cannot stand in an address"),
        (GOOD.replace("id: one", "id: Ася"), "cannot stand in an address"),
        (GOOD.replace("title:", "titel:"), "titel: no such key"),
        (GOOD.replace("true_class: Толстой\n", ""), "true_class: missing"),
        (GOOD.replace("true_class: Толстой", "true_class:"), "true_class: missing"),
        (GOOD.replace("title: Заглавие", "title: Заглавие\ntitle: Другое"), "line 5: the front matter is not valid YAML (title is given twice)"),
        (
            GOOD.replace("Текст с ёлкой.\n\nВторой абзац.\n", "\u200b \u2060\n"),
            "text: nothing in it can be seen: it holds U+200B ZERO WIDTH SPACE, U+2060 WORD JOINER",
        ),
        (GOOD.replace("title: Заглавие", "title: \u3164"), "title: nothing in it can be seen: it holds U+3164 HANGUL FILLER alone"),
    ],
)
def test_a_bad_passage_names_its_file_and_fault_and_spares_the_others(tmp_path: Path, content: str | bytes, complaint: str) -> None:
    write(tmp_path, "a.md", content)
    write(tmp_path, "b.md", GOOD.replace("id: one", "id: two"))
    bad, good = read(tmp_path)
    assert isinstance(bad, PassageError)
    assert bad.message.startswith("passages/a.md")
    assert complaint in bad.message
    assert isinstance(good, Passage)


def test_two_passages_of_one_id_are_an_error_that_names_both(tmp_path: Path) -> None:
    write(tmp_path, "a.md", GOOD)
    write(tmp_path, "b.md", GOOD)
    _, second = read(tmp_path)
    assert isinstance(second, PassageError)
    assert "passages/a.md" in second.message
    assert "passages/b.md" in second.message


def test_tables_hold_the_same_passages_as_files(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    row = {"id": "one", "true_class": "2", "title": "Заглавие, с запятой", "text": "Первая строка.\nВторая."}
    (tmp_path / "t.csv").write_text('id,true_class,title,text\none,2,"Заглавие, с запятой","Первая строка.\nВторая."\n', "utf-8")
    (tmp_path / "t.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", "utf-8")
    parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / "t.parquet")
    found = [read(tmp_path, name)[0] for name in ("t.csv", "t.jsonl", "t.parquet")]
    assert all(isinstance(p, Passage) for p in found)
    assert len({(p.id, p.true_class, p.title, p.text) for p in found if isinstance(p, Passage)}) == 1


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [("t.csv", "id,true_class,text\na,1,x,y\n", "t.csv: line 2"), ("t.jsonl", '{"id": "a"\n', "t.jsonl: line 1"), ("t.jsonl", "[1]\n", "t.jsonl: line 1")],
)
def test_a_bad_row_names_its_line(tmp_path: Path, name: str, content: str, place: str) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    (bad,) = read(tmp_path, name)
    assert isinstance(bad, PassageError)
    assert bad.message.startswith(place)


@pytest.mark.parametrize(
    "written", ["No", "no", "on", "12:30", "010", "0x1F", "1.10", "1_984", "2024-05-06", "2024-99-99", "0b_", "Null", "~", "true", "1e3", ".5"]
)
def test_values_of_front_matter_are_texts_as_they_stand_there(tmp_path: Path, written: str) -> None:
    """YAML 1.1 makes False, True, 750, 8, 31 and 1.1 of some of these; an author means none of them."""
    write(tmp_path, "one.md", GOOD.replace("Заглавие", written).replace("Толстой", written))
    (passage,) = read(tmp_path)
    assert isinstance(passage, Passage)
    assert (passage.title, passage.true_class) == (written, written)


def test_an_id_of_digits_is_an_id(tmp_path: Path) -> None:
    write(tmp_path, "one.md", GOOD.replace("id: one", "id: 2024"))
    (passage,) = read(tmp_path)
    assert isinstance(passage, Passage)
    assert passage.id == "2024"


def test_a_missing_place_says_which(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.csv"):
        read(tmp_path, "nowhere.csv")


def test_a_missing_default_folder_is_an_empty_one_beside_a_table(tmp_path: Path) -> None:
    """git keeps no empty folder, so a gallery whose passages all stand in a table lacks it after a clone."""
    (tmp_path / "t.csv").write_text("id,true_class,text\none,0,Раз.\n", "utf-8")
    said: list[str] = []
    (passage,) = read_passages(["site_src/passages", "t.csv"], tmp_path, say=said.append)
    assert isinstance(passage, Passage)
    assert said == ["site_src/passages: no such folder, so no passage is read from it."]


def test_folders_within_a_folder_and_an_empty_table_are_said(tmp_path: Path) -> None:
    write(tmp_path, "a.md", GOOD)
    (tmp_path / "passages" / "chekhov").mkdir()
    write(tmp_path, "chekhov/b.md", GOOD.replace("id: one", "id: two"))
    (tmp_path / "t.csv").write_text("id,true_class,text\n", "utf-8")
    said: list[str] = []
    (passage,) = read_passages(["passages", "t.csv"], tmp_path, say=said.append)
    assert isinstance(passage, Passage)
    assert said == ["passages: folders within it are not read: chekhov. Name each under extra.gallery.passages.", "t.csv: no passages in it."]


def test_a_gallery_reads_its_own_passages_and_then_the_classics_if_they_are_asked_for() -> None:
    assert passage_paths(Settings(passages=("a", "b.csv"), classics=False)) == ("a", "b.csv")
    assert passage_paths(Settings(passages=("a", "b.csv"), classics=True)) == ("a", "b.csv", CLASSICS)


def test_a_passage_has_a_text_or_an_address_and_not_both(tmp_path: Path) -> None:
    write(tmp_path, "one.md", GOOD.replace("title: Заглавие", f"url: http://127.0.0.1/a\nsha256: {'0' * 64}\nstart: 0\nlength: 1"))
    (error,) = read(tmp_path)
    assert isinstance(error, PassageError)
    assert error.message == "passages/one.md: both a text and a url. Keep one of the two."


def test_a_folder_that_is_named_like_a_passage_is_an_error_and_spares_the_others(tmp_path: Path) -> None:
    write(tmp_path, "b.md", GOOD)
    (tmp_path / "passages" / "a.md").mkdir()
    error, good = read(tmp_path)
    assert isinstance(error, PassageError)
    assert error.message == "passages/a.md: Is a directory."
    assert isinstance(good, Passage)


def test_ids_are_listed_with_where_they_stand_and_without_fetching_texts(tmp_path: Path) -> None:
    write(tmp_path, "b.md", GOOD.replace("id: one\n", ""))
    write(tmp_path, "c.md", "no front matter")
    write(tmp_path, "README.md", "# Not a passage")
    (tmp_path / "t.csv").write_text("id,true_class,url,sha256,start,length\nfar,0,http://127.0.0.1:9/none,0,0,1\n,0,,,,\n", "utf-8")
    first, unread, far = passage_ids(("passages", "t.csv"), tmp_path)
    assert (first, far) == (("b", "passages/b.md"), ("far", "t.csv: line 2"))
    assert isinstance(unread, PassageError)
    assert unread.message.startswith("passages/c.md: no front matter")


def test_an_id_may_have_a_hundred_characters_and_hyphens_between_them(tmp_path: Path) -> None:
    for name in ("a" * 100, "a-b_c", "0"):
        write(tmp_path, "one.md", GOOD.replace("id: one", f"id: '{name}'"))
        (passage,) = read(tmp_path)
        assert isinstance(passage, Passage)
        assert passage.id == name
