"""A passage's BibTeX entry, and a short program that computes its numbers again."""

import re
from dataclasses import dataclass

from gallery.site.language import language
from gallery.site.passage_input import PassageInput
from gallery.site.templates import environment
from gallery.sources.artifacts import PREFIX
from gallery.store.records import Attribution

_SPECIAL = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", **{c: "\\" + c for c in "&%$#_"}}


@dataclass(frozen=True)
class Downloads:
    """Texts that a passage's page offers, besides files."""

    bibtex: str
    program: str | None
    """A program that computes the numbers again, where there is one."""
    exact: bool
    """Whether the program's numbers agree with the page's to rounding."""


def downloads(passage: PassageInput) -> Downloads:
    """Return the texts that a passage's page offers."""
    integrated = _integrated(passage)
    return Downloads(
        bibtex=bibtex(passage),
        program=program(passage),
        exact=bool(integrated) and integrated[0].parameters["n_steps"] is not None,
    )


def _integrated(passage: PassageInput) -> list[Attribution]:
    return [attribution for attribution in passage.attributions.values() if attribution.method == "integrated_gradients"]


def bibtex(passage: PassageInput) -> str:
    """Return a BibTeX entry for a passage's page."""
    publication, row = passage.publication, passage.row
    title = language(passage.code).gettext("“%(title)s”: what a classifier’s answer rests on") % {"title": row.title}
    fields = {
        "author": f"{{{_plain(publication.author or publication.name)}}}",
        "title": _plain(title),
        "howpublished": _plain(publication.name) if publication.author else "",
        "year": publication.year,
        "url": publication.address(row.id),
        "note": f"Model weights sha256:{passage.header.model.weights_digest[:16]}",
    }
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@misc{{{row.id},\n" + ",\n".join(lines) + "\n}"


def _plain(text: str) -> str:
    """Return a text escaped for TeX, on one line."""
    return "".join(_SPECIAL.get(character, character) for character in " ".join(text.split()))


_OUTPUTS = {"logit": "", "probability": ".softmax(-1)", "sigmoid": ".sigmoid()", "log-odds": ".softmax(-1).logit()"}
_BOTH = ".matmul(torch.tensor([[-1.0, 1.0]]))"
"""Of one output, the logits of both classes."""
_SCHEME = re.compile(r"[a-z][a-z0-9_+.-]+:")
_ENOUGH_STEPS = 100


def program(passage: PassageInput) -> str | None:
    """Return a Python program that computes a page's integrated gradients again with transformers and Captum alone.

    The program reads the page's explanation.json. None where the page has no integrated gradients, or where their baseline is
    embeddings of zero, which Captum's method for layers does not take, or where the model is an adapter on its base or an encoder–decoder.
    """
    integrated = _integrated(passage)
    card = passage.header.model
    if not integrated or integrated[0].parameters["baseline"] == "zero" or " on " in card.resolved or card.cross:
        return None
    parameters = integrated[0].parameters
    model, fetch = _source(passage.header.model.resolved)
    tokenizer, fetch_tokenizer = _source(passage.header.model.tokenizer or passage.header.model.resolved)
    template = environment(passage.code).get_template("reproduce.txt")
    return template.render(
        model=model,
        tokenizer=None if tokenizer == model else tokenizer,
        fetches=list(dict.fromkeys(line for line in (fetch, fetch_tokenizer) if line)),
        max_tokens=passage.header.model.max_tokens,
        filler=f"{parameters.get('filler') or parameters['baseline']}_token_id",
        output=(_BOTH if passage.header.model.problem == "one_logit" else "") + _OUTPUTS[integrated[0].output],
        layer=repr(parameters["at"]),
        difference=repr(language(passage.code).gettext("largest difference, as a share of the largest number:")),
        dtype=parameters["dtype"],
        steps=parameters["n_steps"] or max(_ENOUGH_STEPS, *(a.steps for a in integrated)),
    )


def _source(resolved: str) -> tuple[str, str]:
    """Return the arguments of `from_pretrained` for a model, and the command that fetches it first, or nothing."""
    if resolved.startswith(PREFIX):
        artifact, *inside = re.split(r"(?<=:)([^/]+)/", resolved.removeprefix(PREFIX), maxsplit=1)
        artifact += inside[0] if inside else ""
        folder = artifact.split("/")[-1].split(":")[0]
        return repr("/".join([folder, *inside[1:]])), f"wandb artifact get {artifact} --root {folder}"
    if _SCHEME.match(resolved):  # a kind of source that another package adds: only that package knows how to fetch it
        return repr("model"), f"put the files of {resolved} into the folder model"
    name, at, revision = resolved.partition("@")
    return f"{name!r}, revision={revision!r}" if at else repr(name), ""
