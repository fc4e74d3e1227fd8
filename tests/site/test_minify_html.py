"""Pages lose the white space that nobody sees, and nothing else."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gallery.site.build.minify_html import minified

SCRIPT = "<script>\n  if (a &&\n\n      b) c = `\n\n`;\n</script>"
PREFORMATTED = "<pre><code>one\n    two\n\n\nthree</code></pre>"


def test_lines_stay_apart_and_words_too() -> None:
    assert minified("<p>one\n\n      two  three</p>  \n\t<p>four</p>\n") == "<p>one\ntwo  three</p>\n<p>four</p>\n"


def test_scripts_and_preformatted_text_are_kept_to_the_letter() -> None:
    document = f"<div>\n\n  {SCRIPT}\n\n  {PREFORMATTED}\n\n  <TEXTAREA>\n\n a</TEXTAREA>\n\n</div>"
    assert minified(document) == f"<div>\n{SCRIPT}\n{PREFORMATTED}\n<TEXTAREA>\n\n a</TEXTAREA>\n</div>"


@given(st.lists(st.sampled_from(["a", "<p>", "</p>", " ", "\n", "\n   ", SCRIPT, PREFORMATTED, "<pre>", "</script>", "é"])).map("".join))
def test_no_letter_is_lost_and_a_second_time_changes_nothing(document: str) -> None:
    once = minified(document)
    assert re.sub(r"\s", "", once) == re.sub(r"\s", "", document)
    assert bool(re.search(r"\s", once)) == bool(re.search(r"\s", document))
    assert minified(once) == once
