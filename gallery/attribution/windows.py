"""Attributions of a passage longer than the model, combined from those of its windows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gallery.model.tokenized import Tokenized
from gallery.softmax import probabilities_of
from gallery.store.records import Array, Attribution


def combined(tokenized: Tokenized, parts: Sequence[Attribution], covering: bool, problem: str = "single_label") -> Attribution:
    """Return the attribution of a passage, made of the attributions of its windows, which are given in order.

    The explained output is the mean of the windows' logits, so every sum that holds in each window holds for the mean of the
    windows' attributions. covering: take the mean of each token over the windows that hold it, for amounts that do not add up.
    """
    first, count = parts[0], len(parts)
    token_shares, word_shares = _shares(tokenized, covering)
    tokens, layers = np.zeros(len(tokenized.ids)), np.zeros((len(first.layers), len(tokenized.words)))
    for window, part in zip(tokenized.windows, parts, strict=True):
        tokens[list(window.tokens)] += part.tokens
        if len(part.layers):
            layers[:, list(window.words)] += part.layers
    tokens *= token_shares
    result = Attribution(
        method=first.method,
        target=first.target,
        parameters={**first.parameters, "windows": count},
        tokens=tokens,
        words=tokenized.sum_words(tokens),
        output=first.output,
        output_value=float(np.mean([part.output_value for part in parts])),
        baseline_value=_mean([part.baseline_value for part in parts]),
        delta=_mean([part.delta for part in parts]),
        converged=None,
        steps=sum(part.steps for part in parts),
        baseline_probabilities=_probabilities([part.baseline_probabilities for part in parts], problem),
        versions=first.versions,
        extra={"windows": [part.extra for part in parts]},
        layers=layers * word_shares if len(first.layers) else first.layers,
        biases=_mean([part.biases for part in parts]),
    )
    if first.converged is None:
        return result
    fine = all(part.converged for part in parts) and (result.delta_share or 0.0) <= first.parameters["delta_tolerance"]
    return replace(result, converged=fine)


def _shares(tokenized: Tokenized, covering: bool) -> tuple[Array, Array]:
    """Return [T] and [W] the factors of each token's and each word's sum over the windows."""
    count = len(tokenized.windows)
    if not covering:
        return np.full(len(tokenized.ids), 1 / count), np.full(len(tokenized.words), 1 / count)
    tokens = np.bincount([token for window in tokenized.windows for token in window.tokens], minlength=len(tokenized.ids))
    words = np.bincount([word for window in tokenized.windows for word in window.words], minlength=len(tokenized.words))
    return 1 / np.maximum(tokens, 1), 1 / np.maximum(words, 1)


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of numbers that every window has; None where the method gives none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _probabilities(windows: Sequence[Array], problem: str) -> Array:
    """Return the probabilities [C] of the mean logits, from those of each window, which give logits, up to a constant under a softmax."""
    if not all(window.size for window in windows):
        return np.zeros(0)
    logits = [np.log(np.maximum(window, 1e-300)) - (0 if problem == "single_label" else np.log(np.maximum(1 - window, 1e-300))) for window in windows]
    return probabilities_of(np.mean(logits, axis=0), problem)
