"""The softmax of plain numbers, its logarithm, the logarithm of a sum of exponentials, and the probabilities that logits mean."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def softmax(scores: Array) -> Array:
    """Return [..., N] exp(scores) / sum of exp(scores), in the scores' own number format; -inf gives 0."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: Array = raised / raised.sum(axis=-1, keepdims=True)
    return result


def probabilities_of(logits: Array, problem: str) -> Array:
    """Return [..., C] float64 the probabilities of classes: the softmax for `single_label`, a sigmoid for each class otherwise."""
    exact = logits.astype(np.float64)
    return softmax(exact) if problem == "single_label" else 0.5 * (1 + np.tanh(exact / 2))


def log_softmax(scores: Array) -> Array:
    """Return [..., N] the logarithm of the softmax, also where the softmax itself would round to 0."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def log_sum_exp(scores: Array) -> Array:
    """Return [...] the logarithm of the sum of exp(scores)."""
    top = scores.max(axis=-1, keepdims=True)
    result: Array = (top + np.log(np.exp(scores - top).sum(axis=-1, keepdims=True)))[..., 0]
    return result
