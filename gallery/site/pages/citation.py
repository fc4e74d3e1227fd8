"""How a page is cited, and how its numbers are computed again: a BibTeX entry and a short program."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mkdocs.exceptions import ConfigurationError
from mkdocs.utils.yaml import yaml_load
from yaml import YAMLError

from gallery.errors import ConfigError
from gallery.site.language import language
from gallery.site.pages.fragments import Downloads
from gallery.site.templates import environment
from gallery.sources.artifacts import PREFIX
from gallery.store.manifest import Header, Row
from gallery.store.records import Attribution

_SPECIAL = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", **{c: "\\" + c for c in "&%$#_"}}


@dataclass(frozen=True)
class Publication:
    """Where the gallery is published, and under whose name."""

    language: str
    """Material's code of the interface language."""
    name: str
    """The site's name."""
    author: str = ""
    """`site_author` of mkdocs.yml; without it the gallery is its own author."""
    url: str = ""
    """`site_url`, with a slash at the end; empty where it is not known."""
    description: str = ""
    year: str = ""
    """From SOURCE_DATE_EPOCH; empty where nothing tells it, since no clock is asked."""

    def address(self, ident: str) -> str:
        """Return the address of a passage's page, or nothing."""
        return f"{self.url}passages/{ident}/" if self.url else ""


def read_publication(config_file: Path) -> Publication:
    """Return what a mkdocs.yml says of the gallery as a whole.

    Raises ConfigError where it cannot be read.
    """
    try:
        with config_file.open("rb") as stream:
            own = yaml_load(stream) or {}
    except (OSError, ConfigurationError, YAMLError) as error:
        raise ConfigError(f"{config_file}: cannot be read: {error}. Correct it.") from error
    theme, url = own.get("theme"), str(own.get("site_url") or "")
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or 0)
    return Publication(
        language=str(theme.get("language") or "en") if isinstance(theme, dict) else "en",
        name=str(own.get("site_name") or ""),
        author=str(own.get("site_author") or ""),
        url=f"{url.rstrip('/')}/" if url else "",
        description=str(own.get("site_description") or ""),
        year=time.strftime("%Y", time.gmtime(epoch)) if epoch else "",
    )


def downloads(code: str, publication: Publication, header: Header, row: Row, attributions: Mapping[str, Attribution]) -> Downloads:
    """Return what a passage's page offers to take away, besides files."""
    integrated = _integrated(attributions)
    return Downloads(
        bibtex=bibtex(code, publication, header, row),
        program=program(code, header, attributions),
        exact=bool(integrated) and integrated[0].parameters["n_steps"] is not None,
    )


def _integrated(attributions: Mapping[str, Attribution]) -> list[Attribution]:
    return [attribution for attribution in attributions.values() if attribution.method == "integrated_gradients"]


def bibtex(code: str, publication: Publication, header: Header, row: Row) -> str:
    """Return a BibTeX entry for a passage's page."""
    title = language(code).gettext("“%(title)s”: what a classifier’s answer rests on") % {"title": row.title}
    fields = {
        "author": f"{{{_plain(publication.author or publication.name)}}}",
        "title": _plain(title),
        "howpublished": _plain(publication.name) if publication.author else "",
        "year": publication.year,
        "url": publication.address(row.id),
        "note": f"Model weights sha256:{header.model.weights_digest[:16]}",
    }
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@misc{{{row.id},\n" + ",\n".join(lines) + "\n}"


def _plain(text: str) -> str:
    """Return a text that TeX prints as it stands."""
    return "".join(_SPECIAL.get(character, character) for character in " ".join(text.split()))


_OUTPUTS = {"logit": "", "probability": ".softmax(-1)", "log-odds": ".softmax(-1).logit()"}
_ENOUGH_STEPS = 100


def program(code: str, header: Header, attributions: Mapping[str, Attribution]) -> str | None:
    """Return a Python program that computes a page's integrated gradients again with transformers and Captum alone.

    It reads the page's explanation.json. None where the page has no integrated gradients, or their baseline is embeddings
    of zero, which Captum's method for layers does not take.
    """
    integrated = _integrated(attributions)
    if not integrated or integrated[0].parameters["baseline"] == "zero":
        return None
    parameters = integrated[0].parameters
    model, fetch = _place(header.model.resolved)
    tokenizer, fetch_tokenizer = _place(header.model.tokenizer or header.model.resolved)
    template = environment(code).get_template("reproduce.txt")
    return template.render(
        model=model,
        tokenizer=None if tokenizer == model else tokenizer,
        fetches=list(dict.fromkeys(line for line in (fetch, fetch_tokenizer) if line)),
        max_tokens=header.model.max_tokens,
        filler=f"{parameters['baseline']}_token_id",
        output=_OUTPUTS[integrated[0].output],
        layer=repr(parameters["at"]),
        difference=repr(language(code).gettext("largest difference, as a share of the largest number:")),
        dtype=parameters["dtype"],
        steps=parameters["n_steps"] or max(_ENOUGH_STEPS, *(a.steps for a in integrated)),
    )


def _place(resolved: str) -> tuple[str, str]:
    """Return the arguments of `from_pretrained` that name a model, and a command that must fetch it first, or nothing."""
    if resolved.startswith(PREFIX):
        artifact = resolved.removeprefix(PREFIX)
        folder = artifact.split("/")[-1].split(":")[0]
        return repr(folder), f"wandb artifact get {artifact} --root {folder}"
    name, at, revision = resolved.partition("@")
    return f"{name!r}, revision={revision!r}" if at else repr(name), ""
