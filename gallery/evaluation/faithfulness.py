"""Faithfulness of an attribution: the probability of the explained class as words are erased in the attribution's order."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gallery.attribution.erasure import erased_logits, generator_of
from gallery.evaluation.metrics import KEPT, TAKEN, aopc, area
from gallery.model.classifier import Classifier, versions
from gallery.model.tokenized import Tokenized
from gallery.softmax import probabilities_of
from gallery.store.records import Array, Attribution, Chance, Faithfulness

SHARES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of the words at which the curves are computed; comprehensiveness and sufficiency use those between 0 and 1."""


def faithfulness(classifier: Classifier, tokenized: Tokenized, attributions: Sequence[Attribution], parameters: Mapping[str, Any]) -> list[Faithfulness]:
    """Return, for each attribution of a passage, the probabilities without its first words and with them alone.

    The order is by signed contribution to the explained class, largest first. Comprehensiveness (the fall of the probability
    without the first words) and sufficiency (its fall with them alone) as in ERASER (DeYoung et al. 2020, arXiv:1911.03429);
    the area over the perturbation curve (AOPC) is their mean over the shares. The AOPC of the reversed order is for
    `gallery.evaluation.metrics.normalised_aopc`.
    parameters: erase `mask` | `pad`; products `auto`, in bfloat16 where that is faster, or `float32`. The whole passage, the passage
    without any word, and the shares that pages name (TAKEN erased, KEPT kept) are in float32 in any case. measures["rounding"] is the
    largest difference of a probability between the two where both were computed; elsewhere it may be larger.
    Cost: 15 forward passes for each attribution, 2 for the ends, and 2 more for each attribution where products are in bfloat16.
    """
    ranked = [np.argsort(-attribution.words, kind="stable") for attribution in attributions]
    exact = np.zeros((3 * len(ranked), len(SHARES)), bool)
    exact[: len(ranked), SHARES.index(TAKEN)] = exact[2 * len(ranked) :, SHARES.index(KEPT)] = True
    probabilities, rounding = _probabilities(classifier, tokenized, [*ranked, *(order[::-1] for order in ranked)], ranked, parameters, exact)
    results = []
    for index, attribution in enumerate(attributions):
        absent = {"absent": True} if attribution.absent else {}
        deletion, reverse, insertion = (probabilities[index + part * len(ranked), :, attribution.target] for part in range(3))
        results.append(
            Faithfulness(
                method=attribution.method,
                target=attribution.target,
                parameters=dict(parameters),
                shares=np.array(SHARES),
                deletion=deletion,
                insertion=insertion,
                measures={**_measures(deletion, insertion), "aopc_reverse": float(aopc(deletion[0], reverse)), "rounding": rounding, **absent},
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
    exact = np.zeros((2 * len(orders), len(SHARES)), bool)
    probabilities, _ = _probabilities(classifier, tokenized, orders, orders, parameters, exact)
    return Chance(dict(parameters), np.array(SHARES), probabilities[: len(orders)], probabilities[len(orders) :], versions())


def _probabilities(
    classifier: Classifier, tokenized: Tokenized, without: Sequence[Array], alone: Sequence[Array], parameters: Mapping[str, Any], exact: Array
) -> tuple[Array, float]:
    """Return probabilities [orders, S, C], and the largest difference by bfloat16 products where they were computed without it too.

    The rows: without the first words of the orders `without`, then with the first words of the orders `alone`. exact [orders, S] bool:
    probabilities to compute in the model's own number format; those of all words and of no word are in any case.
    """
    count = len(tokenized.words)
    numbers = [_number_of(count, share) for share in SHARES]
    kept = np.concatenate([_masks(without, numbers, count), ~_masks(alone, numbers, count)]).reshape(-1, count)
    in_bf16 = parameters["products"] == "auto" and classifier.bf16_encoder is not None
    probabilities = probabilities_of(erased_logits(classifier, tokenized, kept, parameters["erase"], in_bf16), classifier.card.problem)
    rounding = 0.0
    if in_bf16 and len(kept):
        again = np.flatnonzero(exact.reshape(-1) | kept.all(1) | ~kept.any(1))
        own = probabilities_of(erased_logits(classifier, tokenized, kept[again], parameters["erase"]), classifier.card.problem)
        rounding = float(np.abs(own - probabilities[again]).max(initial=0.0))
        probabilities[again] = own
    return probabilities.reshape(-1, len(SHARES), probabilities.shape[-1]), rounding


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
