"""Attributions of a passage longer than the model, combined from those of its windows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gallery.model.tokenized import Tokenized
from gallery.softmax import softmax
from gallery.store.records import Array, Attribution


def combined(tokenized: Tokenized, found: Sequence[Attribution], covering: bool) -> Attribution:
    """Return the attribution of a passage from those of its windows, in their order.

    The explained output is the mean of the windows' logits, so every sum that holds in each window holds for the mean of the
    windows' attributions. covering: take the mean of each token over the windows that hold it, for amounts that do not add up.
    """
    first, count = found[0], len(found)
    token_shares, word_shares = _shares(tokenized, covering)
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


def _shares(tokenized: Tokenized, covering: bool) -> tuple[Array, Array]:
    """Return [T] and [W] what each token's and word's sum over the windows is multiplied by."""
    count = len(tokenized.windows)
    if not covering:
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
