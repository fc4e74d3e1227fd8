"""Does an explanation tell the truth: take words out in its order, and watch the probability of the explained class."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gallery.attribution.erasure import erased_logits, generator_of
from gallery.classifier import Classifier, Encoded, versions
from gallery.records import Array, Attribution, Faithfulness

SHARES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of the words at which the curves are known; comprehensiveness and sufficiency are taken at those between 0 and 1."""


def faithfulness(classifier: Classifier, encoded: Encoded, attributions: Sequence[Attribution], parameters: Mapping[str, Any]) -> list[Faithfulness]:
    """Return how each attribution of a passage fares, beside random orders of its words.

    Words are taken in the order of their signed contribution to the explained class, largest first. Comprehensiveness
    (what the probability loses without the first words) and sufficiency (what it loses with them alone) as in
    ERASER (DeYoung et al. 2020, arXiv:1911.03429); the area over the perturbation curve (AOPC) is their mean over the
    shares. The AOPC of the reversed order is kept for `gallery.comparison.normalised_aopc`.
    parameters: erase `mask` | `pad`; random_orders.
    Cost: 15 forward passes an attribution, 10 a random order, 2 for the ends, each once a passage: the random orders serve all
    methods and classes.
    """
    count = len(encoded.words)
    randoms = _random_orders(encoded, parameters["random_orders"])
    ranked = [np.argsort(-attribution.words, kind="stable") for attribution in attributions]
    taken = [_taken(count, share) for share in SHARES]
    without = _masks([*ranked, *randoms, *(order[::-1] for order in ranked)], taken, count)
    alone = ~_masks([*ranked, *randoms], taken, count)
    logits = erased_logits(classifier, encoded, np.concatenate([without, alone]).reshape(-1, count), parameters["erase"])
    probabilities = _softmax(logits).reshape(-1, len(SHARES), logits.shape[-1])
    deleted, inserted = probabilities[: len(without)], probabilities[len(without) :]
    results = []
    for index, attribution in enumerate(attributions):
        target = attribution.target
        random = slice(len(ranked), len(ranked) + len(randoms))
        measures = _measures(deleted[index, :, target], inserted[index, :, target], deleted[random, :, target], inserted[random, :, target])
        measures["aopc_reverse"] = float(_aopc(deleted[len(ranked) + len(randoms) + index, :, target]))
        results.append(
            Faithfulness(
                method=attribution.method,
                target=target,
                parameters=dict(parameters),
                shares=np.array(SHARES),
                deletion=deleted[index, :, target],
                insertion=inserted[index, :, target],
                random_deletion=deleted[random, :, target],
                random_insertion=inserted[random, :, target],
                measures=measures,
                versions=versions(),
            )
        )
    return results


def _taken(count: int, share: float) -> int:
    """Return how many words a share is: at least one of any share above nothing."""
    return 0 if share == 0 else min(count, max(1, round(share * count)))


def _masks(orders: Sequence[Array], taken: Sequence[int], count: int) -> Array:
    """Return [orders, S, W] bool: the words that stay when the first ones of each order are taken."""
    kept = np.ones((len(orders), len(taken), count), bool)
    for row, order in zip(kept, orders, strict=True):
        for mask, number in zip(row, taken, strict=True):
            mask[order[:number]] = False
    return kept


def _random_orders(encoded: Encoded, count: int) -> list[Array]:
    """Return orders of the words that depend on the passage alone."""
    generator = generator_of(encoded)
    return [generator.permutation(len(encoded.words)) for _ in range(count)]


def _softmax(logits: Array) -> Array:
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    result: Array = shifted / shifted.sum(-1, keepdims=True)
    return result


def _measures(deletion: Array, insertion: Array, random_deletion: Array, random_insertion: Array) -> dict[str, Any]:
    """Return comprehensiveness and sufficiency per share and on average, for the method and for each random order."""
    whole, between = deletion[0], slice(1, -1)
    return {
        "comprehensiveness": (whole - deletion[between]).tolist(),
        "sufficiency": (whole - insertion[between]).tolist(),
        "aopc_comprehensiveness": float(_aopc(deletion)),
        "aopc_sufficiency": float(whole - insertion[between].mean()),
        "random_aopc_comprehensiveness": _aopc(random_deletion).tolist(),
        "random_aopc_sufficiency": (whole - random_insertion[:, between].mean(-1)).tolist(),
        "deletion_area": float(_area(deletion)),
        "insertion_area": float(_area(insertion)),
        "random_deletion_area": _area(random_deletion).tolist(),
        "random_insertion_area": _area(random_insertion).tolist(),
    }


def _aopc(deletion: Array) -> Array:
    """Return [...] the mean over the shares of what [..., S] deletion curves have lost."""
    result: Array = deletion[..., 0] - deletion[..., 1:-1].mean(-1)
    return result


def _area(curves: Array) -> Array:
    """Return [...] areas under [..., S] curves over the shares, by trapezoids."""
    result: Array = ((curves[..., 1:] + curves[..., :-1]) / 2 * np.diff(SHARES)).sum(-1)
    return result
