"""Bits of each word that every layer keeps.

Guan et al. 2019, "Towards a Deep and Unified Understanding of Deep Neural Models in NLP", ICML.
"""

from collections.abc import Sequence

import numpy as np
import torch

from gallery.attribution.erasure import generator_of
from gallery.attribution.outputs import Parameters, plain_attribution
from gallery.model.classifier import Classifier
from gallery.model.layers import hidden_states, state_after
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array, Attribution

ROUNDS = 60
"""Steps of Adam for each layer."""
NOISES = 2
"""Noisy copies of the passage in each step."""
RATE = 0.1
"""Weight of the logarithm of the noise against the mean squared change of the state."""


def unified_information(
    classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters
) -> list[list[Attribution]]:
    """Return, for each layer, how many bits of each token the layer keeps: the less noise the layer's state tolerates, the more.

    For each token the largest standard deviation s of noise is sought that leaves the layer's state as it is: the loss is
    |state(x + noise) - state(x)|², relative to the state's variance, less RATE times the mean of log s. A token keeps
    log2(largest s / s) bits per embedding dimension: 0 where noise as strong as the embeddings themselves changes nothing. A
    word has the sum of its pieces. Without sign, and the same for every class. `layers` [layers, W] holds each layer, `tokens`
    their mean.
    Cost: for each layer, ROUNDS x NOISES forward and backward passes up to that layer; for a passage, about 60 x layers whole
    passes of each kind.
    """
    results = []
    for tokenized, own_targets in zip(batch, targets, strict=True):
        bits = _bits(classifier, tokenized)
        logits = classifier.logits([tokenized.ids])[0]
        rounds = ROUNDS * NOISES * len(bits)
        results.append(
            [
                plain_attribution(
                    classifier,
                    tokenized,
                    "unified_information",
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


def _bits(classifier: Classifier, tokenized: Tokenized) -> Array:
    """Return bits per embedding dimension, float64 [layers, T]."""
    inputs = classifier.batch([tokenized.ids])
    point = classifier.embed(inputs).float()
    widest = point.std()
    noise_of = torch.Generator().manual_seed(int(generator_of(tokenized).integers(2**31)))
    bits = []
    for layer, state in enumerate(hidden_states(classifier, tokenized.ids)):
        scale = state.float().var().clamp(min=1e-12)
        free = torch.zeros(len(tokenized.ids), 1, device=classifier.device, requires_grad=True)
        adam = torch.optim.Adam([free], lr=0.2)
        for _ in range(ROUNDS):
            noise = torch.randn((NOISES, *point.shape[1:]), generator=noise_of).to(classifier.device)
            share = free.sigmoid()
            noisy = state_after(classifier, inputs, (point + share * widest * noise).to(classifier.dtype), layer)
            loss = ((noisy.float() - state.float()) ** 2).mean() / scale - RATE * share.log().mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
        bits.append(-torch.log2(free.detach().sigmoid())[:, 0].double().cpu().numpy())
    return np.stack(bits)
