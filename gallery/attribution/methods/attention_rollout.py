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
    """Return the tokens' shares in the token that the classifier reads, as if attention were all that mixes tokens.

    Without sign, and the same for every class: it shows where information may have flowed, not which class it speaks for.
    """
    from gallery.attribution.outputs import plain_attribution
    from gallery.attribution.rollout import rollout_of

    results = []
    for tokenized, own_targets in zip(batch, targets, strict=True):
        rollout, logits = rollout_of(classifier, tokenized)
        tokens = rollout[0].double().cpu().numpy()
        results.append(
            [plain_attribution(classifier, tokenized, ATTENTION_ROLLOUT.name, target, parameters, tokens, float(logits[target]), 1) for target in own_targets]
        )
    return results


ATTENTION_ROLLOUT = Method(
    name="attention_rollout",
    title="attention rollout",
    question="from where attention may have brought information",
    compute=attention_rollout,
    order=6,
    signed=False,
    by_class=False,
)
