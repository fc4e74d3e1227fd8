"""Passages that were written to do harm, or by accident look so: an error for each that names its file, and no more."""

import unicodedata
from pathlib import Path

import pytest

from gallery.errors import PassageError, SourceError
from gallery.model.labels import label_names
from gallery.passages.read import RESERVED, Passage, read_passages
from gallery.site.slugs import author_slugs

NAMES = [
    "../etc/passwd", "..", ".", "/etc/passwd", "a/b", "a\\b", "C:\\boot", "c:", "a:b", "a.", "a..", ".hidden",
    "con", "aux", "nul", "com1", "lpt9", "prn",
    "shell", "page", "a" * 101, "a" * 300, "Ася", "ася", unicodedata.normalize("NFD", "й"),
    "A", "a b", "a--b", "-a", "a-", "a\n", "a\0", "%2e%2e", "~", "a?b", "a#b", "",
]  # fmt: skip


def _read(folder: Path, content: str) -> Passage | PassageError:
    (folder / "a.md").write_text(content, "utf-8")
    (found,) = read_passages(["a.md"], folder)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_an_id_that_could_become_another_path_is_refused(tmp_path: Path, name: str) -> None:
    import json

    (tmp_path / "a.jsonl").write_text(json.dumps({"id": name, "true_class": "Чехов", "text": "Текст."}), "utf-8")
    (found,) = read_passages(["a.jsonl"], tmp_path)
    assert isinstance(found, PassageError)
    assert found.message.startswith("a.jsonl: line 1: id: ")
    assert len(found.message) < 400


@pytest.mark.parametrize(
    "front",
    [
        "title: [a, b]",
        "title: {a: b}",
        "title: !!binary aGk=",
        "title: !!python/object/apply:os.system ['true']",
        "? [a]\n: b",
        "title: " + "[" * 2000,
        "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)) + "title: *a11",
        "title: &a [*a]",
        'title: "a\\0b"',
        "title: \x1b[2J",
        "=: a",
        "<<: a",
    ],
)
def test_front_matter_made_to_hang_crash_or_run_is_an_error_like_any_other(tmp_path: Path, front: str) -> None:
    found = _read(tmp_path, f"---\nid: one\ntrue_class: Чехов\n{front}\n---\nТекст.\n")
    assert isinstance(found, PassageError)
    assert found.message.startswith("a.md:")
    assert len(found.message) < 500


@pytest.mark.parametrize(
    "source",
    [
        "javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", " javascript :alert(1)", "[x](javascript:alert(1))", "vbscript:x",
        "data:text/html,<script>alert(1)</script>", "DATA:text/html;base64,AAAA", "data:,x", "см. data:image/svg+xml,<svg>",
    ],
)  # fmt: skip
def test_a_source_that_would_run_something_is_refused(tmp_path: Path, source: str) -> None:
    import json

    found = _read(tmp_path, f"---\nid: one\ntrue_class: Чехов\nsource: {json.dumps(source)}\n---\nТекст.\n")
    assert isinstance(found, PassageError)
    assert "a.md: source: " in found.message


@pytest.mark.parametrize("source", ["https://example.org/a?data=1", "Metadata: 1890", "Опубликовано: data: 1890", "JavaScript, глава 2"])
def test_a_source_in_words_or_an_address_is_not(tmp_path: Path, source: str) -> None:
    import json

    assert isinstance(_read(tmp_path, f"---\nid: one\ntrue_class: Чехов\nsource: {json.dumps(source)}\n---\nТекст.\n"), Passage)


def test_half_a_character_is_no_text(tmp_path: Path) -> None:
    for key, place in (("text", "text"), ("title", "title"), ("\\ud800", "'\\ud800'")):
        text = "" if key == "text" else '"text": "a", '
        row = f'{{"id": "one", "true_class": "1", {text}"{key}": "\\ud800"}}'
        (tmp_path / "a.jsonl").write_text(row, "utf-8")
        (found,) = read_passages(["a.jsonl"], tmp_path)
        assert isinstance(found, PassageError)
        assert place in found.message
        assert found.message.encode()


def test_every_author_has_an_address_of_his_own() -> None:
    twins = ("x-2", "x", "x!", "Ася", "ася", unicodedata.normalize("NFC", "Йо"), unicodedata.normalize("NFD", "Йо"))
    labels = (*twins, "CON", "nul", "shell", "page", "../..", "a" * 300, "a" * 299, "/", "。。", "con-7")
    slugs = author_slugs(labels)
    assert len({slug.casefold() for slug in slugs}) == len(labels)
    assert not set(slugs) & RESERVED
    assert all(len(slug) < 100 and set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for slug in slugs)


@pytest.mark.parametrize("name", ["", " ", "\ud800", "a\0"])
def test_a_model_whose_class_has_no_name_that_can_be_shown_is_refused(name: str) -> None:
    with pytest.raises(SourceError, match="class 1 has the name"):
        label_names(("Чехов", name), {}, "m")
    assert label_names(("Чехов", name), {1: "Гоголь"}, "m") == ("Чехов", "Гоголь")
