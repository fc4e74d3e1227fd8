"""Passages longer than the model: each window is explained, and the explanations are combined as the logits are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gallery.attribution.method import Method
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.softmax import softmax
from gallery.store.records import Array, Attribution

_AMOUNTS = {"unified_information"}
"""Methods that say how much of a token is kept in the window, not what it adds to the output: their mean is over its windows."""


def over_windows(method: Method) -> Method:
    """Return a method that takes passages of several windows too; a passage that fits is left to the method itself.

    The output explained is the mean of the windows' logits, so with the mean of the windows' attributions every sum holds
    that holds within each. Cost: the method's own for each window, and neighbours share a quarter of their tokens.
    """

    def explained(
        classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Mapping[str, Any]
    ) -> list[list[Attribution]]:
        parts = [part for tokenized in batch for part in tokenized.parts]
        wanted = [one for tokenized, one in zip(batch, targets, strict=True) for _ in tokenized.parts]
        found = iter(method(classifier, parts, wanted, parameters))
        results = []
        for tokenized, one in zip(batch, targets, strict=True):
            each = [next(found) for _ in tokenized.parts]
            results.append([combined(tokenized, [windows[k] for windows in each]) for k in range(len(one))] if tokenized.windows else each[0])
        return results

    return explained


def combined(tokenized: Tokenized, found: Sequence[Attribution]) -> Attribution:
    """Return the attribution of a passage from those of its windows, in their order."""
    first, count = found[0], len(found)
    token_shares, word_shares = _shares(tokenized, first.method)
    tokens, layers = np.zeros(len(tokenized.ids)), np.zeros((len(first.layers), len(tokenized.words)))
    for window, one in zip(tokenized.windows, found, strict=True):
        tokens[list(window.tokens)] += one.tokens
        if len(one.layers):
            layers[:, list(window.words)] += one.layers
    tokens *= token_shares
    complete = first.delta is not None and first.baseline_value is not None
    result = Attribution(
        method=first.method,
        target=first.target,
        parameters={**first.parameters, "windows": count},
        tokens=tokens,
        words=tokenized.sum_words(tokens),
        output=first.output,
        output_value=float(np.mean([one.output_value for one in found])),
        baseline_value=float(np.mean([one.baseline_value for one in found])) if complete else None,
        delta=float(np.mean([one.delta for one in found])) if complete else None,
        converged=None,
        steps=sum(one.steps for one in found),
        baseline_probabilities=_probabilities([one.baseline_probabilities for one in found]),
        versions=first.versions,
        extra={"windows": [one.extra for one in found]},
        layers=layers * word_shares if len(first.layers) else first.layers,
    )
    if first.converged is None:
        return result
    fine = all(one.converged for one in found) and (result.delta_share or 0.0) <= first.parameters["delta_tolerance"]
    return replace(result, converged=fine)


def _shares(tokenized: Tokenized, method: str) -> tuple[Array, Array]:
    """Return [T] and [W] what each token's and word's sum over the windows is multiplied by."""
    count = len(tokenized.windows)
    if method not in _AMOUNTS:
        return np.full(len(tokenized.ids), 1 / count), np.full(len(tokenized.words), 1 / count)
    tokens = np.bincount([place for window in tokenized.windows for place in window.tokens], minlength=len(tokenized.ids))
    words = np.bincount([word for window in tokenized.windows for word in window.words], minlength=len(tokenized.words))
    return 1 / np.maximum(tokens, 1), 1 / np.maximum(words, 1)


def _probabilities(found: Sequence[Array]) -> Array:
    """Return [C] the softmax of the mean logits, from the probabilities of each window; logits count up to a constant."""
    if not all(one.size for one in found):
        return np.zeros(0)
    logits = np.mean([np.log(np.maximum(one, 1e-300)) for one in found], axis=0)
    return softmax(logits)
