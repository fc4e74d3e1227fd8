"""Summaries of passages -> the fragments of lists: the index, authors, and the further pages of both."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from markupsafe import Markup
from pydantic import PlainSerializer, PlainValidator

from gallery.site.language import language
from gallery.site.pages.authors import AuthorSums, stretches
from gallery.site.pages.paging import ONLY, Paging, cut
from gallery.site.templates import rendered
from gallery.site.views import Piece, level, paragraphs, shade
from gallery.site.vocabulary import has_dictionary
from gallery.store.records import Attribution, Prediction


def strip(code: str, prediction: Prediction, attribution: Attribution, words: int = 28) -> Markup:
    """Return the first words of a passage, shaded, for a card."""
    shown = paragraphs(prediction, attribution.words.tolist(), words + 1)
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
    return rendered(code, "strip.html", pieces=kept)


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


def index_fragment(
    code: str, cards: Sequence[Card], labels: Sequence[str], slugs: Sequence[str], matrix: Sequence[Sequence[int]], paging: Paging = ONLY
) -> Markup:
    """Return the index: headline figures, the first page of cards, the confusion matrix [true][predicted] of the gallery."""
    values = {"labels": labels, "slugs": slugs, "matrix": matrix, **choices(cards, labels), "paging": paging, "root": ""}
    return rendered(code, "index.html", every=cards, cards=cut(cards)[0], **values)


def list_fragment(code: str, cards: Sequence[Card], labels: Sequence[str], offered: Mapping[str, Any], paging: Paging) -> Markup:
    """Return a further page of the index: its cards, and the same filters, which offer the `choices` among all passages."""
    return rendered(code, "list.html", cards=cards, labels=labels, **offered, paging=paging, root=paging.first)


def choices(cards: Sequence[Card], labels: Sequence[str]) -> dict[str, Any]:
    """Return what the index's filters offer."""
    return {"shown": classes_shown(cards, labels), "lengths": length_ranges(cards)}


def author_list_fragment(code: str, author: int, labels: Sequence[str], cards: Sequence[Card], kind: str, paging: Paging) -> Markup:
    """Return a further page of an author's `passages`, or of those `taken` for his."""
    return rendered(code, "author-list.html", author=author, labels=labels, cards=cards, kind=kind, paging=paging, root="../../../../")


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
    return rendered(
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


def authors_fragment(code: str, labels: Sequence[str], slugs: Sequence[str], cards: Sequence[Card]) -> Markup:
    """Return the list of author classes with their counts."""
    passages, right = Counter(card.true_class for card in cards), Counter(card.true_class for card in cards if card.right)
    rows = [(number, name, passages[number], right[number]) for number, name in enumerate(labels)]
    return rendered(code, "authors.html", rows=sorted(rows, key=lambda row: row[1]), slugs=slugs)
