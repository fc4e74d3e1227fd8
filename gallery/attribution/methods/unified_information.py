"""Bits of each word that every layer keeps (Guan et al. 2019, "Towards a Deep and Unified Understanding of Deep Neural Models in NLP", ICML)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gallery.methods import Method

if TYPE_CHECKING:
    from gallery.attribution.method import Parameters
    from gallery.model.classifier import Classifier
    from gallery.model.tokenized import Tokenized
    from gallery.store.records import Attribution


def unified_information(
    classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters
) -> list[list[Attribution]]:
    """Return, for each layer, how many bits of each token the layer keeps: the less noise the layer's state tolerates, the more.

    For each token the largest standard deviation s of noise is sought that leaves the layer's state as it is: the loss is
    |state(x + noise) - state(x)|², relative to the state's variance, less RATE times the mean of log s. A token keeps
    log2(largest s / s) bits per embedding dimension: 0 where noise as strong as the embeddings themselves changes nothing. A
    word has the sum of its pieces. Without sign, and the same for every class. `layers` [layers, W] holds each layer, `tokens`
    their mean.
    """
    from gallery.attribution.information import NOISES, ROUNDS, kept_bits
    from gallery.attribution.outputs import plain_attribution

    results = []
    for tokenized, own_targets in zip(batch, targets, strict=True):
        bits = kept_bits(classifier, tokenized)
        logits = classifier.logits([tokenized.ids])[0]
        rounds = ROUNDS * NOISES * len(bits)
        results.append(
            [
                plain_attribution(
                    classifier,
                    tokenized,
                    UNIFIED_INFORMATION.name,
                    target,
                    parameters,
                    bits.mean(0),
                    float(logits[target]),
                    rounds,
                    layers=tokenized.sum_words(bits),
                )
                for target in own_targets
            ]
        )
    return results


UNIFIED_INFORMATION = Method(
    name="unified_information",
    title="unified information",
    question="how much noise a word takes before a layer forgets it",
    compute=unified_information,
    order=8,
    signed=False,
    by_class=False,
    forward="about 60·L",
    backward="about 60·L",
    windows="mean of covering",
)
