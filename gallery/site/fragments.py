"""Records -> HTML fragments, through Jinja2 with autoescape; pure."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pydantic import PlainSerializer, PlainValidator

from gallery.comparison import kendall_tau, top_overlap
from gallery.language import Language, language
from gallery.manifest import Header, Row
from gallery.records import Array, Attribution, Chance, Faithfulness, Precision, Prediction, Record
from gallery.site.authors import AuthorSums, stretches
from gallery.site.carried import Carried
from gallery.site.multiples import Multiple
from gallery.site.paging import ONLY, Paging, cut
from gallery.site.vocabulary import has_dictionary, lemma, text_language

LEVELS = 8
"""Steps of the shading, each way."""
STRONGEST = 20
"""Rows of a word table that are shown before the rest is asked for."""


@cache
def environment(code: str) -> Environment:
    """Return the templates in one interface language."""
    speech = language(code)
    env = Environment(
        loader=PackageLoader("gallery"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.i18n"]
    )
    env.install_gettext_callables(speech.gettext, speech.ngettext, newstyle=True)  # type: ignore[attr-defined]
    env.filters |= {"label": lambda number, names: names[number], "number": speech.number, "signed": speech.signed, "percent": speech.percent}
    env.globals["lang"] = speech.code
    env.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    return env


def level(value: float, scale: float, root: bool = False) -> int:
    """Return the step of shading, -LEVELS to LEVELS, of a contribution on a scale whose end is `scale`; by the square root, if asked."""
    if scale <= 0:
        return 0
    share = min(abs(value) / scale, 1)
    step = round(LEVELS * (share**0.5 if root else share))
    return step if value > 0 else -step


def shade(step: int) -> str:
    """Return the CSS class of a step of shading: for1…, against1…, or none."""
    return f"for{step}" if step > 0 else f"against{-step}" if step < 0 else ""


@dataclass(frozen=True)
class Piece:
    """A word of the text, or what stands between words."""

    text: str
    number: int | None
    """Which word it is; None between words."""
    value: float = 0.0
    css: str = ""


def paragraphs(prediction: Prediction, values: Sequence[float]) -> list[list[Piece]]:
    """Return the passage as paragraphs of pieces, shaded relative to the largest |value|; white space kept."""
    scale = max((abs(v) for v in values), default=0.0)
    pieces: list[list[Piece]] = [[]]

    def between(text: str) -> None:
        for index, line in enumerate(text.split("\n")):
            if index and pieces[-1]:
                pieces.append([])
            if line:
                pieces[-1].append(Piece(line, None))

    at = 0
    for number, (start, end) in enumerate(prediction.words.tolist()):
        between(prediction.text[at:start])
        pieces[-1].append(Piece(prediction.text[start:end], number, values[number], shade(level(values[number], scale))))
        at = end
    between(prediction.text[at : prediction.cut])
    return [paragraph for paragraph in pieces if paragraph]


@dataclass(frozen=True)
class View:
    """One way to shade the passage: a method and the class, or pair of classes, that is explained."""

    method: str
    target: int
    against: int | None
    """For a difference of classes, the one that is subtracted."""
    words: tuple[float, ...]
    specials: float
    """What the special tokens contribute."""
    output: str
    output_value: float
    baseline_value: float | None
    delta: float | None
    error: float | None
    """The convergence delta as a share, see Attribution.delta_share."""
    converged: bool | None
    steps: int

    @property
    def change(self) -> float | None:
        """F(x) - F(baseline), to which words, specials and delta add up."""
        return None if self.baseline_value is None else self.output_value - self.baseline_value


def views(row: Row, predicted: int, attributions: Mapping[str, Attribution], methods: Sequence[str]) -> list[View]:
    """Return the ways to shade a passage: each method, each class, and true against predicted where they differ.

    A difference of two classes needs no computing of its own: every method that has a baseline is linear in the output.
    """
    result = []
    true_class = row.true_class
    for method in methods:
        of = {target: attributions[f"attribution/{method}/{target}"] for target in row.targets if f"attribution/{method}/{target}" in attributions}
        result += [_view(attribution) for attribution in of.values()]
        if true_class != predicted and {true_class, predicted} <= of.keys() and of[true_class].delta is not None:
            result.append(_difference(of[true_class], of[predicted]))
    return result


def _view(a: Attribution) -> View:
    specials = float(a.tokens.sum() - a.words.sum())
    words = tuple(float(v) for v in a.words)
    return View(a.method, a.target, None, words, specials, a.output, a.output_value, a.baseline_value, a.delta, a.delta_share, a.converged, a.steps)


def _difference(a: Attribution, b: Attribution) -> View:
    one, two = _view(a), _view(b)
    assert one.baseline_value is not None
    assert two.baseline_value is not None
    assert one.delta is not None
    assert two.delta is not None
    return View(
        method=a.method,
        target=a.target,
        against=b.target,
        words=tuple(x - y for x, y in zip(one.words, two.words, strict=True)),
        specials=one.specials - two.specials,
        output=a.output,
        output_value=one.output_value - two.output_value,
        baseline_value=one.baseline_value - two.baseline_value,
        delta=one.delta - two.delta,
        error=max(a.delta_share or 0.0, b.delta_share or 0.0),
        converged=bool(a.converged and b.converged),
        steps=max(a.steps, b.steps),
    )


@dataclass(frozen=True)
class Trial:
    """What became of the explained class's probability when words were taken out; beside it, chance."""

    name: int
    """The class."""
    whole: float
    """Probability of the whole passage."""
    words: int
    """How many words were taken, the strongest first."""
    without: float
    without_random: float
    """Mean over the random orders."""
    kept: int
    """How many words were left alone, the strongest."""
    alone: float
    alone_random: float
    deletion: str
    """Points of a curve for an SVG polyline of 100 × 40."""
    random: str
    rounding: float
    """How far a probability may be off because the products were rounded; 0 where they were not."""

    @property
    def comprehensive(self) -> bool:
        """Whether the strongest words cost more than random ones."""
        return self.without < self.without_random

    @property
    def sufficient(self) -> bool:
        """Whether the strongest words alone keep more than random ones."""
        return self.alone > self.alone_random


_TAKEN, _KEPT = 0.1, 0.2  # the shares of words that are put into sentences


def trial(found: Faithfulness, control: Chance, words: int) -> Trial:
    """Return a faithfulness record, chance beside it, as the trust panel tells it; `words` is how many the passage has."""
    shares = found.shares.tolist()
    taken, kept = shares.index(_TAKEN), shares.index(_KEPT)
    random_deletion, random_insertion = control.deletion[..., found.target], control.insertion[..., found.target]

    def curve(values: Array) -> str:
        last = len(values) - 1
        return " ".join(f"{100 * i / last:.1f},{40 - 40 * float(v):.1f}" for i, v in enumerate(values))

    return Trial(
        name=found.target,
        whole=float(found.deletion[0]),
        words=max(1, round(_TAKEN * words)),
        without=float(found.deletion[taken]),
        without_random=float(random_deletion[:, taken].mean()),
        kept=max(1, round(_KEPT * words)),
        alone=float(found.insertion[kept]),
        alone_random=float(random_insertion[:, kept].mean()),
        deletion=curve(found.deletion),
        random=curve(random_deletion.mean(axis=0)),
        rounding=float(found.measures["rounding"]),
    )


@dataclass(frozen=True)
class Agreement:
    """How far another method agrees with the one shown first, on the same class."""

    method: str
    tau: float
    """Kendall's tau over the words."""
    overlap: float
    """Share of the ten strongest words that both name."""


def agreements(ways: Sequence[View]) -> list[Agreement]:
    """Return how each other method orders the words of the first view."""
    first = ways[0]
    own = np.array(first.words)
    others = [view for view in ways if view.method != first.method and view.target == first.target and view.against is None]
    return [Agreement(v.method, kendall_tau(own, np.array(v.words)), top_overlap(own, np.array(v.words))) for v in others]


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
    data: str
    """The passage's folder of numbers, with a slash at the end."""
    attention: str
    """The folder of its attention, with a slash at the end."""
    heads: str
    """The picture of all heads."""
    words: str
    """The numbers of all views."""
    scales: str
    """The scales of the whole gallery."""
    shaded: str
    """The picture of the shaded passage."""


def addresses_within(ident: str) -> Addresses:
    """Return the addresses for a page of the site."""
    data = f"../../data/{ident}/"
    return Addresses("../../", data, f"{data}attention/", f"{data}attention/heads.png", f"{data}words.json", "../../data/scales.json", f"{data}shaded.svg")


@dataclass(frozen=True)
class Downloads:
    """What a passage's page offers to take away, besides files."""

    bibtex: str
    program: str | None
    """A program that computes the numbers again, if there is one."""
    exact: bool
    """Whether its numbers are the same to rounding."""


def explained(records: Mapping[str, Record]) -> tuple[Prediction, dict[str, Attribution]]:
    """Return a passage's prediction, and its attributions by entry name."""
    prediction = records["prediction"]
    assert isinstance(prediction, Prediction)
    return prediction, {name: record for name, record in records.items() if isinstance(record, Attribution)}


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
    return _render(
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
        word_rows=word_rows(prediction, first),
        strongest=STRONGEST,
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


def words_on_page(code: str, ways: Sequence[View]) -> dict[str, Any]:
    """Return what `<gallery-words>` needs at once: the numbers of the first view; those of the others lie in the passage's words.json."""
    return {"locale": language(code).code, "levels": LEVELS, "views": [_view_data(view, values=view is ways[0]) for view in ways]}


def words_file(header: Header, row: Row, prediction: Prediction, attributions: Mapping[str, Attribution], language: str) -> dict[str, Any]:
    """Return a passage's words.json: what other views of the page and the comparison of passages are drawn from.

    `text` holds paragraphs; in each, what stands before a word and the word take turns. `forms` are the words' dictionary forms.
    """
    predicted = prediction.ranking[0]
    shown = paragraphs(prediction, [0.0] * len(prediction.words))
    return {
        "id": row.id,
        "title": row.title,
        "language": language,
        "true": row.true_class,
        "predicted": predicted,
        "probabilities": [float(f"{p:.4g}") for p in prediction.probabilities],
        "text": [_turns(pieces) for pieces in shown],
        "forms": [lemma(word, language) for word in prediction.word_texts()],
        "views": [_view_data(view) for view in views(row, predicted, attributions, header.methods)],
    }


def _turns(pieces: Sequence[Piece]) -> list[str]:
    turns: list[str] = []
    for piece in pieces:
        if piece.number is not None and len(turns) % 2 == 0:
            turns.append("")
        turns.append(piece.text)
    return turns


def _view_data(view: View, values: bool = True) -> dict[str, Any]:
    data = {"method": view.method, "target": view.target, "against": view.against, "error": view.error}
    return data | {"values": [float(f"{value:.4g}") for value in view.words]} if values else data


def strip(code: str, prediction: Prediction, attribution: Attribution, words: int = 28) -> Markup:
    """Return the first words of a passage, shaded, for a card."""
    shown = paragraphs(prediction, [float(v) for v in attribution.words])
    pieces: list[Piece] = []
    for paragraph in shown:
        pieces += [*paragraph, Piece(" ", None)]
    count = 0
    kept = []
    for piece in pieces:
        count += piece.number is not None
        if count > words:
            kept.append(Piece("…", None))
            break
        kept.append(piece)
    return _render(code, "strip.html", pieces=kept)


def _render(code: str, template: str, **values: Any) -> Markup:
    return Markup(environment(code).get_template(template).render(**values))


@dataclass(frozen=True)
class Card:
    """What lists show of a passage."""

    id: str
    title: str
    work: str
    note: str
    true_class: int
    predicted: int
    confidence: float
    words: int
    strip: Annotated[Markup, PlainValidator(Markup), PlainSerializer(str)]
    language: str
    """Of the passage, as HTML names it."""
    bar: tuple[int, ...]
    """See `bar`."""

    @property
    def right(self) -> bool:
        """Whether the model named the true author."""
        return self.true_class == self.predicted


EXAMPLES = ("contribution", "baseline", "delta", "attention")


def examples(code: str, header: Header, card: Card, prediction: Prediction, attribution: Attribution) -> dict[str, Markup]:
    """Return the living examples of the page on reading, all from one passage, by slot name."""
    view = _view(attribution)
    rows = word_rows(prediction, view)
    speaks_for = next((r for r in rows if r.value > 0), None)
    against = next((r for r in rows if r.value < 0), None)
    values = {"labels": header.model.labels, "card": card, "view": view, "attribution": attribution, "speaks_for": speaks_for, "against": against}
    return {f"example {kind}": _render(code, "example.html", kind=kind, **values) for kind in EXAMPLES}


def index_fragment(
    code: str, cards: Sequence[Card], labels: Sequence[str], slugs: Sequence[str], matrix: Sequence[Sequence[int]], paging: Paging = ONLY
) -> Markup:
    """Return the index: headline figures, the first page of cards, the confusion matrix [true][predicted] of the gallery."""
    values = {"labels": labels, "slugs": slugs, "matrix": matrix, **choices(cards, labels), "paging": paging, "root": ""}
    return _render(code, "index.html", every=cards, cards=cut(cards)[0], **values)


def list_fragment(code: str, cards: Sequence[Card], labels: Sequence[str], offered: Mapping[str, Any], paging: Paging) -> Markup:
    """Return a further page of the index: its cards, and the same filters, which offer the `choices` among all passages."""
    return _render(code, "list.html", cards=cards, labels=labels, **offered, paging=paging, root=paging.first)


def choices(cards: Sequence[Card], labels: Sequence[str]) -> dict[str, Any]:
    """Return what the index's filters offer."""
    return {"shown": classes_shown(cards, labels), "lengths": length_ranges(cards)}


def author_list_fragment(code: str, author: int, labels: Sequence[str], cards: Sequence[Card], kind: str, paging: Paging) -> Markup:
    """Return a further page of an author's `passages`, or of those `taken` for his."""
    return _render(code, "author-list.html", author=author, labels=labels, cards=cards, kind=kind, paging=paging, root="../../../../")


def page_title(code: str, name: str, number: int, count: int) -> str:
    """Return the title of a further page of an author's list, or of the index where there is no name."""
    _ = language(code).gettext
    return f"{name or _('Passages')}: {_('page {number} of {count}').format(number=number, count=count)}"


def classes_shown(cards: Sequence[Card], labels: Sequence[str]) -> list[int]:
    """Return the classes that some passage is of or is taken for, by name."""
    return sorted({c.true_class for c in cards} | {c.predicted for c in cards}, key=lambda n: labels[n])


def length_ranges(cards: Sequence[Card]) -> list[tuple[int, int | None]]:
    """Return three ranges of words (from, to or None) with like many passages each, ends rounded; none where all are alike."""
    lengths = sorted(card.words for card in cards)
    ends = [round(lengths[len(lengths) * third // 3], -1) for third in (1, 2)] if lengths else [0, 0]
    return [(0, ends[0]), (ends[0], ends[1]), (ends[1], None)] if 0 < ends[0] < ends[1] else []


def bar(attribution: Attribution) -> tuple[int, ...]:
    """Return a passage as a thin bar: the step of shading, -LEVELS to LEVELS, of each of its stretches."""
    sums = stretches(attribution.words.tolist())
    scale = max((abs(v) for v in sums), default=0.0)
    return tuple(level(value, scale) for value in sums)


BARS = 40
"""Passages whose bars an author's page shows."""


def author_fragment(
    code: str,
    author: int,
    labels: Sequence[str],
    slugs: Sequence[str],
    own: Sequence[Card],
    taken: Sequence[Card],
    sums: AuthorSums,
    answers: Sequence[int],
    pagings: tuple[Paging, Paging] = (ONLY, ONLY),
) -> Markup:
    """Return an author's page: his passages and what the model calls them (`answers` by class), those taken for his, words, heads."""
    speaks, effects = sums.speaking(), sums.head_effects()
    return _render(
        code,
        "author.html",
        author=author,
        labels=labels,
        slugs=slugs,
        cards=own,
        taken=taken,
        answers=sorted(((count, c) for c, count in enumerate(answers) if count), key=lambda found: (-found[0], found[1] != author, found[1])),
        takers=sorted(Counter(card.true_class for card in taken).items(), key=lambda found: (-found[1], found[0])),
        bars=own[:BARS],
        words_for=[w for w in speaks if w.value > 0],
        words_against=[w for w in speaks if w.value < 0],
        kinds=sums.kind_shares(),
        lemmas=any(has_dictionary(card.language) for card in own),
        heads=sums.strongest_heads(),
        effects=effects,
        effect_scale=max((abs(effect) for row in effects for effect in row), default=0.0),
        level=level,
        shade=shade,
        own_paging=pagings[0],
        taken_paging=pagings[1],
        own_shown=cut(own)[0],
        taken_shown=cut(taken)[0],
        root="../../",
    )


def compare_fragment(code: str, header: Header) -> Markup:
    """Return the page on which two ways to shade a passage, or two passages, stand side by side."""
    return _render(code, "compare.html", labels=header.model.labels, methods=header.methods, levels=LEVELS)


def authors_fragment(code: str, labels: Sequence[str], slugs: Sequence[str], cards: Sequence[Card]) -> Markup:
    """Return the list of author classes with their counts."""
    passages, right = Counter(card.true_class for card in cards), Counter(card.true_class for card in cards if card.right)
    rows = [(number, name, passages[number], right[number]) for number, name in enumerate(labels)]
    return _render(code, "authors.html", rows=sorted(rows, key=lambda row: row[1]), slugs=slugs)


def model_fragment(code: str, header: Header) -> Markup:
    """Return the page about the model, with the figures that training wrote."""
    figures = header.model.figures or {}
    lengths = sorted(figures.get("lengths", {}).items(), key=lambda item: int(item[0]))  # JSON keys are strings: 64 before 256
    return _render(code, "model.html", model=header.model, figures=figures, lengths=lengths)


def speech(code: str) -> Language:
    """Return the language of an environment, for the few texts that stand outside fragments."""
    return language(code)
