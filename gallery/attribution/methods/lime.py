"""LIME: a local linear surrogate of the model (Ribeiro et al. 2016, arXiv:1602.04938)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gallery.methods import Method

if TYPE_CHECKING:
    from gallery.attribution.method import Parameters
    from gallery.model.classifier import Classifier
    from gallery.model.tokenized import Tokenized
    from gallery.store.records import Array, Attribution


_KERNEL_WIDTH = 25.0
_RIDGE = 1.0


def lime(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Return the coefficients of a weighted linear model of the output, fitted to passages with words erased (Ribeiro et al. 2016, arXiv:1602.04938).

    The number of words erased from a sample is uniform. A sample's weight falls with the cosine distance from the whole
    passage; kernel width 25 and ridge 1 as in the authors' code.
    parameters: samples, erase.
    """
    from gallery.attribution.erasure import erased_logits, generator_of, spread_words
    from gallery.attribution.outputs import output_values, plain_attribution

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
                    LIME.name,
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


LIME = Method(
    name="lime",
    title="local linear surrogate (LIME)",
    question="which linear model is like this one near the passage",
    compute=lime,
    order=9,
    settings=("output", "erase", "samples"),
    forward="`samples` (200)",
    captum="Lime",
    captum_differs="Captum draws other texts and fits them otherwise",
)
