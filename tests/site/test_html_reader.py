"""The reader of HTML, on which links and policy rest."""

from gallery.site.html_reader import read_tags, split_preserved


def test_tags_have_attributes_as_a_browser_reads_them() -> None:
    (tag,) = read_tags("<IMG SRC='a.png' alt=\"x > y &amp; z\" width=3 hidden data-a>")
    assert tag.name == "img"
    assert tag.attributes() == {"src": "a.png", "alt": "x > y & z", "width": "3", "hidden": None, "data-a": None}


def test_comments_and_the_text_of_scripts_hold_no_tags() -> None:
    tags = list(read_tags("<!-- <a href=1> --><script src>const a = '<b>';</script><style>p > a {}</style></p><i>"))
    assert [tag.name for tag in tags] == ["script", "style", "i"]
    assert [tag.content for tag in tags] == ["const a = '<b>';", "p > a {}", None]
    assert tags[0].attributes() == {"src": None}, "an attribute without a value is there"


def test_white_space_stays_where_a_reader_sees_it() -> None:
    document = "<p>\n a</p><PRE>\n b</PRE>\n<textarea> </textarea><script>\n c</script> d"
    parts = list(split_preserved(document))
    assert "".join(part for part, _ in parts) == document
    assert [part for part, preserved in parts if preserved] == ["<PRE>\n b</PRE>", "<textarea> </textarea>", "<script>\n c</script>"]
