"""Attention rollout (Abnar & Zuidema 2020, arXiv:2005.00928) as an attribution."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gallery.attribution.outputs import Parameters, plain_attribution
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.records import Attribution


def attention_rollout(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Follow attention from the token that the classifier reads down to the passage, as if it were all that mixes tokens.

    Without sign, and the same for every class: it tells where information may have flowed, not what it argued for.
    Cost: one forward pass, with all attention weights in memory; no backward pass.
    """
    results = []
    for tokenized, wanted in zip(batch, targets, strict=True):
        flow, logits = _rollout(classifier, tokenized)
        tokens = flow[0].double().cpu().numpy()
        results.append(
            [plain_attribution(classifier, tokenized, "attention_rollout", target, parameters, tokens, float(logits[target]), 1) for target in wanted]
        )
    return results


@torch.no_grad()
def _rollout(classifier: Classifier, tokenized: Tokenized) -> tuple[Tensor, Tensor]:
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
