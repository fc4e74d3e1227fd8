"""bertviz's own `model_view` and `head_view` of a passage's first words, made fit to be published."""

import hashlib
import importlib.util
import json
import re
from importlib.metadata import version
from pathlib import Path

import torch
from bertviz import head_view, model_view

from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.records import Bertviz, Scripts


def bertviz_excerpt(classifier: Classifier, tokenized: Tokenized, tokens: int) -> Bertviz:
    """Return bertviz's two views of the passage's beginning, at most `tokens` tokens with the special ones.

    The excerpt goes through the model by itself, as it would in a notebook, with eager attention: [layers, heads, T, T].
    """
    start = classifier.tokenize(tokenized.text[: _end(tokenized, tokens)])
    attentions = _eager_attentions(classifier, start)
    names = [token if special else start.text[slice(*span)] or token for token, special, span in zip(start.tokens, start.special, start.offsets, strict=True)]
    views = {
        view.__name__: _published(view(attentions, names, html_action="return", **options).data)
        for view, options in ((model_view, {"display_mode": "light"}), (head_view, {}))
    }
    return Bertviz(
        excerpt=start.text,
        tokens=len(start.ids),
        model_view=views["model_view"],
        head_view=views["head_view"],
        versions={name: version(name) for name in ("bertviz", "torch", "transformers")},
    )


def _end(tokenized: Tokenized, tokens: int) -> int:
    """Return the character behind the last whole word that fits into `tokens` tokens."""
    room = tokens - sum(tokenized.special)
    kept = [word for word in tokenized.token_words if word >= 0][:room]
    if not kept:
        return tokenized.cut
    last = kept[-1]
    whole = kept.count(last) == tokenized.token_words.count(last)
    return tokenized.words[last if whole or last == kept[0] else last - 1][1]


@torch.no_grad()
def _eager_attentions(classifier: Classifier, tokenized: Tokenized) -> list[torch.Tensor]:
    """Return one [1, heads, T, T] tensor a layer, to four digits; sdpa, the default, would return none."""
    before = classifier.model.config._attn_implementation
    classifier.model.set_attn_implementation("eager")
    try:
        return [layer.cpu().double().round(decimals=4) for layer in classifier.model(**classifier.batch([tokenized.ids]), output_attentions=True).attentions]
    finally:
        classifier.model.set_attn_implementation(before)


_SCRIPT = re.compile(r"<script src=[^>]*></script>")
_ID = re.compile(r"bertviz-[0-9a-f]{32}")
_PARAMS = "const params = "


def _published(html: str) -> str:
    """Return bertviz's fragment without its foreign host, its hidden second copy of the data, and its random id.

    bertviz puts the JSON into its script unescaped, twice: once more in the comment behind it.
    """
    html = _SCRIPT.sub("", html, count=1)
    at = html.index(_PARAMS) + len(_PARAMS)
    params, size = json.JSONDecoder().raw_decode(html[at:])
    rest = html[at + size :]
    rest = rest[rest.index("\n") :] if rest.startswith("; // HACK") else rest
    own_id = "bertviz-" + hashlib.sha256(json.dumps(params["attention"]).encode()).hexdigest()[:32]
    params["root_div_id"] = own_id
    data = json.dumps(params, ensure_ascii=False, separators=(",", ":"))
    return _ID.sub(own_id, html[:at]) + data.replace("/", r"\/").replace("<!--", r"<\u0021--") + rest


def bertviz_scripts() -> Scripts:
    """Return d3 version 5 and jQuery as installed packages carry them; bertviz would fetch them from a foreign host."""
    return Scripts(
        d3=_package_file("mpld3", "js/d3.v5.min.js"),
        jquery=_package_file("mkdocs", "themes/readthedocs/js/jquery-3.6.0.min.js"),
        versions={name: version(name) for name in ("mpld3", "mkdocs")},
    )


def _package_file(package: str, name: str) -> str:
    spec = importlib.util.find_spec(package)
    assert spec is not None, package
    assert spec.origin is not None, package
    return (Path(spec.origin).parent / name).read_text("utf-8")
