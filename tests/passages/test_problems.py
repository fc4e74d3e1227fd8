"""Errors of passages are told once for each fault."""

from gallery.errors import PassageError
from gallery.passages.problems import Problems


def test_a_fault_of_many_rows_is_one_message_with_their_number() -> None:
    problems = Problems()
    for row in range(1, 10_001):
        problems.add(PassageError(f"t.jsonl: line {row}: id: 'A {row}' cannot stand in an address.", f"t.jsonl: line {row}", "id"))
    problems.add(PassageError("t.jsonl: line 10001: not valid JSON."))
    assert problems.count == 10_001
    assert problems.messages() == [
        "t.jsonl: line 1: id: 'A 1' cannot stand in an address. The same with 9,999 more: t.jsonl: line 2, t.jsonl: line 3, t.jsonl: line 4, …",
        "t.jsonl: line 10001: not valid JSON.",
    ]


def test_two_of_a_kind_are_both_named() -> None:
    problems = Problems()
    for name in ("a.md", "b.md"):
        problems.add(PassageError(f"{name}: no front matter.", name))
    assert problems.messages() == ["a.md: no front matter. The same with 1 more: b.md."]
