"""The interface's language: texts through gettext catalogues, numbers as that language writes them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from gettext import c2py
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import get_decimal_symbol

_LOCALES = Path(__file__).parents[1] / "locale"


@dataclass(frozen=True)
class Language:
    """Texts and numbers of one interface language; English where there is no catalogue."""

    code: str
    gettext: Callable[[str], str]
    ngettext: Callable[[str, str, int], str]
    point: str
    """What stands between whole and decimals."""

    def number(self, value: float, digits: int = 3) -> str:
        """Return a number with so many decimals, and its thousands apart from ten thousand on."""
        grouped = f"{value:,.{digits}f}" if abs(value) >= 10_000 else f"{value:.{digits}f}"
        return grouped.translate({ord(","): "," if self.point == "." else "\u00a0", ord("."): self.point, ord("-"): "\u2212"})

    def signed(self, value: float, digits: int = 3) -> str:
        """Return a number that carries its sign, with a real minus."""
        text = self.number(abs(value), digits)
        zero = self.number(0, digits)
        return text if text == zero else ("+" if value > 0 else "\u2212") + text

    def percent(self, share: float, digits: int = 0) -> str:
        """Return a share of one in per cent."""
        return self.number(100 * share, digits) + ("\u00a0%" if self.code == "ru" else "%")


@cache
def language(code: str) -> Language:
    """Return an interface language by Material's code for it; unknown ones speak English."""
    path = _LOCALES / code / "LC_MESSAGES" / "gallery.po"
    if not path.exists():
        return Language("en", lambda text: text, lambda one, many, count: one if count == 1 else many, ".")
    with path.open("rb") as stream:
        catalog = read_po(stream, locale=code)
    return Language(
        code,
        cache(lambda text: _found(catalog, text)),
        lambda one, many, count: _plural(catalog, one, many, count),
        get_decimal_symbol(code),
    )


def _found(catalog: Catalog, text: str) -> str:
    message = catalog.get(text)
    return str(message.string) if message is not None and message.string and isinstance(message.string, str) else text


def _plural(catalog: Catalog, one: str, many: str, count: int) -> str:
    message = catalog.get(one)
    forms = message.string if message is not None else None
    if not forms or isinstance(forms, str) or not all(forms):
        return one if count == 1 else many
    return str(forms[_rule(catalog.plural_expr)(count)])


@cache
def _rule(expression: str) -> Callable[[int], int]:
    return c2py(expression)
