"""Faithfulness of an attribution: the probability of the explained class as words are erased in the attribution's order."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gallery.attribution.erasure import erased_logits, generator_of
from gallery.evaluation.metrics import aopc, area
from gallery.model.classifier import Classifier, versions
from gallery.model.tokenized import Tokenized
from gallery.softmax import softmax
from gallery.store.records import Array, Attribution, Chance, Faithfulness

SHARES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of the words at which the curves are computed; comprehensiveness and sufficiency use those between 0 and 1."""


def faithfulness(classifier: Classifier, tokenized: Tokenized, attributions: Sequence[Attribution], parameters: Mapping[str, Any]) -> list[Faithfulness]:
    """Return, for each attribution of a passage, the probabilities without its first words and with them alone.

    The order is by signed contribution to the explained class, largest first. Comprehensiveness (the fall of the probability
    without the first words) and sufficiency (its fall with them alone) as in ERASER (DeYoung et al. 2020, arXiv:1911.03429);
    the area over the perturbation curve (AOPC) is their mean over the shares. The AOPC of the reversed order is for
    `gallery.evaluation.metrics.normalised_aopc`.
    parameters: erase `mask` | `pad`; products `auto`, in bfloat16 where that is faster, or `float32`. measures["rounding"] is
    the largest error of a probability by bfloat16, measured at the two ends, which are computed in float32 too.
    Cost: 15 forward passes for each attribution, and 4 for the ends.
    """
    ranked = [np.argsort(-attribution.words, kind="stable") for attribution in attributions]
    probabilities = _probabilities(classifier, tokenized, [*ranked, *(order[::-1] for order in ranked)], ranked, parameters)
    rounding = _rounding(classifier, tokenized, probabilities[0], parameters) if ranked else 0.0
    results = []
    for index, attribution in enumerate(attributions):
        deletion, reverse, insertion = (probabilities[index + part * len(ranked), :, attribution.target] for part in range(3))
        results.append(
            Faithfulness(
                method=attribution.method,
                target=attribution.target,
                parameters=dict(parameters),
                shares=np.array(SHARES),
                deletion=deletion,
                insertion=insertion,
                measures={**_measures(deletion, insertion), "aopc_reverse": float(aopc(deletion[0], reverse)), "rounding": rounding},
                versions=versions(),
            )
        )
    return results


def chance(classifier: Classifier, tokenized: Tokenized, parameters: Mapping[str, Any]) -> Chance:
    """Return the probabilities as words are erased in random orders, which serve all methods and classes.

    parameters: erase `mask` | `pad`; products as in `faithfulness`; random_orders. Cost: 10 forward passes for each order, and 2 for the ends.
    """
    generator = generator_of(tokenized)
    orders = [generator.permutation(len(tokenized.words)) for _ in range(parameters["random_orders"])]
    probabilities = _probabilities(classifier, tokenized, orders, orders, parameters)
    return Chance(dict(parameters), np.array(SHARES), probabilities[: len(orders)], probabilities[len(orders) :], versions())


def _probabilities(classifier: Classifier, tokenized: Tokenized, without: Sequence[Array], alone: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Return probabilities [orders, S, C]: without the first words of the orders `without`, then with the first words of the orders `alone`."""
    count = len(tokenized.words)
    numbers = [_number_of(count, share) for share in SHARES]
    kept = np.concatenate([_masks(without, numbers, count), ~_masks(alone, numbers, count)])
    logits = erased_logits(classifier, tokenized, kept.reshape(-1, count), parameters["erase"], parameters["products"] == "auto")
    return softmax(logits).reshape(-1, len(SHARES), logits.shape[-1])


def _rounding(classifier: Classifier, tokenized: Tokenized, deletion: Array, parameters: Mapping[str, Any]) -> float:
    """Return the largest difference, at the two ends, between probabilities [S, C] and those in the model's own number format."""
    if classifier.bf16_encoder is None or parameters["products"] != "auto":
        return 0.0
    ends = np.array([[True], [False]]).repeat(len(tokenized.words), 1)
    return float(np.abs(softmax(erased_logits(classifier, tokenized, ends, parameters["erase"])) - deletion[[0, -1]]).max())


def _number_of(count: int, share: float) -> int:
    """Return the number of words in a share of them: at least 1, but for a share of 0."""
    return 0 if share == 0 else min(count, max(1, round(share * count)))


def _masks(orders: Sequence[Array], numbers: Sequence[int], count: int) -> Array:
    """Return [orders, S, W] bool: the words that remain when the first words of each order, in these numbers, are erased."""
    kept = np.ones((len(orders), len(numbers), count), bool)
    for row, order in zip(kept, orders, strict=True):
        for mask, number in zip(row, numbers, strict=True):
            mask[order[:number]] = False
    return kept


def _measures(deletion: Array, insertion: Array) -> dict[str, Any]:
    whole, between = deletion[0], slice(1, -1)
    return {
        "comprehensiveness": (whole - deletion[between]).tolist(),
        "sufficiency": (whole - insertion[between]).tolist(),
        "aopc_comprehensiveness": float(aopc(whole, deletion)),
        "aopc_sufficiency": float(aopc(whole, insertion)),
        "deletion_area": float(area(np.array(SHARES), deletion)),
        "insertion_area": float(area(np.array(SHARES), insertion)),
    }
