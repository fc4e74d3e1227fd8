"""Linear models of the classifier around a passage, over words that are kept or erased: LIME and Shapley values."""

from collections.abc import Sequence
from itertools import product
from math import comb

import numpy as np

from gallery.attribution.erasure import erased_logits, generator_of, spread_words
from gallery.attribution.outputs import Parameters, output_values, plain_attribution
from gallery.model.classifier import Classifier, versions
from gallery.model.tokenized import Tokenized
from gallery.softmax import softmax
from gallery.store.records import Array, Attribution

_KERNEL_WIDTH = 25.0
_RIDGE = 1.0


def lime(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Return the coefficients of a weighted linear model of the output, fitted to passages with words erased (Ribeiro et al. 2016, arXiv:1602.04938).

    The number of words erased from a sample is uniform. A sample's weight falls with the cosine distance from the whole
    passage; kernel width 25 and ridge 1 as in the authors' code.
    parameters: samples, erase. Cost: `samples` forward passes, which serve all targets; no backward pass.
    """
    results = []
    for tokenized, own_targets in zip(batch, targets, strict=True):
        count, samples = len(tokenized.words), parameters["samples"]
        generator = generator_of(tokenized)
        kept = np.ones((samples, count), bool)
        for row in kept[1:]:
            row[generator.permutation(count)[: generator.integers(1, count + 1)]] = False
        outputs = output_values(erased_logits(classifier, tokenized, kept, parameters["erase"]), parameters["output"])
        distance = 100 * (1 - np.sqrt(kept.mean(1)))
        weights = np.sqrt(np.exp(-((distance / _KERNEL_WIDTH) ** 2)))
        x = np.column_stack([kept.astype(float), np.ones(samples)])
        penalty = _RIDGE * np.diag([*np.ones(count), 0.0])
        solved = np.linalg.solve((x.T * weights) @ x + penalty, (x.T * weights) @ outputs[:, list(own_targets)])
        fitted = x @ solved
        results.append(
            [
                plain_attribution(
                    classifier,
                    tokenized,
                    "lime",
                    target,
                    parameters,
                    spread_words(tokenized, solved[:count, k]),
                    float(outputs[0, target]),
                    samples,
                    extra={"fit": _fit(outputs[:, target], fitted[:, k], weights)},
                )
                for k, target in enumerate(own_targets)
            ]
        )
    return results


def _fit(outputs: Array, fitted: Array, weights: Array) -> float:
    """Return the weighted R² of the linear model: the share of the outputs' variance that it explains."""
    mean = np.average(outputs, weights=weights)
    spread = float((weights * (outputs - mean) ** 2).sum())
    return 1 - float((weights * (outputs - fitted) ** 2).sum()) / spread if spread > 0 else 1.0


def shapley(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Return Shapley values, each word's mean contribution over all orders in which words could be added, estimated by KernelSHAP.

    Lundberg & Lee 2017 (arXiv:1705.07874): least squares over sets of words, drawn in complementary pairs with the Shapley
    kernel's weight by size. The values add up to F(passage) - F(all words erased). Exact where `samples` allows all sets; a
    rough ranking with fewer sets than words.
    parameters: samples, erase. Cost: at most `samples` forward passes, which serve all targets; no backward pass.
    """
    results = []
    for tokenized, own_targets in zip(batch, targets, strict=True):
        count = len(tokenized.words)
        sets, weights = _coalitions(tokenized, parameters["samples"])
        ends = np.array([[False] * count, [True] * count])
        logits = erased_logits(classifier, tokenized, np.concatenate([ends, sets]), parameters["erase"])
        outputs = output_values(logits, parameters["output"])
        values = _constrained(sets.astype(float), outputs[2:] - outputs[0], weights, outputs[1] - outputs[0])
        results.append([_complete(tokenized, target, parameters, values[:, target], outputs, logits, len(sets) + 2) for target in own_targets])
    return results


def _coalitions(tokenized: Tokenized, samples: int) -> tuple[Array, Array]:
    """Return sets of words [N, W] bool, neither empty nor the whole passage, and their weights [N]."""
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


def _complete(tokenized: Tokenized, target: int, parameters: Parameters, words: Array, outputs: Array, logits: Array, passes: int) -> Attribution:
    tokens = spread_words(tokenized, words)
    return Attribution(
        method="shapley",
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
        baseline_probabilities=softmax(logits[0]),
        versions=versions(),
    )
