"""Tiny classifiers loaded for tests, and what methods are asked with."""

from pathlib import Path

from gallery.config import Settings
from gallery.methods import method_of
from gallery.model.classifier import Classifier
from gallery.model.loading import load_classifier
from gallery.sources.resolve import resolve_model, resolve_tokenizer

TEXT = "Свой человек пришёл домой поздно вечером, и никто его не ждал."


def load(folder: Path, **settings: object) -> Classifier:
    """Load the classifier of a folder onto the CPU."""
    source = str(folder)
    return load_classifier(resolve_model(source, folder), resolve_tokenizer(source, folder), Settings(model=source, device="cpu", **settings))


def parameters(method: str = "integrated_gradients", **settings: object) -> dict[str, object]:
    """Return the parameters of a method under some settings."""
    return method_of(method).parameters(Settings(**settings))
