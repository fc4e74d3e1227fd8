"""Attention rollout (Abnar & Zuidema 2020, arXiv:2005.00928) as an attribution."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gallery.attention.eager import eager_attention
from gallery.attention.rollout import roll_on
from gallery.attribution.outputs import Parameters, plain_attribution
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.records import Attribution


def attention_rollout(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Return the tokens' shares in the token that the classifier reads, as if attention were all that mixes tokens.

    Without sign, and the same for every class: it shows where information may have flowed, not which class it speaks for.
    Cost: one forward pass, with the attention weights of one layer in memory; no backward pass.
    """
    results = []
    for tokenized, own_targets in zip(batch, targets, strict=True):
        rollout, logits = _rollout(classifier, tokenized)
        tokens = rollout[0].double().cpu().numpy()
        results.append(
            [plain_attribution(classifier, tokenized, "attention_rollout", target, parameters, tokens, float(logits[target]), 1) for target in own_targets]
        )
    return results


def _rollout(classifier: Classifier, tokenized: Tokenized) -> tuple[Tensor, Tensor]:
    """Return the rollout [T, T] of all layers, and logits [C]."""
    rollout = torch.eye(len(tokenized.ids), device=classifier.device)

    def add(number: int, weights: Tensor) -> None:
        nonlocal rollout
        rollout = roll_on(rollout, weights.mean(0))

    logits = eager_attention(classifier, tokenized.ids, add)
    return rollout, logits
