"""Linear stand-ins for the model around one passage, over words that are there or not: LIME and Shapley values."""

from collections.abc import Sequence
from itertools import product
from math import comb

import numpy as np

from gallery.attribution.erasure import erased_logits, generator_of, spread_words
from gallery.attribution.outputs import Parameters, baseline_probabilities, output_values, plain_attribution
from gallery.model.classifier import Classifier, versions
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array, Attribution

_KERNEL_WIDTH = 25.0
_RIDGE = 1.0


def lime(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Fit a weighted linear model to what the classifier says when words are left out (Ribeiro et al. 2016, arXiv:1602.04938).

    Of each sampled text a uniform number of words is left out; its weight falls with the cosine distance from the whole
    passage, kernel width 25 and ridge 1 as in the authors' code. A word's value is its coefficient.
    parameters: samples, erase. Cost: `samples` forward passes, for all targets together; no backward pass.
    """
    results = []
    for tokenized, wanted in zip(batch, targets, strict=True):
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
        solved = np.linalg.solve((x.T * weights) @ x + penalty, (x.T * weights) @ outputs[:, list(wanted)])
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
                for k, target in enumerate(wanted)
            ]
        )
    return results


def _fit(true: Array, fitted: Array, weights: Array) -> float:
    """Return the weighted R squared of the linear model: how much of the classifier it stands for."""
    mean = np.average(true, weights=weights)
    spread = float((weights * (true - mean) ** 2).sum())
    return 1 - float((weights * (true - fitted) ** 2).sum()) / spread if spread > 0 else 1.0


def shapley(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Estimate each word's mean contribution over all orders in which words could arrive (Shapley values by KernelSHAP).

    Lundberg & Lee 2017 (arXiv:1705.07874): least squares over sets of words, drawn in complementary pairs with the
    Shapley kernel's weight by size, under the condition that the values add up to F(passage) - F(all words erased). Exact where
    all sets fit into the budget; with fewer sets than words only a rough ranking.
    parameters: samples, erase. Cost: `samples` forward passes at most, for all targets together; no backward pass.
    """
    results = []
    for tokenized, wanted in zip(batch, targets, strict=True):
        count = len(tokenized.words)
        sets, weights = _coalitions(tokenized, parameters["samples"])
        ends = np.array([[False] * count, [True] * count])
        logits = erased_logits(classifier, tokenized, np.concatenate([ends, sets]), parameters["erase"])
        outputs = output_values(logits, parameters["output"])
        values = _constrained(sets.astype(float), outputs[2:] - outputs[0], weights, outputs[1] - outputs[0])
        results.append([_complete(tokenized, target, parameters, values[:, target], outputs, logits, len(sets) + 2) for target in wanted])
    return results


def _coalitions(tokenized: Tokenized, samples: int) -> tuple[Array, Array]:
    """Return sets of words [N, W] bool, neither empty nor whole, and their weights [N]."""
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
    """Return values [W, C] that fit x [N, W] -> y [N, C] best by weighted least squares, and add up to `total` [C].

    The smallest such values where several fit alike, which happens with fewer sets than words.
    """
    count = x.shape[1]
    even = np.repeat(total[None] / count, count, axis=0)
    if not len(x):
        return even
    centre = np.eye(count) - 1 / count  # onto values that add up to nothing
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
        baseline_probabilities=baseline_probabilities(logits[0]),
        versions=versions(),
    )
