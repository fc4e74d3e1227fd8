"""Occlusion (Zeiler & Fergus 2014, arXiv:1311.2901), word by word."""

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


def occlusion(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Return, for each word, the fall of the output when the word is erased.

    parameters: erase `mask` | `pad`, the token that replaces the word.
    """
    from gallery.attribution.erasure import erased_logits, spread_words
    from gallery.attribution.outputs import output_values, plain_attribution

    results = []
    for tokenized, own_targets in zip(batch, targets, strict=True):
        count = len(tokenized.words)
        kept = np.vstack([np.ones((1, count), bool), ~np.eye(count, dtype=bool)])
        outputs = output_values(erased_logits(classifier, tokenized, kept, parameters["erase"]), parameters["output"])
        results.append(
            [
                plain_attribution(
                    classifier,
                    tokenized,
                    OCCLUSION.name,
                    target,
                    parameters,
                    spread_words(tokenized, outputs[0, target] - outputs[1:, target]),
                    float(outputs[0, target]),
                    passes=count + 1,
                )
                for target in own_targets
            ]
        )
    return results


OCCLUSION = Method(
    name="occlusion",
    title="occlusion",
    question="what is lost when one word is covered",
    compute=occlusion,
    order=5,
    settings=("output", "erase"),
    forward="W + 1",
    captum="FeatureAblation",
)
