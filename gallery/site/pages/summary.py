"""The summary of a passage: all that lists, author pages, the search and the page on methods need of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from markupsafe import Markup
from pydantic import PlainSerializer, PlainValidator

from gallery.site.pages.author_sums import HeadsSeen, Spoken, heads_seen, spoken, stretches
from gallery.site.pages.interactions import pairs_for_author
from gallery.site.pages.measures import Tested, tested
from gallery.site.passage_input import PassageInput
from gallery.site.templates import rendered
from gallery.site.views import Piece, is_signed, level, paragraphs
from gallery.store.records import Attribution, EveryClass, Heads, Interactions, Prediction

_STRIP_WORDS = 28


@dataclass(frozen=True)
class Card:
    """A passage in a list."""

    id: str
    title: str
    work: str
    note: str
    kind: str
    """A word for what the passage is where it is not by its author; empty for a genuine one."""
    truth: tuple[int, ...]
    """The true classes: one, but for multi-label models."""
    verdict: tuple[int, ...]
    """The classes that the model names."""
    predicted: int
    """The most probable class."""
    confidence: float
    """Probability of the most probable class."""
    words: int
    strip: Annotated[Markup, PlainValidator(Markup), PlainSerializer(str)]
    """The first words, shaded by what speaks for the model's answer."""
    language: str
    """Language of the passage, as HTML names it."""
    bar: tuple[int, ...]
    """See `bar`; of the true class."""

    @property
    def right(self) -> bool:
        """Whether the model named the true author; of a multi-label model, all true classes and no other."""
        return set(self.truth) == set(self.verdict)

    @property
    def mistaken(self) -> tuple[int, ...]:
        """The classes that the model names wrongly."""
        return tuple(number for number in self.verdict if number not in self.truth)


@dataclass(frozen=True)
class Summary:
    """A passage as lists, author pages and the search need it; plain values, since it is kept for the next build."""

    card: Card
    search: str
    """Author, work and text."""
    said: Mapping[int, Spoken]
    """Explained class -> the evidence of the passage's words for it."""
    heads: HeadsSeen | None
    """The heads' effects on the score of the true author."""
    largest: Mapping[str, float]
    """Method -> the largest |contribution| of a word."""
    tested: Tested
    pairs: Sequence[tuple[str, str, float, int]]
    """Pairs of words that count together for the predicted class; empty where interactions were not computed."""


def summarise(passage: PassageInput) -> Summary:
    """Return the summary of a passage."""
    row, prediction = passage.row, passage.prediction
    card = Card(
        id=row.id,
        title=row.title,
        work=row.work,
        note=row.note,
        kind=row.kind,
        truth=row.truth,
        verdict=passage.verdict,
        predicted=passage.predicted,
        confidence=passage.confidence,
        words=len(prediction.words),
        strip=strip(passage.code, prediction, passage.main),
        language=passage.text_language,
        bar=bar(passage.attributions[passage.header.methods[0], row.true_class]),
    )
    heads = passage.first(Heads)
    largest: dict[str, float] = defaultdict(float)
    for attribution in passage.attributions.values():
        largest[attribution.method] = max(largest[attribution.method], float(abs(attribution.words).max(initial=0)))
    every = passage.first(EveryClass)
    if every is not None:
        largest[every.method] = max(largest[every.method], float(np.abs(every.words).max(initial=0)))
    return Summary(
        card=card,
        search=f"{passage.author}. {row.work} {prediction.text}",
        said=_said(passage, every),
        heads=heads_seen(heads, passage.attention, row.true_class) if heads is not None else None,
        largest=dict(largest),
        tested=tested(passage.header.methods, passage.predicted, passage.records),
        pairs=pairs_for_author(prediction, together, passage.text_language) if (together := passage.first(Interactions)) is not None else [],
    )


def _said(passage: PassageInput, every: EveryClass | None) -> dict[int, Spoken]:
    """Return the evidence for every class, by the one method that explains them all; without it, for the classes of the first method."""
    if every is not None:
        return dict(enumerate(spoken(passage.prediction, every.words.astype(float), passage.text_language)))
    method = passage.method
    targets = [target for target in passage.row.targets if (method, target) in passage.attributions]
    words = np.stack([passage.attributions[method, target].words for target in targets])
    return dict(zip(targets, spoken(passage.prediction, words, passage.text_language), strict=True))


def strip(code: str, prediction: Prediction, attribution: Attribution, words: int = _STRIP_WORDS) -> Markup:
    """Return the first words of a passage, shaded, for a card."""
    pieces: list[Piece] = []
    for paragraph in paragraphs(prediction, attribution.words.tolist(), is_signed(attribution.method), words + 1):
        pieces += [*paragraph, Piece(" ", None)]
    count = 0
    kept = []
    for piece in pieces:
        count += piece.number is not None
        if count > words:
            kept.append(Piece("…", None))
            break
        kept.append(piece)
    return rendered(code, "strip.html", pieces=kept)


def bar(attribution: Attribution) -> tuple[int, ...]:
    """Return a passage as a thin bar: the step of shading, -LEVELS to LEVELS, of each of its stretches."""
    sums = stretches(attribution.words.tolist())
    scale = max((abs(v) for v in sums), default=0.0)
    return tuple(level(value, scale) for value in sums)
