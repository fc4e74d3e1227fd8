"""The Jinja templates, which hold all HTML, in one interface language."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gallery.methods import method_names, method_of
from gallery.site.language import Language, language


@cache
def environment(code: str) -> Environment:
    """Return the templates in one interface language."""
    speech = language(code)
    env = Environment(
        loader=PackageLoader("gallery"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.i18n"]
    )
    env.install_gettext_callables(speech.gettext, speech.ngettext, newstyle=True)  # type: ignore[attr-defined]
    env.filters |= {
        "label": lambda number, names: names[number],
        "number": speech.number,
        "signed": speech.signed,
        "percent": speech.percent,
        "probability": speech.probability,
    }
    env.globals |= {
        "lang": speech.code,
        "method_names": method_titles(code),
        "kind_names": _kind_names(speech),
        "kind_groups": {"stylisation": speech.gettext("stylisations")},
        "quoted": speech.quoted,
    }
    env.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    return env


@cache
def method_titles(code: str) -> dict[str, str]:
    """Return the methods' names on the pages of an interface language."""
    speech = language(code)
    return {name: speech.gettext(method_of(name).title) for name in method_names()}


def _kind_names(speech: Language) -> dict[str, str]:
    """Return the words for kinds of passages that makers of galleries need not translate."""
    return {"stylisation": speech.gettext("stylisation"), "translation": speech.gettext("translation"), "generated": speech.gettext("generated")}


def rendered(code: str, template: str, **values: Any) -> Markup:
    """Return a template, filled with values, as a fragment."""
    return Markup(environment(code).get_template(template).render(**values))
