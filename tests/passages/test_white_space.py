"""A text of a library is set anew: hard-wrapped lines become paragraphs, and nothing but white space changes."""

import pytest

from gallery.passages.references import hard_wrap, set_white_space

SHORT = "Короткая строка."


@pytest.mark.parametrize(
    ("lines", "indentation"),
    [
        ([SHORT] * 9, None),
        ([SHORT] * 10, 0),
        ([SHORT, ""] * 9, None),  # empty lines do not count
        ([*[SHORT] * 10, *[" " * 120] * 5], 0),  # nor do lines of spaces, however long
        ([SHORT] * 9 + ["а" * 100], 0),
        ([SHORT] * 9 + ["а" * 101], None),
        ([SHORT] * 99 + ["а" * 101], None),  # one in a hundred
        ([SHORT] * 100 + ["а" * 101], 0),  # fewer than one in a hundred
        (["  " + SHORT] * 6 + ["     " + SHORT] * 5, 2),
        ([SHORT] * 5 + ["    " + SHORT] * 5, 0),  # of two as frequent, the lesser
    ],
)
def test_a_text_is_hard_wrapped_from_ten_short_lines_on(lines: list[str], indentation: int | None) -> None:
    assert hard_wrap("\n".join(lines)) == indentation


def test_a_line_is_a_paragraph_where_lines_are_not_wrapped() -> None:
    text = "  Первая   строка.\r\nВторая\tстрока.\n\n\n\nТретья.\n"
    assert set_white_space(text, None) == "Первая строка.\n\nВторая строка.\n\nТретья."


def test_a_wrapped_paragraph_ends_at_an_empty_line_or_a_deeper_one() -> None:
    text = "раз\nдва\n\nтри\n   четыре\nпять\n   \nшесть"
    assert set_white_space(text, 0) == "раз два\n\nтри\n\nчетыре пять\n\nшесть"


def test_a_stretch_that_begins_within_a_paragraph_begins_one() -> None:
    assert set_white_space("конец строки\n  и дальше", 2) == "конец строки и дальше"


def test_soft_hyphens_and_byte_order_marks_go_and_every_other_letter_stays() -> None:
    assert set_white_space("\ufeffпе\u00adре\u00adнос\u00a0и\u0306 👩\u200d👩\u200d👧\ufeff ##\u0301", None) == "перенос и\u0306 👩\u200d👩\u200d👧 ##\u0301"
    assert set_white_space(" \n\n \ufeff \n", None) == ""
