"""Attention rollout (Abnar & Zuidema 2020, arXiv:2005.00928) as an attribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gallery.methods import Method

if TYPE_CHECKING:
    from gallery.attribution.method import Parameters
    from gallery.model.classifier import Classifier
    from gallery.model.tokenized import Tokenized
    from gallery.store.records import Attribution


def attention_rollout(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Follow attention from the token that the classifier reads down to the passage, as if attention alone mixed the tokens.

    The numbers tell where information may have flowed, not what it argued for. All attention weights are in memory at once.
    """
    from gallery.attribution.outputs import plain_attribution
    from gallery.attribution.rollout import rollout

    results = []
    for tokenized, classes in zip(batch, targets, strict=True):
        flow, logits = rollout(classifier, tokenized)
        tokens = flow[0].double().cpu().numpy()
        results.append(
            [plain_attribution(classifier, tokenized, ATTENTION_ROLLOUT.name, target, parameters, tokens, float(logits[target]), 1) for target in classes]
        )
    return results


ATTENTION_ROLLOUT = Method(
    name="attention_rollout",
    title="attention rollout",
    question="from where attention may have brought information",
    compute=attention_rollout,
    order=5,
    signed=False,
    by_class=False,
)
