"""Exact Shapley interactions between a passage's strongest words (Grabisch & Roubens 1999, Int. J. of Game Theory 28)."""

from collections.abc import Mapping
from math import factorial
from typing import Any

import numpy as np

from gallery.attribution.erasure import erased_logits
from gallery.attribution.outputs import output_values
from gallery.model.classifier import Classifier, versions
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array, Attribution, Interactions


def interactions(classifier: Classifier, tokenized: Tokenized, attribution: Attribution, parameters: Mapping[str, Any]) -> Interactions:
    """Return the interactions of the words with the largest |contribution| to the attribution's class.

    Only these words are erased, in every combination; all others stay. parameters: words, their number N; erase `mask` | `pad`; output.
    Cost: 2ᴺ forward passes.
    """
    strongest = np.sort(np.argsort(-np.abs(attribution.words), kind="stable")[: parameters["words"]])
    count = len(strongest)
    sets = (np.arange(2**count)[:, None] >> np.arange(count)) & 1 == 1
    kept = np.ones((len(sets), len(tokenized.words)), bool)
    kept[:, strongest] = sets
    outputs = output_values(erased_logits(classifier, tokenized, kept, parameters["erase"]), parameters["output"])[:, attribution.target]
    return Interactions(
        method=attribution.method,
        target=attribution.target,
        parameters=dict(parameters),
        words=strongest,
        values=pairwise(outputs),
        versions=versions(),
    )


def pairwise(outputs: Array) -> Array:
    """Return [N, N] the Shapley interaction index of each pair, with the Shapley values on the diagonal.

    outputs [2ᴺ]: the value of each set of players, whose bits say who is in it. The index of i and j is the mean, over the orders in which
    the pair and the others could arrive, of v(S + i + j) - v(S + i) - v(S + j) + v(S): above 0 where both together do more than each alone.
    """
    count = len(outputs).bit_length() - 1
    every = np.arange(len(outputs))
    sizes = np.array([int(number).bit_count() for number in every])
    values = np.zeros((count, count))
    for i in range(count):
        without = every[(every >> i) & 1 == 0]
        weights = np.array([factorial(int(s)) * factorial(count - 1 - int(s)) / factorial(count) for s in sizes[without]])
        values[i, i] = weights @ (outputs[without | 1 << i] - outputs[without])
        for j in range(i + 1, count):
            neither = without[(without >> j) & 1 == 0]
            weights = np.array([factorial(int(s)) * factorial(count - 2 - int(s)) / factorial(count - 1) for s in sizes[neither]])
            together = outputs[neither | 1 << i | 1 << j] - outputs[neither | 1 << i] - outputs[neither | 1 << j] + outputs[neither]
            values[i, j] = values[j, i] = weights @ together
    return values
