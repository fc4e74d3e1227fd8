"""Faithfulness of an attribution: the probability of the explained class as words are erased in the attribution's order."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gallery.attribution.erasure import erased_logits, generator_of
from gallery.evaluation.metrics import KEPT, STEPS, TAKEN, aopc, area, number_of
from gallery.model.classifier import Classifier, versions
from gallery.model.tokenized import Tokenized
from gallery.softmax import probabilities_of
from gallery.store.records import Array, Attribution, Chance, Faithfulness

SHARES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of the words at which the curves are computed; comprehensiveness and sufficiency use those between 0 and 1."""
_COARSE = [STEPS.index(share) for share in SHARES]


def faithfulness(classifier: Classifier, tokenized: Tokenized, attributions: Sequence[Attribution], parameters: Mapping[str, Any]) -> list[Faithfulness]:
    """Return, for each attribution of a passage, the probabilities without its first words and with them alone.

    The order is by signed contribution to the explained class, largest first. Comprehensiveness (the fall of the probability
    without the first words) and sufficiency (its fall with them alone) as in ERASER (DeYoung et al. 2020, arXiv:1911.03429);
    the area over the perturbation curve (AOPC) is their mean over the shares. The AOPC of the reversed order is kept too.
    parameters: erase `mask` | `pad`; products `auto`, in bfloat16 where that is faster, or `float32`. The whole passage, the passage
    without any word, and the shares that pages name (TAKEN erased, KEPT kept) are in float32 in any case. measures["rounding"] is the
    largest difference of a probability between the two where both were computed; elsewhere it may be larger.
    Cost: 25 forward passes for each attribution, 2 for the ends, and 2 more for each attribution where products are in bfloat16.
    """
    if not attributions:
        return []
    count, ranked = len(tokenized.words), [np.argsort(-attribution.words, kind="stable") for attribution in attributions]
    fine, coarse = ([number_of(count, share) for share in shares] for shares in (STEPS, SHARES))
    rows = [_masks(ranked, fine, count), ~_masks(ranked, fine, count), _masks([order[::-1] for order in ranked], coarse, count)]
    exact = [np.zeros(masks.shape[:2], bool) for masks in rows]
    exact[0][:, STEPS.index(TAKEN)] = exact[1][:, STEPS.index(KEPT)] = True
    (without, alone, reversed_orders), rounding = _probabilities(classifier, tokenized, rows, parameters, exact)
    results = []
    for index, attribution in enumerate(attributions):
        absent = {"absent": True} if attribution.absent else {}
        deletion, insertion = (curves[index][_COARSE, attribution.target] for curves in (without, alone))
        reverse = reversed_orders[index, :, attribution.target]
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
                steps=np.array(STEPS),
                without=without[index],
                alone=alone[index],
            )
        )
    return results


def chance(classifier: Classifier, tokenized: Tokenized, parameters: Mapping[str, Any]) -> Chance:
    """Return the probabilities as words are erased in random orders, which serve all methods and classes.

    parameters: erase `mask` | `pad`; products as in `faithfulness`; random_orders. Cost: 10 forward passes for each order, and 2 for the ends.
    """
    orders, numbers = random_orders(tokenized, parameters["random_orders"]), [number_of(len(tokenized.words), share) for share in SHARES]
    masks = _masks(orders, numbers, len(tokenized.words))
    (deletion, insertion), _ = _probabilities(classifier, tokenized, [masks, ~masks], parameters)
    return Chance(dict(parameters), np.array(SHARES), deletion, insertion, versions())


def random_orders(tokenized: Tokenized, count: int) -> list[Array]:
    """Return random orders [W] of a passage's words, the same for the same text; a longer list begins with the shorter."""
    generator = generator_of(tokenized)
    return [generator.permutation(len(tokenized.words)) for _ in range(count)]


def _probabilities(
    classifier: Classifier, tokenized: Tokenized, rows: Sequence[Array], parameters: Mapping[str, Any], exact: Sequence[Array] = ()
) -> tuple[list[Array], float]:
    """Return probabilities [orders, shares, C] for each element of `rows`, and the largest difference by bfloat16 products that was seen.

    rows: masks [orders, shares, W] of the words that remain. exact: for each of them [orders, shares] bool, the probabilities to compute
    in the model's own number format; those of all words and of no word are in any case. The difference is taken where both were computed.
    """
    shapes = [masks.shape[:2] for masks in rows]
    kept = np.concatenate([masks.reshape(-1, masks.shape[-1]) for masks in rows])
    in_bf16 = parameters["products"] == "auto" and classifier.bf16_encoder is not None
    probabilities = probabilities_of(erased_logits(classifier, tokenized, kept, parameters["erase"], in_bf16), classifier.card.problem)
    rounding = 0.0
    if in_bf16 and len(kept):
        asked = np.concatenate([flags.reshape(-1) for flags in exact]) if exact else np.zeros(len(kept), bool)
        again = np.flatnonzero(asked | kept.all(1) | ~kept.any(1))
        own = probabilities_of(erased_logits(classifier, tokenized, kept[again], parameters["erase"]), classifier.card.problem)
        rounding = float(np.abs(own - probabilities[again]).max(initial=0.0))
        probabilities[again] = own
    ends = np.cumsum([orders * shares for orders, shares in shapes])
    parts = np.split(probabilities, ends[:-1])
    return [part.reshape(*shape, -1) for part, shape in zip(parts, shapes, strict=True)], rounding


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
