"""The interface's language: texts by gettext catalogues, numbers by Babel's CLDR data."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from gettext import c2py
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import NumberPattern, parse_pattern

_LOCALES = Path(__file__).parents[1] / "locale"
_GROUPED_FROM = 10_000


@dataclass(frozen=True)
class Language:
    """Texts and numbers of one interface language; English where there is no catalogue."""

    code: str
    gettext: Callable[[str], str]
    ngettext: Callable[[str, str, int], str]
    locale: Locale

    def number(self, value: float, digits: int = 3) -> str:
        """Return a number with so many decimals and a real minus sign; thousands are grouped from ten thousand on."""
        # Rounded before Babel sees it: Babel would round the shortest decimal of a float, not the float.
        rounded = Decimal(f"{value:.{digits}f}")
        text = _pattern(digits).apply(rounded, self.locale, group_separator=abs(value) >= _GROUPED_FROM)
        return str(text).replace("-", "\u2212")

    def signed(self, value: float, digits: int = 3) -> str:
        """Return a number with its sign."""
        text = self.number(abs(value), digits)
        zero = self.number(0, digits)
        return text if text == zero else ("+" if value > 0 else "\u2212") + text

    def percent(self, share: float, digits: int = 0) -> str:
        """Return a share of 1 in per cent."""
        return self.number(100 * share, digits) + str(self.locale.percent_formats[None].suffix[0])

    def probability(self, probability: float) -> str:
        """Return a probability of a class as all pages, cards and sentences write it, so that one number has one spelling."""
        return self.percent(probability, 1)

    def quoted(self, text: str) -> str:
        """Return a text in the language's quotation marks."""
        return f"«{text}»" if self.code == "ru" else f"“{text}”"


@cache
def _pattern(digits: int) -> NumberPattern:
    return parse_pattern("#,##0." + "0" * digits if digits else "#,##0")


@cache
def language(code: str) -> Language:
    """Return the interface language of a Material code; English where there is no catalogue for it."""
    path = _LOCALES / code / "LC_MESSAGES" / "gallery.po"
    if not path.exists():
        return Language("en", lambda text: text, lambda singular, plural, count: singular if count == 1 else plural, Locale("en"))
    with path.open("rb") as stream:
        catalog = read_po(stream, locale=code)
    return Language(
        code,
        cache(lambda text: _translated(catalog, text)),
        lambda singular, plural, count: _plural(catalog, singular, plural, count),
        Locale.parse(code),
    )


def _translated(catalog: Catalog, text: str) -> str:
    message = catalog.get(text)
    return str(message.string) if message is not None and message.string and isinstance(message.string, str) else text


def _plural(catalog: Catalog, singular: str, plural: str, count: int) -> str:
    message = catalog.get(singular)
    forms = message.string if message is not None else None
    if not forms or isinstance(forms, str) or not all(forms):
        return singular if count == 1 else plural
    return str(forms[_rule(catalog.plural_expr)(count)])


@cache
def _rule(expression: str) -> Callable[[int], int]:
    return c2py(expression)
