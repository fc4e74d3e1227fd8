import errno

import pytest

from gallery.errors import GalleryError, reason, short, shown


def test_a_message_quotes_texts_and_names_the_type_of_all_else() -> None:
    assert shown("Чехов") == "'Чехов'"
    assert shown("x" * 81) == f"'{'x' * 80}…'"
    assert shown("x" * 80) == f"'{'x' * 80}'"
    assert (shown(None), shown(3), shown(True), shown([1, 2])) == ("nothing", "3", "True", "a list")


def test_a_text_is_shortened_to_one_line() -> None:
    assert short(" two\n\tlines ") == "two lines"
    assert short("abcdef", longest=6) == "abcdef"
    assert short("abcdefg", longest=6) == "abcdef…"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/a/file"), "No space left on device"),
        (OSError("neither number nor file."), "neither number nor file"),
        (ValueError("one\n  two."), "one two"),
        (ValueError(), "ValueError"),
        (ValueError("x" * 301), "x" * 300 + "…"),
    ],
)
def test_a_reason_is_one_line_without_a_full_stop(error: Exception, said: str) -> None:
    assert reason(error) == said


def test_a_reason_may_be_the_first_or_last_line_of_a_long_text() -> None:
    error = RuntimeError("\nFirst.\nsecond\nLast one.\n")
    assert (reason(error, line=0), reason(error, line=-1)) == ("First", "Last one")
    assert reason(RuntimeError(), line=-1) == "RuntimeError"


def test_a_message_writes_out_what_a_terminal_would_obey() -> None:
    assert GalleryError("a\x1b[31mb\ud800\nc").message == "a\\x1b[31mb\\ud800\nc"
