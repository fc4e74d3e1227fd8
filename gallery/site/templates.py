"""The Jinja templates, which hold all HTML, in one interface language."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gallery.site.language import Language, language


@cache
def environment(code: str) -> Environment:
    """Return the templates in one interface language."""
    speech = language(code)
    env = Environment(
        loader=PackageLoader("gallery"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.i18n"]
    )
    env.install_gettext_callables(speech.gettext, speech.ngettext, newstyle=True)  # type: ignore[attr-defined]
    env.filters |= {"label": lambda number, names: names[number], "number": speech.number, "signed": speech.signed, "percent": speech.percent}
    env.globals |= {"lang": speech.code, "method_names": _method_names(speech)}
    env.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    return env


def _method_names(speech: Language) -> dict[str, str]:
    """Return the methods' names on the pages."""
    _ = speech.gettext
    return {
        "integrated_gradients": _("integrated gradients"),
        "gradient_x_input": _("gradient × input"),
        "gradient_norm": _("gradient norm"),
        "occlusion": _("occlusion"),
        "attention_rollout": _("attention rollout"),
        "layer_integrated_gradients": _("integrated gradients by layer"),
        "unified_information": _("unified information"),
        "lime": _("local linear surrogate (LIME)"),
        "rationale": _("rationale"),
        "shapley": _("Shapley values"),
    }


def rendered(code: str, template: str, **values: Any) -> Markup:
    """Return a template, filled with values, as a fragment."""
    return Markup(environment(code).get_template(template).render(**values))
