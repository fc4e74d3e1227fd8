"""Models whose fast encoder is wrong: found by each build, remembered by the store, told apart in keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gallery.config import Settings
from gallery.errors import GalleryError
from gallery.evaluation.metrics import VERIFICATION_LIMIT
from gallery.explain.plan import Planner
from gallery.methods import method_of
from gallery.passages.read import Passage
from gallery.sources.resolve import Source
from gallery.store.entries import Store
from gallery.store.keys import entry_key
from gallery.store.records import Fallback, Prediction

if TYPE_CHECKING:
    from gallery.model.classifier import Classifier


class FastEncoderError(GalleryError):
    """The fast encoder of a model is wrong on this machine."""

    def __init__(self, model: str, fallback: Fallback) -> None:
        super().__init__(
            f"{model}: the fast encoder is wrong for this {fallback.architecture}: {fallback.method} of {fallback.passage} is off from Captum "
            f"by {fallback.difference:.1%} of the largest contribution. Everything is explained by the model's own forward pass, which takes longer; "
            "please report the architecture."
        )
        self._about = model, fallback

    def __reduce__(self) -> tuple[type[FastEncoderError], tuple[str, Fallback]]:
        """Let the error come back from another process whole."""
        return type(self), self._about


def planner_for(store: Store, model: Source, tokenizer: Source, settings: Settings) -> Planner:
    """Return the planner of a model: without its fast encoder if the store knows it to be wrong."""
    return Planner(model, tokenizer, settings, fast=not store.has(Fallback.kind, _key(model, settings)))


def fall_back(store: Store, model: Source, settings: Settings, fallback: Fallback) -> None:
    """Remember that a model's fast encoder is wrong; all its entries are then computed anew by the model's own forward pass."""
    store.write(_key(model, settings), fallback)


def _key(model: Source, settings: Settings) -> str:
    return entry_key(kind=Fallback.kind, weights=model.digest, dtype=settings.dtype)


def is_verified(store: Store, planner: Planner, passage: Passage) -> bool:
    """Tell whether a passage has been held against Captum, or no configured method can be. Loads no torch."""
    if not any(method_of(name).verifiable for name in planner.settings.methods):
        return True
    prediction = store.read_sound("prediction", planner.prediction(passage.text).key)[0]
    needs = planner.verification(passage.text, prediction) if isinstance(prediction, Prediction) else []
    return bool(needs) and all(store.has(need.kind, need.key) for need in needs)


def check_fast_encoder(
    store: Store, planner: Planner, model: Source, classifier: Classifier, passage: Passage, true_classes: Sequence[int], say: Callable[[str], None]
) -> None:
    """Hold an explained passage against Captum, so that a fast encoder that is wrong on this machine is found before all else is explained.

    Raises FastEncoderError where it is wrong; the store remembers it, and the next planner goes without it.
    """
    from gallery.explain.verification import apart, passage_of, unverified, verified

    if not classifier.captum_reads(classifier.tokenize(passage.text)):
        return
    prediction = store.read("prediction", planner.prediction(passage.text).key)
    assert isinstance(prediction, Prediction)
    explained = passage_of(planner, passage.id, prediction, true_classes)
    for record, fallback in verified(classifier, store, explained, unverified(store, explained)):
        if fallback is not None:
            fall_back(store, model, planner.settings, fallback)
            raise FastEncoderError(model.name, fallback)
        if record.difference > VERIFICATION_LIMIT:
            say(f"{passage.id}: {apart(record)}; the fast encoder is not to blame. See the passage's page.")
