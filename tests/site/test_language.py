"""The interface in its two languages."""

from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from gallery.methods import own_methods
from gallery.site.language import language
from gallery.site.pages.method_table import words_of

GALLERY = Path(__file__).parents[2] / "gallery"


def test_every_text_of_the_interface_is_written_in_russian() -> None:
    with (GALLERY / "locale" / "ru" / "LC_MESSAGES" / "gallery.po").open("rb") as stream:
        catalog = read_po(stream, locale="ru")
    methods = [("**.py", "python"), ("templates/**.html", "jinja2")]
    found = [message[2] for message in extract_from_dir(GALLERY, methods, {"templates/**.html": {"newstyle_gettext": "true"}})]
    assert len(found) > 100
    for text in found:
        message = catalog.get(text[0] if isinstance(text, tuple) else text)
        assert message is not None, text
        forms = message.string if isinstance(text, tuple) else (message.string,)
        assert len(forms) == (3 if isinstance(text, tuple) else 1), f"{text}: one, few and many"
        assert [form for form in forms if not isinstance(form, str) or not form.strip()] == [], text


def test_every_declared_text_of_a_method_is_written_in_russian() -> None:
    """No extractor sees these: their message ids stand in the declarations, not in a call of gettext."""
    declared = {text: method.name for method in own_methods() for text in words_of(method)}
    assert len(declared) >= 2 * len(own_methods())
    with (GALLERY / "locale" / "ru" / "LC_MESSAGES" / "gallery.po").open("rb") as stream:
        catalog = read_po(stream, locale="ru")
    missing = {text: name for text, name in declared.items() if not (message := catalog.get(text)) or not message.string}
    assert missing == {}, "add them to gallery/locale/ru/LC_MESSAGES/gallery.po"


def test_plurals_follow_the_language() -> None:
    assert [language("ru").ngettext("passage", "passages", n) for n in (1, 3, 11, 21)] == ["отрывок", "отрывка", "отрывков", "отрывок"]
    assert [language("en").ngettext("passage", "passages", n) for n in (1, 3)] == ["passage", "passages"]


@pytest.mark.parametrize(("code", "signed", "percent"), [("ru", "\u22120,250", "12,5\u00a0%"), ("en", "\u22120.250", "12.5%")])
def test_numbers_are_written_as_the_language_writes_them(code: str, signed: str, percent: str) -> None:
    assert language(code).signed(-0.25) == signed
    assert language(code).percent(0.125, 1) == percent
    assert language(code).signed(-0.0001) == language(code).number(0)
    assert language(code).number(1_000_000, 0) == {"ru": "1\u00a0000\u00a0000"}.get(code, "1,000,000")
    assert language(code).number(1234.5, 1) == {"ru": "1234,5"}.get(code, "1234.5")


@pytest.mark.parametrize("code", ["ru", "en"])
def test_numbers_round_as_floats_do_and_group_from_ten_thousand_on(code: str) -> None:
    speech, point = language(code), {"ru": ","}.get(code, ".")
    assert speech.number(2.675, 2) == f"2{point}67", "the float is below the half"
    assert speech.number(0.125, 2) == f"0{point}12"
    assert speech.number(9999.4, 0) == "9999"
    assert speech.number(-12345.678, 1) == {"ru": "\u221212\u00a0345,7"}.get(code, "\u221212,345.7")
