"""Attention rollout (Abnar & Zuidema 2020, arXiv:2005.00928) as an attribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gallery.methods import Method

if TYPE_CHECKING:
    from gallery.attribution.method import Parameters
    from gallery.model.classifier import Classifier
    from gallery.model.tokenized import Tokenized
    from gallery.store.records import Attribution


def attention_rollout(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Return the tokens' shares in the token that the classifier reads, as if attention were all that mixes tokens.

    Without sign, and the same for every class: it shows where information may have flowed, not which class it speaks for.
    Where the model shows no attention, the record is marked as absent.
    """
    from gallery.attention.eager import NoAttentionError
    from gallery.attribution.outputs import plain_attribution
    from gallery.attribution.rollout import rollout_of

    results = []
    for tokenized, own_targets in zip(batch, targets, strict=True):
        absent: dict[str, str] = {}
        try:
            rollout, logits = rollout_of(classifier, tokenized)
            tokens = rollout[0].double().cpu().numpy()
        except NoAttentionError as error:
            absent, logits, tokens = {"absent": error.why}, classifier.logits([tokenized.ids])[0], np.zeros(len(tokenized.ids))
        results.append(
            [
                plain_attribution(classifier, tokenized, ATTENTION_ROLLOUT.name, target, parameters, tokens, float(logits[target]), 1, absent)
                for target in own_targets
            ]
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
