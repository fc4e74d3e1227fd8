"""What the words of a passage are counted as."""

import re

import pytest

from gallery.site import vocabulary
from gallery.site.vocabulary import lemma, text_language, word_kinds

TEXT = "— Кто там? — спросил Иван. Дорога была пуста: «Здравствуй, Йорик!» В Москве А. П. Чехов жил 5 лет."


def _kinds(text: str, language: str = "ru") -> dict[str, str]:
    spans = [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]
    return {text[slice(*span)]: kind for span, kind in zip(spans, word_kinds(text, spans, language), strict=True)}


def test_names_function_words_and_punctuation_are_told_apart() -> None:
    kinds = _kinds(TEXT)
    assert {word for word, kind in kinds.items() if kind == "name"} == {"Иван", "Йорик", "Москве", "П", "Чехов"}
    assert {kinds[word] for word in ("Кто", "В")} == {"function"}
    assert {kinds[word] for word in "—?.:«,!»"} == {"punctuation"}
    assert {kinds[word] for word in ("спросил", "Дорога", "Здравствуй", "5", "лет")} == {"rest"}


def test_words_are_counted_by_dictionary_form_in_russian_alone() -> None:
    assert [lemma(word, "ru") for word in ("Души", "душою", "ёж", "сказал-с")] == ["душа", "душа", "ёж", "сказать-с"]
    assert lemma("Mice", "en") == "mice"


def test_without_the_dictionary_words_are_counted_as_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "_dictionary", lambda: None)
    assert lemma("Души", "ru") == "души"
    assert _kinds(TEXT)["В"] == "function"


@pytest.mark.parametrize(
    ("text", "interface", "expected"),
    [
        ("Дорога.", "en", "ru"),
        ("Дорога.", "uk", "uk"),
        ("The road.", "en", "en"),
        ("The road.", "ru", ""),
        ("The road.", "ar", ""),
        ("«Nota bene», — сказал он тихо.", "ru", "ru"),
        ("السلام عليكم، قال الرجل.", "en", ""),
        ("السلام عليكم، قال الرجل.", "ar", "ar"),
        ("שלום עולם.", "ru", "he"),
        ("今天天气很好我们去公园散步吧。", "en", "zh"),
        ("今日は天気がとても良いです。", "en", "ja"),
        ("สวัสดีชาวโลกวันนี้อากาศดี", "en", "th"),
        ("नमस्ते दुनिया", "en", ""),
        ("1, 2 — 3!", "en", "en"),
    ],
)
def test_the_language_of_a_passage_is_told_by_its_letters(text: str, interface: str, expected: str) -> None:
    assert text_language(text, interface) == expected
