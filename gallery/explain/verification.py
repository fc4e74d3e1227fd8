"""Verification of explained passages: their attributions in the store held against Captum's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gallery.evaluation.metrics import VERIFICATION_LIMIT
from gallery.evaluation.verification import fast_encoder_errs, verify
from gallery.explain.needs import Need, entry_names
from gallery.explain.plan import Planner
from gallery.model.classifier import Classifier, versions
from gallery.store.entries import Store
from gallery.store.manifest import EntryName
from gallery.store.records import Attribution, Fallback, Prediction, Verification


@dataclass(frozen=True)
class Passage:
    """An explained passage, and what it takes to verify it."""

    id: str
    prediction: Prediction
    needs: tuple[Need, ...]
    keys: Mapping[EntryName, str]
    """Keys of its entries by name."""


def unverified(store: Store, passage: Passage) -> list[Need]:
    """Return the needs of a passage that the store lacks; a damaged entry is set aside."""
    return [need for need in passage.needs if store.read_sound(need.kind, need.key)[0] is None]


def verified(classifier: Classifier, store: Store, passage: Passage, needs: Sequence[Need]) -> Iterator[tuple[Verification, Fallback | None]]:
    """Compute and write the needs; yield each record, and a Fallback where the fast encoder is to blame for its difference.

    Raises StoreError where an attribution is missing or damaged.
    """
    tokenized = classifier.tokenize(passage.prediction.text)
    for need in needs:
        parameters = need.settings["parameters"]
        attribution = store.read("attribution", passage.keys[need.name._replace(kind="attribution")])
        assert isinstance(attribution, Attribution)
        record = verify(classifier, tokenized, attribution, parameters)
        store.write(need.key, record)
        if record.difference > VERIFICATION_LIMIT and fast_encoder_errs(classifier, tokenized, attribution, parameters):
            yield record, Fallback(classifier.card.architecture, passage.id, need.method, record.difference, versions())
        else:
            yield record, None


def apart(record: Verification) -> str:
    """Return a difference in words."""
    return f"{record.method} is off from Captum by {record.difference:.1%} of the largest contribution"


def passage_of(planner: Planner, ident: str, prediction: Prediction, true_classes: Sequence[int]) -> Passage:
    """Return a passage with the needs of its verification."""
    keys = entry_names(planner.others(prediction.text, prediction, true_classes))
    return Passage(ident, prediction, tuple(planner.verification(prediction.text, prediction)), keys)
