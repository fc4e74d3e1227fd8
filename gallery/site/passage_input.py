"""The input of everything that is made of one passage: its page, its files, its card, its part in lists. Made once a passage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gallery.errors import StoreError
from gallery.site.entries import Kind, by_method, first_of
from gallery.site.language import language
from gallery.site.publication import Publication
from gallery.site.slugs import author_slugs
from gallery.site.views import Piece, View, further_views, is_signed, paragraphs, views
from gallery.site.vocabulary import text_language
from gallery.store.manifest import EntryName, Header, Row
from gallery.store.records import Attention, Attribution, Bertviz, EveryClass, Prediction, Record


@dataclass(frozen=True)
class PassageInput:
    """A passage with its records, and the views that all its pages and pictures show."""

    publication: Publication
    header: Header
    row: Row
    records: Mapping[EntryName, Record]
    """By entry name."""
    prediction: Prediction
    ranking: tuple[int, ...]
    """Class numbers, the most probable first."""
    attributions: Mapping[tuple[str, int], Attribution]
    """By method and explained class, in the order of the entries."""
    views: tuple[View, ...]
    """In the order of the page's switches; the page opens with the first. Classes that only one method explains come last."""
    paragraphs: tuple[tuple[Piece, ...], ...]
    """The text, shaded by the first view."""
    text_language: str
    """Language of the text, as HTML names it."""

    @property
    def code(self) -> str:
        """Language of the interface."""
        return self.publication.language

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.header.model.labels

    @property
    def slugs(self) -> list[str]:
        """The classes' names in addresses."""
        return author_slugs(self.labels)

    @property
    def author(self) -> str:
        """Name of the true class; of a multi-label model, all of them."""
        return named(self.row.truth, self.labels, self.code)

    @property
    def verdict(self) -> tuple[int, ...]:
        """The classes that the model names: one, but for multi-label models."""
        return self.prediction.verdict(self.header.model.threshold)

    @property
    def answer(self) -> str:
        """The model's verdict in words."""
        return named(self.verdict, self.labels, self.code)

    @property
    def predicted(self) -> int:
        """The class that the model predicts."""
        return self.ranking[0]

    @property
    def right(self) -> bool:
        """Whether the model named the true author; of a multi-label model, all true classes and no other."""
        return set(self.verdict) == set(self.row.truth)

    @property
    def confidence(self) -> float:
        """Probability of the predicted class."""
        return float(self.prediction.probabilities[self.predicted])

    @property
    def main(self) -> Attribution:
        """The attribution that lists and cards show: the first method that explains the passage, on the model's answer."""
        return self.attributions[self.method, self.predicted]

    @property
    def method(self) -> str:
        """The method with which the page opens: the first that explains the passage."""
        return self.views[0].method

    @property
    def attention(self) -> Attention | None:
        """The passage's attention; None where the model shows none."""
        attention = self.first(Attention)
        return attention if attention is not None and attention.shown else None

    @property
    def bertviz(self) -> Bertviz | None:
        """Views of bertviz; None where they were not asked for, or the model shows no attention."""
        bertviz = self.first(Bertviz)
        return bertviz if bertviz is not None and bertviz.tokens else None

    def first(self, kind: type[Kind]) -> Kind | None:
        """Return the passage's first record of a kind, or None."""
        return first_of(self.records.values(), kind)


def named(classes: Sequence[int], labels: Sequence[str], code: str) -> str:
    """Return the names of some classes in a sentence of an interface language."""
    return ", ".join(labels[number] for number in classes) or language(code).gettext("none of the classes")


def passage_input(publication: Publication, header: Header, row: Row, records: Mapping[EntryName, Record]) -> PassageInput:
    """Return the input of a passage's pages, from its records by entry name.

    Raises StoreError where no method explains it.
    """
    prediction = first_of(records.values(), Prediction)
    assert prediction is not None
    ranking = tuple(prediction.ranking)
    attributions = by_method(records.values(), Attribution)
    every = first_of(records.values(), EveryClass)
    shadings = views(row.true_class, ranking, attributions, header.methods, contrast=row.true_classes is None)
    shadings += further_views(row, every) if every is not None else []
    if not shadings:
        raise StoreError(f"{row.id}: the model shows no attention, which {', '.join(header.methods)} needs. Add another method to extra.gallery.methods.")
    return PassageInput(
        publication=publication,
        header=header,
        row=row,
        records=records,
        prediction=prediction,
        ranking=ranking,
        attributions=attributions,
        views=tuple(shadings),
        paragraphs=tuple(tuple(paragraph) for paragraph in paragraphs(prediction, shadings[0].words, is_signed(shadings[0].method))),
        text_language=text_language(prediction.text, publication.language),
    )
