"""Summaries of passages, gathered while passages go by, for the pages that are about many passages or none."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gallery.site.entries import read_records
from gallery.site.language import language
from gallery.site.pages.attention_carried import Carried
from gallery.site.pages.author_sums import AuthorSums
from gallery.site.pages.measures import Tested
from gallery.site.pages.summary import Card, Summary
from gallery.site.passage_input import PassageInput, named, passage_input
from gallery.site.pictures.card import beginning, site_card
from gallery.site.publication import Publication
from gallery.site.slugs import author_slugs
from gallery.store.entries import Store
from gallery.store.manifest import Header, Row


@dataclass
class Gathered:
    """The passages' cards, and sums that grow with the vocabulary alone."""

    cards: list[Card] = field(default_factory=list)
    authors: dict[int, AuthorSums] = field(default_factory=lambda: defaultdict(AuthorSums))
    largest: dict[str, float] = field(default_factory=dict)
    """Method -> the largest |contribution| of a word in the gallery."""
    searches: list[str] = field(default_factory=list)
    """[cards] text by which the search finds each passage."""
    surest: Row | None = None
    """The passage that the model recognised with the highest probability, an example on other pages."""
    surest_card: Card | None = None
    tests: list[Tested] = field(default_factory=list)
    """[cards] figures of the methods on each passage."""

    def add(self, row: Row, summary: Summary) -> None:
        """Add one passage."""
        card = summary.card
        self.cards.append(card)
        self.searches.append(summary.search)
        self.tests.append(summary.tested)
        if self.surest_card is None or (card.right, card.confidence) > (self.surest_card.right, self.surest_card.confidence):
            self.surest, self.surest_card = row, card
        self.authors[card.predicted].add_pairs(card.id, card.title, summary.pairs)
        for target, said in summary.said.items():
            self.authors[target].add(card.id, card.title, said)
        for number in card.truth:
            if number in summary.said:
                self.authors[number].add_own(summary.said[number], summary.heads if number == row.true_class else None)
        for method, value in summary.largest.items():
            self.largest[method] = max(value, self.largest.get(method, 0.0))


@dataclass(frozen=True)
class GalleryInput:
    """The input of the pages that are about many passages or none."""

    publication: Publication
    header: Header
    gathered: Gathered
    store: Store
    carried: Carried
    source: Path
    """Folder of the documents that people write, `docs_dir`."""

    @property
    def code(self) -> str:
        """Language of the interface."""
        return self.publication.language

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.header.model.labels

    @property
    def cards(self) -> list[Card]:
        """Cards of all passages, in the gallery's order."""
        return self.gathered.cards

    def slugs(self) -> list[str]:
        """Return the classes' names in addresses."""
        return author_slugs(self.labels)

    def surest(self) -> PassageInput | None:
        """Return the passage that the model recognised with the highest probability, or None where there are no passages.

        Raises StoreError where an entry of it is missing or damaged.
        """
        row = self.gathered.surest
        return None if row is None else passage_input(self.publication, self.header, row, read_records(self.store, row))


def list_index(cards: Sequence[Card]) -> str:
    """Return the values by which lists are filtered, by columns, in the lists' order: JSON of some ten bytes a passage."""
    columns = {
        "true": [_plain(card.truth) for card in cards],
        "predicted": [_plain(card.verdict) for card in cards],
        "confidence": [round(card.confidence, 3) for card in cards],
        "words": [card.words for card in cards],
    }
    return json.dumps(columns, separators=(",", ":"))


def _plain(classes: tuple[int, ...]) -> int | tuple[int, ...]:
    """Return a class as its number, several or none as a list."""
    return classes[0] if len(classes) == 1 else classes


def write_shared(gallery: GalleryInput, out: Path) -> None:
    """Write the files that elements of several pages load: the passages to choose from, and the gallery's scales."""
    passages = [{"id": card.id, "title": card.title, "author": named(card.truth, gallery.labels, gallery.code)} for card in gallery.cards]
    scales = {method: float(f"{value:.4g}") for method, value in gallery.gathered.largest.items()}
    (out / "data").mkdir(exist_ok=True)
    for name, content in (("passages", passages), ("scales", scales)):
        (out / "data" / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), "utf-8")


def gallery_card(gallery: GalleryInput) -> bytes:
    """Return the PNG of the card that all pages share but those of passages, with the beginning of the surest passage."""
    surest, speech, count = gallery.surest(), language(gallery.code), len(gallery.cards)
    right = sum(card.right for card in gallery.cards) / (count or 1)
    figures = f"{count} {speech.ngettext('passage', 'passages', count)} · {speech.gettext('%(share)s recognised') % {'share': speech.percent(right)}}"
    pieces = beginning(surest.paragraphs) if surest else []
    return site_card(gallery.publication.name, gallery.publication.description, figures, pieces)
