"""Attention rollout (Abnar & Zuidema 2020, arXiv:2005.00928) of a whole passage."""

import torch
from torch import Tensor

from gallery.attention.eager import eager_attention
from gallery.attention.rollout import roll_on
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized


def rollout_of(classifier: Classifier, tokenized: Tokenized) -> tuple[Tensor, Tensor]:
    """Return the rollout [T, T] of all layers, and logits [C]."""
    rollout = torch.eye(len(tokenized.ids), device=classifier.device)

    def add(number: int, weights: Tensor) -> None:
        nonlocal rollout
        rollout = roll_on(rollout, weights.mean(0))

    logits = eager_attention(classifier, tokenized.ids, add)
    return rollout, logits
