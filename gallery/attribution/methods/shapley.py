"""Shapley values of words by KernelSHAP (Lundberg & Lee 2017, arXiv:1705.07874)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from gallery.methods import Method
from gallery.softmax import probabilities_of
from gallery.store.records import Attribution

if TYPE_CHECKING:
    from gallery.attribution.method import Parameters
    from gallery.model.classifier import Classifier
    from gallery.model.tokenized import Tokenized
    from gallery.store.records import Array


def shapley(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Return Shapley values, each word's mean contribution over all orders in which words could be added, estimated by KernelSHAP.

    Lundberg & Lee 2017 (arXiv:1705.07874): least squares over sets of words, drawn in complementary pairs with the Shapley
    kernel's weight by size. The values add up to F(passage) - F(all words erased). Exact where `samples` allows all sets; a
    rough ranking with fewer sets than words.
    parameters: samples, erase.
    """
    from gallery.attribution.erasure import erased_logits
    from gallery.attribution.outputs import output_values

    results = []
    for tokenized, own_targets in zip(batch, targets, strict=True):
        count = len(tokenized.words)
        sets, weights = _coalitions(tokenized, parameters["samples"])
        ends = np.array([[False] * count, [True] * count])
        logits = erased_logits(classifier, tokenized, np.concatenate([ends, sets]), parameters["erase"])
        outputs = output_values(logits, parameters["output"])
        values = _constrained(sets.astype(float), outputs[2:] - outputs[0], weights, outputs[1] - outputs[0])
        results.append(
            [_complete(tokenized, target, parameters, values[:, target], outputs, logits, len(sets) + 2, classifier.card.problem) for target in own_targets]
        )
    return results


def _coalitions(tokenized: Tokenized, samples: int) -> tuple[Array, Array]:
    """Return sets of words [N, W] bool, neither empty nor the whole passage, and their weights [N]."""
    from gallery.attribution.erasure import generator_of

    count = len(tokenized.words)
    if count < 2:
        return np.zeros((0, count), bool), np.zeros(0)
    if 2**count - 2 <= samples:
        sets = np.array(list(product([False, True], repeat=count)), bool)[1:-1]
        sizes = sets.sum(1)
        return sets, np.array([(count - 1) / (comb(count, int(k)) * k * (count - k)) for k in sizes])
    generator = generator_of(tokenized)
    sizes = np.arange(1, count)
    chances = 1 / (sizes * (count - sizes))
    half = np.zeros((max(1, (samples - 2) // 2), count), bool)
    for row, size in zip(half, generator.choice(sizes, len(half), p=chances / chances.sum()), strict=True):
        row[generator.permutation(count)[:size]] = True
    return np.concatenate([half, ~half]), np.ones(2 * len(half))


def _constrained(x: Array, y: Array, weights: Array, total: Array) -> Array:
    """Return the values [W, C] that add up to `total` [C] and best fit x [N, W] -> y [N, C] by weighted least squares.

    With fewer sets than words several solutions fit alike; the smallest is returned.
    """
    count = x.shape[1]
    even = np.repeat(total[None] / count, count, axis=0)
    if not len(x):
        return even
    centre = np.eye(count) - 1 / count  # projects onto values that add up to 0
    root = np.sqrt(weights)[:, None]
    rest: Array = np.linalg.lstsq(root * (x @ centre), root * (y - x @ even), rcond=1e-9)[0]
    result: Array = even + centre @ rest
    return result


def _complete(tokenized: Tokenized, target: int, parameters: Parameters, words: Array, outputs: Array, logits: Array, passes: int, problem: str) -> Attribution:
    from gallery.attribution.erasure import spread_words
    from gallery.model.classifier import versions

    tokens = spread_words(tokenized, words)
    return Attribution(
        method=SHAPLEY.name,
        target=target,
        parameters=dict(parameters),
        tokens=tokens,
        words=tokenized.sum_words(tokens),
        output=parameters["output"],
        output_value=float(outputs[1, target]),
        baseline_value=float(outputs[0, target]),
        delta=float(tokens.sum() - (outputs[1, target] - outputs[0, target])),
        converged=None,
        steps=passes,
        baseline_probabilities=probabilities_of(logits[0], problem),
        versions=versions(),
    )


SHAPLEY = Method(
    name="shapley",
    title="Shapley values",
    question="what a word adds on average, in whatever order words arrive",
    compute=shapley,
    order=10,
    settings=("output", "erase", "samples"),
    complete=True,
    forward="`samples` (200)",
    captum="ShapleyValueSampling",
    captum_differs="Captum draws other orders of the words, so two estimates differ by chance",
)
