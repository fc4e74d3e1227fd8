"""The words of a passage: their language, their dictionary form, and their kind, one of four."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

WORD_KINDS = ("name", "function", "punctuation", "rest")
"""Kinds of words, in the order pages show them."""

_FUNCTION_POS = {"PREP", "CONJ", "PRCL", "NPRO"}
# Without a dictionary: the commonest prepositions, conjunctions, particles and pronouns.
_RUSSIAN = """
а без бы был была было были в вам вас во вот все всё вы для до его ее её если еще ещё же за и из или им их к как ко когда кто ли либо между меня
мне мы на над нам нас не него нее неё ней нет ни них но ну о об обо однако он она они оно от по под при про с себе себя со так также то тоже
только ты у уж уже хоть хотя чем через что чтоб чтобы эта эти это этот я
"""
_ENGLISH = """
a about after all also am an and any are as at be because been before but by can could did do does for from had has have he her hers him his how i
if in into is it its me my no nor not of off on one or our out over she should so some than that the their them then there these they this those
though to too under until up upon us was we were what when where which while who whom whose why will with would you your
"""
_FUNCTION_WORDS = {"ru": frozenset(_RUSSIAN.split()), "en": frozenset(_ENGLISH.split())}
_SENTENCE_END = re.compile(r"[.!?…]")
_OPENING = '«„“"—–-'


_SCRIPTS: dict[str, tuple[str, ...]] = {
    "CYRILLIC": ("ru", "be", "bg", "kk", "mk", "mn", "sr", "uk"), "GREEK": ("el",), "HEBREW": ("he",), "THAI": ("th",), "HANGUL": ("ko",),
    "HIRAGANA": ("ja",), "KATAKANA": ("ja",), "CJK": ("zh", "ja"), "GEORGIAN": ("ka",), "ARMENIAN": ("hy",), "TAMIL": ("ta",), "TELUGU": ("te",),
    "ARABIC": ("", "ar", "fa", "ur"), "DEVANAGARI": ("", "hi", "sa"), "BENGALI": ("", "bn"),
}  # fmt: skip
"""Script, by the first word of its letters' names -> the language of a text in it, and others that a site in such a script may have."""


def text_language(text: str, interface: str) -> str:
    """Return the language of a passage as HTML names it, by the script of most of its letters; empty, which means unknown, where that tells none.

    A text in the script of the interface is taken to be in its language, and one in Cyrillic letters elsewhere to be Russian.
    """
    scripts = Counter(unicodedata.name(c, " ").split()[0].split("-")[0] for c in text if c.isalpha())
    if not scripts:
        return interface
    script = scripts.most_common(1)[0][0]
    if script == "CJK" and (scripts["HIRAGANA"] or scripts["KATAKANA"]):
        return "ja"
    spoken = interface.split("-")[0]
    if script not in _SCRIPTS:
        elsewhere = any(spoken in languages for languages in _SCRIPTS.values())
        return interface if script == "LATIN" and not elsewhere else ""
    return interface if spoken in _SCRIPTS[script] else _SCRIPTS[script][0]


@cache
def _dictionary() -> Any:
    """Return pymorphy3's analyser of Russian, or None where the extra `ru` is not installed."""
    try:
        import pymorphy3
    except ImportError:
        return None
    return pymorphy3.MorphAnalyzer(lang="ru")


def dictionary_version() -> str:
    """Return the versions of pymorphy3 and its dictionary; empty where words are counted without a dictionary."""
    return " ".join(version(name) for name in ("pymorphy3", "pymorphy3-dicts-ru")) if _dictionary() else ""


def has_dictionary(language: str) -> bool:
    """Tell whether words of a language are counted by their dictionary form."""
    return language == "ru" and _dictionary() is not None


@cache
def _analysed(word: str) -> tuple[str, str]:
    """Return dictionary form and part of speech of a Russian word, in its most frequent reading."""
    best = _dictionary().parse(word)[0]
    return str(best.normal_form), str(best.tag.POS or "")


def lemma(word: str, language: str) -> str:
    """Return a word's dictionary form by pymorphy3, for Russian where that is installed; else the word in lower case."""
    return _analysed(word.lower())[0] if has_dictionary(language) else word.lower()


_PLAIN_SURNAME = re.compile(r"[А-ЯЁ][а-яё]+(?:[её]в|ов|ин|ын|[сц]кий)")


def surname_in_case(name: str, case: str) -> str | None:
    """Return a Russian surname in the genitive (gent) or accusative (accs); None where it is not known to be a surname.

    By pymorphy3 where that is installed; else men's surnames in -ов, -ев, -ин and -ский alone, whose two cases are alike.
    """
    if not name or name != name.capitalize():
        return None
    if has_dictionary("ru"):
        readings = (reading for reading in _dictionary().parse(name) if {"nomn", "sing"} <= reading.tag.grammemes and "Surn" in reading.tag)
        inflected = next((form for reading in readings if (form := reading.inflect({case}))), None)
        if inflected is not None:
            return str(inflected.word).capitalize()
    if not _PLAIN_SURNAME.fullmatch(name):
        return None
    return name[:-2] + "ого" if name.endswith("ий") else name + "а"


def word_kinds(text: str, words: Sequence[tuple[int, int]], language: str) -> list[str]:
    """Return the kind of each word [W] of a passage; `words` are offsets [start, end) of characters.

    Punctuation has neither letter nor digit. A name begins with a capital within a sentence. A function word is a preposition,
    conjunction, particle or pronoun by pymorphy3, or by a short list where that is not installed.
    """
    kinds = []
    begins, end_before, before = True, 0, ""
    for start, end in words:
        word = text[start:end]
        if "\n" in text[end_before:start]:
            begins = True
        if not any(c.isalnum() for c in word):
            kinds.append("punctuation")
            initial = len(before) == 1 and before.isupper()
            spoken = before == ":" and word[0] in _OPENING
            begins = begins or spoken or (bool(_SENTENCE_END.search(word)) and not initial)
        else:
            function = _is_function(word.lower(), language)
            kinds.append("function" if function else "name" if word[0].isupper() and not begins else "rest")
            begins = False
        end_before, before = end, word
    return kinds


def _is_function(word: str, language: str) -> bool:
    if has_dictionary(language):
        return _analysed(word)[1] in _FUNCTION_POS
    return word in _FUNCTION_WORDS.get(language, frozenset())
