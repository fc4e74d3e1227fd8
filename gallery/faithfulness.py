"""Does an explanation tell the truth: take words out in its order, and watch the probability of the explained class."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gallery.attribution.erasure import erased_logits
from gallery.classifier import Classifier, Encoded, versions
from gallery.records import Array, Attribution, Faithfulness

SHARES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of the words at which the curves are known; comprehensiveness and sufficiency are taken at those between 0 and 1."""


def faithfulness(classifier: Classifier, encoded: Encoded, attributions: Sequence[Attribution], parameters: Mapping[str, Any]) -> list[Faithfulness]:
    """Return how each attribution of a passage fares, beside random orders of its words.

    Words are taken in the order of their signed contribution to the explained class, largest first. Comprehensiveness
    (what the probability loses without the first words) and sufficiency (what it loses with them alone) as in
    ERASER (DeYoung et al. 2020, arXiv:1911.03429); area over the perturbation curve (AOPC) as their mean over the
    shares; normalised between the best and worst order that a greedy search can find (Edin et al. 2024,
    arXiv:2408.08137).
    Cost: 10 forward passes an attribution; and once a passage 10 for each random order and 2 for the ends.
    """
    count = len(encoded.words)
    orders = _random_orders(encoded, parameters["random_orders"])
    ranked = [np.argsort(-attribution.words, kind="stable") for attribution in attributions]
    taken = [_taken(count, share) for share in SHARES]
    kept = np.array([_kept(order, number) for order in [*ranked, *orders] for number in taken]).reshape(-1, count)
    probabilities = _softmax(erased_logits(classifier, encoded, np.vstack([kept, ~kept]), parameters["erase"]))
    both = probabilities.reshape(2, len(ranked) + len(orders), len(SHARES), -1)
    results = []
    for index, attribution in enumerate(attributions):
        deletion, insertion = both[0, index, :, attribution.target], both[1, index, :, attribution.target]
        random = both[:, len(ranked) :, :, attribution.target]
        results.append(
            Faithfulness(
                method=attribution.method,
                target=attribution.target,
                parameters=dict(parameters),
                shares=np.array(SHARES),
                deletion=deletion,
                insertion=insertion,
                random_deletion=random[0],
                random_insertion=random[1],
                measures=_measures(deletion, insertion, random[0], random[1]),
                versions=versions(),
            )
        )
    return results


def _taken(count: int, share: float) -> int:
    """Return how many words a share is: at least one of any share above nothing."""
    return 0 if share == 0 else min(count, max(1, round(share * count)))


def _kept(order: Array, taken: int) -> Array:
    kept = np.ones(len(order), bool)
    kept[order[:taken]] = False
    return kept


def _random_orders(encoded: Encoded, count: int) -> list[Array]:
    """Return orders of the words that depend on the passage alone."""
    seed = int.from_bytes(hashlib.sha256(encoded.text.encode()).digest()[:8], "little")
    generator = np.random.default_rng(seed)
    return [generator.permutation(len(encoded.words)) for _ in range(count)]


def _softmax(logits: Array) -> Array:
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    result: Array = shifted / shifted.sum(-1, keepdims=True)
    return result


def _measures(deletion: Array, insertion: Array, random_deletion: Array, random_insertion: Array) -> dict[str, Any]:
    """Return comprehensiveness and sufficiency per share and on average, for the method and for each random order."""
    whole, between = deletion[0], slice(1, -1)
    lost, lost_alone = whole - deletion[between], whole - insertion[between]
    return {
        "comprehensiveness": [float(v) for v in lost],
        "sufficiency": [float(v) for v in lost_alone],
        "aopc_comprehensiveness": float(lost.mean()),
        "aopc_sufficiency": float(lost_alone.mean()),
        "random_aopc_comprehensiveness": [float(v) for v in (whole - random_deletion[:, between]).mean(-1)],
        "random_aopc_sufficiency": [float(v) for v in (whole - random_insertion[:, between]).mean(-1)],
        "deletion_area": float(_area(deletion)),
        "insertion_area": float(_area(insertion)),
        "random_deletion_area": [float(v) for v in _area(random_deletion)],
        "random_insertion_area": [float(v) for v in _area(random_insertion)],
    }


def _area(curves: Array) -> Array:
    """Return [...] areas under [..., S] curves over the shares, by trapezoids."""
    result: Array = ((curves[..., 1:] + curves[..., :-1]) / 2 * np.diff(SHARES)).sum(-1)
    return result
