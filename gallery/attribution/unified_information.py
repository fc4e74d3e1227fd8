"""How many bits of each word every layer keeps (Guan et al. 2019, "Towards a Deep and Unified Understanding of Deep Neural Models in NLP", ICML)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gallery.attribution.erasure import generator_of
from gallery.attribution.layers import encoder_layers, hidden_states
from gallery.attribution.outputs import Parameters, plain_attribution
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array, Attribution

ROUNDS = 60
"""Steps of Adam for each layer."""
NOISES = 2
"""Noisy copies of the passage in each step."""
RATE = 0.1
"""What an e-fold more noise in one token is worth, in units of the mean squared change of the state."""


def unified_information(
    classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters
) -> list[list[Attribution]]:
    """Find, for each layer, how much noise every token's embedding takes before the layer's state is lost.

    For each token a noise of standard deviation s is sought that is as large as it can be while the layer's state
    stays: the loss is |state(x + noise) - state(x)|^2, relative to the state's variance, less RATE times the mean of
    log s. What is kept of a token is log2(largest s / s) bits per embedding dimension: 0 where noise as strong as
    the embeddings themselves goes unnoticed. A word has the sum of its pieces. Without sign, and the same for every class;
    `layers` [layers, W] holds each layer, `tokens` their mean.
    Cost: per layer ROUNDS x NOISES forward and backward passes up to it: about 60 x layers full ones of each, a passage.
    """
    results = []
    for tokenized, wanted in zip(batch, targets, strict=True):
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
                for target in wanted
            ]
        )
    return results


def _bits(classifier: Classifier, tokenized: Tokenized) -> Array:
    """Return [layers, T] float64 bits per embedding dimension."""
    inputs = classifier.batch([tokenized.ids])
    point = classifier.embed(inputs).float()
    widest = point.std()
    noise_of = torch.Generator().manual_seed(int(generator_of(tokenized).integers(2**31)))
    kept = []
    for layer, state in enumerate(hidden_states(classifier, tokenized.ids)):
        scale = state.float().var().clamp(min=1e-12)
        free = torch.zeros(len(tokenized.ids), 1, device=classifier.device, requires_grad=True)
        adam = torch.optim.Adam([free], lr=0.2)
        for _ in range(ROUNDS):
            noise = torch.randn((NOISES, *point.shape[1:]), generator=noise_of).to(classifier.device)
            share = free.sigmoid()
            found = _state_after(classifier, inputs, (point + share * widest * noise).to(classifier.dtype), layer)
            loss = ((found.float() - state.float()) ** 2).mean() / scale - RATE * share.log().mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
        kept.append(-torch.log2(free.detach().sigmoid())[:, 0].double().cpu().numpy())
    return np.stack(kept)


def _state_after(classifier: Classifier, inputs: dict[str, Tensor], points: Tensor, layer: int) -> Tensor:
    """Return [B, T, H] the output of a layer for embeddings [B, T, H]."""
    if classifier.encoder is not None:
        return classifier.encoder.state_after(points, layer)
    caught: list[Tensor] = []

    def catch(module: object, args: object, output: Tensor | tuple[Tensor, ...]) -> None:
        caught.append(output[0] if isinstance(output, tuple) else output)

    handle = encoder_layers(classifier)[layer].register_forward_hook(catch)
    try:
        with classifier.from_embeddings(inputs) as run:
            run(points)
    finally:
        handle.remove()
    return caught[0]
