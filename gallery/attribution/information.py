"""Bits of each token that a layer keeps, measured by the noise that the token's embedding takes (Guan et al. 2019, ICML)."""

import numpy as np
import torch

from gallery.attribution.erasure import generator_of
from gallery.model.classifier import Classifier
from gallery.model.layers import hidden_states, state_after
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array

ROUNDS = 60
"""Steps of Adam for each layer."""
NOISES = 2
"""Noisy copies of the passage in each step."""
RATE = 0.1
"""Weight of the logarithm of the noise against the mean squared change of the state."""


def kept_bits(classifier: Classifier, tokenized: Tokenized) -> Array:
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
