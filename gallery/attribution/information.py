"""The bits of each token that a layer keeps, by the noise that the token's embedding takes (Guan et al. 2019, ICML)."""

import numpy as np
import torch
from torch import Tensor

from gallery.attribution.erasure import generator_of
from gallery.attribution.layers import encoder_layers, hidden_states
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array

ROUNDS = 60
"""Steps of Adam for each layer."""
NOISES = 2
"""Noisy copies of the passage in each step."""
RATE = 0.1
"""What an e-fold more noise in one token is worth, in units of the mean squared change of the state."""


def kept_bits(classifier: Classifier, tokenized: Tokenized) -> Array:
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
