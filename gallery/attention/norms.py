"""Norm-based attention (Kobayashi et al. 2020, EMNLP, arXiv:2004.10102): what the weights of attention hide.

A weight says how much a token is looked at, and not how much of it arrives: heads often look at a special token whose vector is close
to zero. The norm of the weighted, transformed vector says what arrives.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from gallery.errors import SourceError
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized

_AT_ONCE = 8_000_000
"""Numbers of summed vectors that are held at once."""


@torch.no_grad()
def norm_attention(classifier: Classifier, tokenized: Tokenized) -> Iterator[Tensor]:
    """Yield, for each layer, ‖Σ_h α_h(i, j) f_h(x_j)‖ with f_h(x) = (x W_V + b_V) W_O, float32 [T, T], rows scaled to add up to 1.

    The heads' vectors are added before the norm is taken, as in the paper's analysis of whole layers; the bias of W_O belongs to no token.
    Cost: one forward pass, and T² products of vectors as wide as the model in each layer.
    Raises SourceError where the maps of values and outputs are not known: the model has no fast encoder.
    """
    encoder = classifier.fast_encoder
    if encoder is None:
        raise SourceError(
            f"extra.gallery.attention.norms: the maps of values and outputs of {classifier.card.architecture} are not known, or its layer is `words`. "
            "Leave norms out."
        )
    states = encoder.project(classifier.embed(classifier.batch([tokenized.ids])))
    for layer in encoder.layers:
        _, length, width = states.shape
        queries, keys, values = layer.qkv(states)[0].float().view(length, 3, layer.heads, -1).permute(1, 2, 0, 3).unbind(0)  # [H, T, d] each
        weights = (queries @ keys.transpose(1, 2) * queries.shape[-1] ** -0.5).softmax(-1)
        out = layer.out.weight.float().view(-1, layer.heads, values.shape[-1])
        moved = torch.einsum("hjd,ohd->hjo", values, out)
        norms = torch.empty(length, length, device=states.device)
        step = max(1, _AT_ONCE // (length * width))
        for start in range(0, length, step):
            norms[start : start + step] = torch.einsum("hij,hjo->ijo", weights[:, start : start + step], moved).norm(dim=-1)
        yield norms / norms.sum(-1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
        states = layer(states, None)
