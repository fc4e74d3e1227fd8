"""A passage's page: everything below its heading, from its records."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from gallery.evaluation.calibration_file import Certainty, certainty
from gallery.evaluation.metrics import VERIFICATION_LIMIT, top_overlap
from gallery.methods import method_of
from gallery.site.entries import by_method
from gallery.site.pages.attention_carried import Carried
from gallery.site.pages.citation import downloads
from gallery.site.pages.depth import depth
from gallery.site.pages.erasing import erasing
from gallery.site.pages.interactions import arcs_of
from gallery.site.pages.measures import bound
from gallery.site.pages.multiples import Multiple, multiples
from gallery.site.pages.numbers import numbers_name, words_on_page
from gallery.site.pages.page import Declaration, Document, Page
from gallery.site.pages.tracks import tracks
from gallery.site.pages.trials import trial
from gallery.site.passage_input import PassageInput
from gallery.site.pictures.card import described
from gallery.site.templates import rendered
from gallery.site.verdict import lead, strongest_words
from gallery.site.view_labels import Labels, labels_of
from gallery.site.views import LEVELS, Piece, View, agreements, paragraphs
from gallery.store.records import Attention, Attribution, Chance, Faithfulness, Interactions, Precision, Prediction, Verification

STRONGEST = 20
"""Rows of a word table that come with the page; table.js makes the rest on request."""


@dataclass(frozen=True)
class Neighbour:
    """A passage beside another in the gallery's order."""

    id: str
    title: str


Neighbours = tuple[Neighbour | None, Neighbour | None]
"""The passages before and behind a passage."""


@dataclass(frozen=True)
class Addresses:
    """Addresses that a passage's page links to or loads; each empty where the file does not exist."""

    site: str
    """The front page, with a slash at the end."""
    attention: str
    """The folder of its attention, with a slash at the end."""
    heads: str
    """The picture of all heads."""
    numbers: str
    """All numbers as JSON: for the page's other views, and for programs."""
    table: str
    """The table of words; empty where the page makes it from the numbers."""
    scales: str
    """The scales of the whole gallery."""
    shaded: str
    """The picture of the shaded passage."""


def addresses_within(ident: str, carried: Carried) -> Addresses:
    """Return the addresses for a page of the site."""
    data = f"../../data/{ident}/"
    return Addresses(
        site="../../",
        attention=f"{data}attention/",
        heads=f"{data}attention/heads.png",
        numbers=f"{data}{numbers_name(carried.packed)}",
        table="" if carried.packed else f"{data}words.csv",
        scales="../../data/scales.json",
        shaded=f"{data}shaded.svg{'z' if carried.packed else ''}",
    )


def passage_page(passage: PassageInput, carried: Carried, neighbours: Neighbours) -> Page:
    """Return a passage's page."""
    tried = by_method(passage.records.values(), Faithfulness)
    side_by_side = multiples(passage.prediction, passage.attributions, tried, passage.header.methods)
    fragment = passage_fragment(passage, carried, addresses_within(passage.row.id, carried), neighbours, side_by_side)
    return Page(
        shell="passages/shell/",
        address=f"passages/{passage.row.id}/",
        slots={"passage": fragment},
        title=passage.row.title,
        description=described(passage),
        card=carried.cards,
    )


def passage_fragment(
    passage: PassageInput,
    carried: Carried,
    addresses: Addresses,
    neighbours: Neighbours = (None, None),
    side_by_side: Sequence[Multiple] = (),
) -> Markup:
    """Return everything below the heading of a passage's page; parts whose records are missing are left out."""
    prediction, attributions, view = passage.prediction, passage.attributions, passage.views[0]
    tried = by_method(passage.records.values(), Faithfulness).get((passage.method, passage.predicted))
    chance = passage.first(Chance)
    verifications = [record for record in by_method(passage.records.values(), Verification).values() if record.target == passage.predicted]
    scale = max((abs(v) for v in view.words), default=0.0)
    return rendered(
        passage.code,
        "passage.html",
        row=passage.row,
        labels=passage.labels,
        slugs=passage.slugs,
        model=passage.header.model,
        prediction=prediction,
        probabilities=prediction.probabilities.tolist(),
        ranking=passage.ranking,
        shown=max(3, len(passage.verdict)),
        predicted=passage.predicted,
        right=passage.right,
        verdict=passage.verdict,
        answer=passage.answer,
        views=passage.views,
        class_views=class_views(passage.views),
        view=view,
        scale=scale,
        decimals=min(6, max(2, 1 - math.floor(math.log10(scale)))) if scale else 2,
        paragraphs=passage.paragraphs,
        unread_before=prediction.text[: prediction.start].strip(),
        unread=prediction.text[prediction.cut :].strip(),
        word_rows=word_rows(prediction, view)[:STRONGEST],
        words=len(prediction.words),
        baseline=next(iter(attributions.values())),
        empty=next((a for a in attributions.values() if a.baseline_probabilities.size), None),
        further={view.target: view.method for view in passage.views if view.target not in passage.row.targets},
        summed=[view for view in passage.views if view.biases is not None and view.against is None and view.target in passage.row.targets],
        precision=passage.first(Precision),
        second=_second_baseline(attributions, passage.predicted),
        arcs=arcs_of(prediction, pairs) if (pairs := passage.first(Interactions)) is not None else None,
        verifications=verifications,
        verifiable=any(method_of(name).verifiable for name in passage.header.methods),
        bound=bound,
        limit=VERIFICATION_LIMIT,
        certainty=_certainty(passage),
        lead=lead(passage),
        printed=passage.publication.address(passage.row.id),
        named_words=strongest_words(passage),
        anchors=frozenset(number for number, _ in strongest_words(passage)),
        explained=labels_of(passage.code, passage.labels, view),
        others=other_views(passage),
        sums=[view for view in passage.views if view.against is None and view.change is not None and view.target in passage.row.targets],
        tracks=tracks(passage.views, prediction.word_texts()),
        data=words_on_page(passage),
        text_lang=passage.text_language,
        trial=trial(tried, chance, prediction) if tried is not None and chance is not None else None,
        agreements=agreements(passage.views),
        erased=erasing(passage),
        deep=depth(passage),
        methods=list(dict.fromkeys(view.method for view in passage.views)),
        multiples=side_by_side,
        levels=LEVELS,
        attention=passage.attention,
        absent=attention.encoding if (attention := passage.first(Attention)) is not None and not attention.shown else None,
        carried=carried,
        bertviz=passage.bertviz,
        previous=neighbours[0],
        following=neighbours[1],
        addresses=addresses,
        downloads=downloads(passage),
        unfinished_methods=passage.header.unfinished_methods,
        unfinished_trials=passage.header.unfinished_trials,
        unfinished_bertviz=passage.header.unfinished_bertviz,
    )


def class_views(views: Sequence[View]) -> list[View]:
    """Return a view for each class that some method explains, in the order of the views."""
    first: dict[tuple[int, int | None], View] = {}
    for view in views:
        first.setdefault((view.target, view.against), view)
    return list(first.values())


@dataclass(frozen=True)
class SecondBaseline:
    """Integrated gradients from a second baseline, beside those from the first."""

    first: str
    second: str
    """Names of the baselines."""
    difference: float
    """Largest difference of a word's contribution, as a share of the largest contribution from the first baseline."""
    overlap: float
    """Share of the ten strongest words that both have."""


def _second_baseline(attributions: Mapping[tuple[str, int], Attribution], target: int) -> SecondBaseline | None:
    """Return the comparison for one class; None where the gallery does not have both."""
    first, second = (attributions.get((method, target)) for method in ("integrated_gradients", "other_baseline"))
    if first is None or second is None:
        return None
    largest = float(abs(first.words).max(initial=0.0))
    difference = float(abs(first.words - second.words).max(initial=0.0)) / (largest or 1.0)
    windows = second.extra.get("windows") or [second.extra]
    return SecondBaseline(first.parameters["baseline"], windows[0]["baseline"], difference, top_overlap(first.words, second.words))


def _certainty(passage: PassageInput) -> Certainty | None:
    """Return what calibration.json says of the passage; None without such a file, or where classes do not exclude each other."""
    model = passage.header.model
    if model.calibration is None or model.problem != "single_label":
        return None
    return certainty(model.calibration, passage.prediction.logits, len(passage.prediction.ids))


@dataclass(frozen=True)
class OtherView:
    """A view that a page without JavaScript shows besides the first: the text, shaded, and its labels."""

    view: View
    labels: Labels
    paragraphs: Sequence[Sequence[Piece]]


def other_views(passage: PassageInput) -> list[OtherView]:
    """Return the first method's views of the answer against the true class and of the true class; none where the answer is right."""
    own = [view for view in passage.views[1:] if view.method == passage.views[0].method]
    shown = [] if passage.right else [view for view in own if passage.row.true_class in (view.target, view.against)]
    return [OtherView(view, labels_of(passage.code, passage.labels, view), paragraphs(passage.prediction, view.words, view.signed)) for view in shown]


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
    """Length of the bar, in twentieths of the longest."""


def word_rows(prediction: Prediction, view: View) -> list[WordRow]:
    """Return the words by falling |contribution|."""
    texts = prediction.word_texts()
    total = sum(abs(v) for v in view.words) or 1.0
    largest = max((abs(v) for v in view.words), default=0.0) or 1.0
    order = sorted(range(len(texts)), key=lambda i: (-abs(view.words[i]), i))
    return [WordRow(rank, i, texts[i], view.words[i], abs(view.words[i]) / total, round(20 * abs(view.words[i]) / largest)) for rank, i in enumerate(order, 1)]


DECLARATION = Declaration(position=15, documents=(Document("passages/shell.md", ("passage",)),))
