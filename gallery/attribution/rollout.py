"""Attention rollout (Abnar & Zuidema 2020, arXiv:2005.00928)."""

import torch
from torch import Tensor

from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized


@torch.no_grad()
def rollout(classifier: Classifier, tokenized: Tokenized) -> tuple[Tensor, Tensor]:
    """Return [T, T] rollout, row i the shares of the input tokens in the last layer's token i; and [C] logits.

    Each layer is the mean of its heads with half the residual stream: (A + I) / 2.
    """
    model = classifier.model
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")  # sdpa returns no weights
    try:
        found = model(**classifier.batch([tokenized.ids]), output_attentions=True)
    finally:
        model.set_attn_implementation(before)
    length = len(tokenized.ids)
    flow = torch.eye(length, device=classifier.device)
    for weights in found.attentions:
        mean = weights[0].float().mean(0)
        flow = (mean + torch.eye(length, device=classifier.device)) / 2 @ flow
    return flow, found.logits[0].float()
