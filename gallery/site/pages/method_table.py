"""The table of methods on the page on methods: what each asks, promises and costs, from its declaration."""

import re

from markupsafe import Markup

from gallery.methods import Method, all_methods
from gallery.site.templates import rendered

_WORD = re.compile(r"[a-z]{2,}")


def method_table(code: str) -> Markup:
    """Return the table, with every method that is installed and whose package can be imported."""
    return rendered(code, "method_table.html", methods=all_methods(), code_spans=code_spans)


def code_spans(text: str) -> list[tuple[str, bool]]:
    """Return (stretch, whether it stands between backticks) of a declared text such as "`samples` (200)"."""
    return [(stretch, bool(number % 2)) for number, stretch in enumerate(text.split("`")) if stretch]


def words_of(method: Method) -> tuple[str, ...]:
    """Return the declared texts that the catalogues translate: title, question, costs that are more than figures and settings, and how Captum differs."""
    costs = (cost for cost in (method.forward, method.backward) if _WORD.search("".join(text for text, is_code in code_spans(cost) if not is_code)))
    return (method.title, method.question, *costs, *filter(None, [method.captum_differs]))
