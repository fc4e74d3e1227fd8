"""bertviz's own `model_view` and `head_view` of a passage's first words, without its scripts from foreign hosts."""

import hashlib
import importlib.util
import json
import re
from importlib.metadata import version
from pathlib import Path

from bertviz import head_view, model_view
from torch import Tensor

from gallery.attention.eager import NoAttentionError, eager_attention
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.records import Bertviz, Scripts


def bertviz_excerpt(classifier: Classifier, tokenized: Tokenized, tokens: int) -> Bertviz:
    """Return bertviz's two views of the passage's beginning, at most `tokens` tokens, special ones included; none, without attention.

    The excerpt is an input of its own, as in a notebook: its tokens attend to nothing behind it.
    """
    excerpt = classifier.tokenize(tokenized.text[tokenized.start : _end(tokenized, tokens)])
    try:
        attentions = _attentions(classifier, excerpt)
    except NoAttentionError:
        return Bertviz(excerpt="", tokens=0, model_view="", head_view="", versions={})
    names = [
        token if special else excerpt.text[slice(*span)] or token for token, special, span in zip(excerpt.tokens, excerpt.special, excerpt.offsets, strict=True)
    ]
    views = {
        view.__name__: _published(view(attentions, names, html_action="return", **options).data)
        for view, options in ((model_view, {"display_mode": "light"}), (head_view, {}))
    }
    return Bertviz(
        excerpt=excerpt.text,
        tokens=len(excerpt.ids),
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


def _attentions(classifier: Classifier, tokenized: Tokenized) -> list[Tensor]:
    """Return a tensor [1, heads, T, T] for each layer, rounded to four digits."""
    layers: list[Tensor] = []
    if classifier.card.cross:
        raise NoAttentionError("pairs")
    eager_attention(classifier, tokenized.ids, lambda number, weights: layers.append(weights[None].cpu().double().round(decimals=4)))
    return layers


_SCRIPT = re.compile(r"<script src=[^>]*></script>")
_ID = re.compile(r"bertviz-[0-9a-f]{32}")
_PARAMS = "const params = "


def _published(html: str) -> str:
    """Return bertviz's fragment without the script from a foreign host, the second copy of the data, and the random id.

    bertviz writes its JSON into the script unescaped, and a second time into a comment behind it.
    """
    html = _SCRIPT.sub("", html, count=1)
    start = html.index(_PARAMS) + len(_PARAMS)
    params, size = json.JSONDecoder().raw_decode(html[start:])
    rest = html[start + size :]
    rest = rest[rest.index("\n") :] if rest.startswith("; // HACK") else rest
    own_id = "bertviz-" + hashlib.sha256(json.dumps(params["attention"]).encode()).hexdigest()[:32]
    params["root_div_id"] = own_id
    data = json.dumps(params, ensure_ascii=False, separators=(",", ":"))
    return _ID.sub(own_id, html[:start]) + data.replace("/", r"\/").replace("<!--", r"<\u0021--") + rest


def bertviz_scripts() -> Scripts:
    """Return d3 version 5 and jQuery from the files of installed packages; bertviz itself fetches them from a foreign host."""
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
