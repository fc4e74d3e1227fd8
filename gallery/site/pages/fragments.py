"""Records -> the fragments of a passage's page, and of the pages that are about no one passage; through Jinja2 with autoescape, pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from gallery.site.pages.carried import Carried
from gallery.site.pages.lists import Card
from gallery.site.pages.multiples import Multiple
from gallery.site.pages.numbers import words_on_page
from gallery.site.pages.trials import trial
from gallery.site.templates import rendered
from gallery.site.views import LEVELS, View, agreements, explained, paragraphs, view_of, views
from gallery.site.vocabulary import text_language
from gallery.store.manifest import Header, Row
from gallery.store.records import Attribution, Chance, Faithfulness, Precision, Prediction, Record

STRONGEST = 20
"""Rows of a word table that come with the page; table.js makes the rest when it is asked for."""


@dataclass(frozen=True)
class Neighbour:
    """The passage before or behind this one."""

    id: str
    title: str


@dataclass(frozen=True)
class Addresses:
    """Where a passage's page finds what is not within it; each empty where there is none."""

    site: str
    """The front page, with a slash at the end."""
    attention: str
    """The folder of its attention, with a slash at the end."""
    heads: str
    """The picture of all heads."""
    numbers: str
    """Everything as JSON: for the page's other views, and for programs."""
    table: str
    """The table of words; empty where the page makes it from the numbers."""
    scales: str
    """The scales of the whole gallery."""
    shaded: str
    """The picture of the shaded passage."""


def numbers_name(carried: Carried) -> str:
    """Return the name of the file that holds a passage's numbers."""
    return "explanation.json.gz" if carried.packed else "explanation.json"


def addresses_within(ident: str, carried: Carried) -> Addresses:
    """Return the addresses for a page of the site."""
    data = f"../../data/{ident}/"
    return Addresses(
        site="../../",
        attention=f"{data}attention/",
        heads=f"{data}attention/heads.png",
        numbers=f"{data}{numbers_name(carried)}",
        table="" if carried.packed else f"{data}words.csv",
        scales="../../data/scales.json",
        shaded=f"{data}shaded.svg{'z' if carried.packed else ''}",
    )


@dataclass(frozen=True)
class Downloads:
    """What a passage's page offers to take away, besides files."""

    bibtex: str
    program: str | None
    """A program that computes the numbers again, if there is one."""
    exact: bool
    """Whether its numbers are the same to rounding."""


def passage_fragment(
    code: str,
    header: Header,
    row: Row,
    records: Mapping[str, Record],
    author_slugs: Sequence[str],
    carried: Carried,
    addresses: Addresses,
    downloads: Downloads,
    neighbours: tuple[Neighbour | None, Neighbour | None] = (None, None),
    side_by_side: Sequence[Multiple] = (),
) -> Markup:
    """Return everything below the heading of a passage's page, from its records by entry name; what is not among them is left out."""
    prediction, attributions = explained(records)
    tried, control = records.get(f"faithfulness/{header.methods[0]}/{prediction.ranking[0]}"), records.get("chance")
    ways = views(row, prediction.ranking[0], attributions, header.methods)
    first = ways[0]
    scale = max((abs(v) for v in first.words), default=0.0)
    return rendered(
        code,
        "passage.html",
        row=row,
        labels=header.model.labels,
        slugs=author_slugs,
        model=header.model,
        prediction=prediction,
        probabilities=prediction.probabilities.tolist(),
        ranking=prediction.ranking,
        predicted=prediction.ranking[0],
        views=ways,
        view=first,
        scale=scale,
        decimals=min(6, max(2, 1 - math.floor(math.log10(scale)))) if scale else 2,
        paragraphs=paragraphs(prediction, first.words),
        unread=prediction.text[prediction.cut :].strip(),
        word_rows=word_rows(prediction, first)[:STRONGEST],
        words=len(prediction.words),
        baseline=next(iter(attributions.values())),
        empty=next((a for a in attributions.values() if a.baseline_probabilities.size), None),
        precision=next((record for record in records.values() if isinstance(record, Precision)), None),
        data=words_on_page(code, ways),
        text_lang=text_language(prediction.text, code),
        trial=trial(tried, control, len(prediction.words)) if isinstance(tried, Faithfulness) and isinstance(control, Chance) else None,
        agreements=agreements(ways),
        methods=list(dict.fromkeys(view.method for view in ways)),
        multiples=side_by_side,
        levels=LEVELS,
        attention=records.get("attention"),
        carried=carried,
        bertviz=records.get("bertviz"),
        previous=neighbours[0],
        following=neighbours[1],
        addresses=addresses,
        downloads=downloads,
    )


@dataclass(frozen=True)
class WordRow:
    """A row of the word table."""

    rank: int
    number: int
    word: str
    value: float
    share: float
    """|value| as a share of the sum of |values|."""
    length: int
    """Of the bar, in twentieths of the longest."""


def word_rows(prediction: Prediction, view: View) -> list[WordRow]:
    """Return the words by falling |contribution|."""
    texts = prediction.word_texts()
    total = sum(abs(v) for v in view.words) or 1.0
    largest = max((abs(v) for v in view.words), default=0.0) or 1.0
    order = sorted(range(len(texts)), key=lambda i: (-abs(view.words[i]), i))
    return [WordRow(rank, i, texts[i], view.words[i], abs(view.words[i]) / total, round(20 * abs(view.words[i]) / largest)) for rank, i in enumerate(order, 1)]


EXAMPLES = ("contribution", "baseline", "delta", "attention")


def examples(code: str, header: Header, card: Card, prediction: Prediction, attribution: Attribution) -> dict[str, Markup]:
    """Return the living examples of the page on reading, all from one passage, by slot name."""
    view = view_of(attribution)
    rows = word_rows(prediction, view)
    speaks_for = next((r for r in rows if r.value > 0), None)
    against = next((r for r in rows if r.value < 0), None)
    values = {"labels": header.model.labels, "card": card, "view": view, "attribution": attribution, "speaks_for": speaks_for, "against": against}
    return {f"example {kind}": rendered(code, "example.html", kind=kind, **values) for kind in EXAMPLES}


def compare_fragment(code: str, header: Header, carried: Carried) -> Markup:
    """Return the page on which two ways to shade a passage, or two passages, stand side by side."""
    return rendered(code, "compare.html", labels=header.model.labels, methods=header.methods, levels=LEVELS, numbers=numbers_name(carried))


def model_fragment(code: str, header: Header) -> Markup:
    """Return the page about the model, with the figures that training wrote."""
    figures = header.model.figures or {}
    lengths = sorted(figures.get("lengths", {}).items(), key=lambda item: int(item[0]))  # JSON keys are strings: 64 before 256
    return rendered(code, "model.html", model=header.model, figures=figures, lengths=lengths)
