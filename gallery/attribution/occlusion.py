"""Occlusion (Zeiler & Fergus 2014, arXiv:1311.2901), word by word."""

from collections.abc import Sequence

import numpy as np

from gallery.attribution.erasure import erased_logits, spread_words
from gallery.attribution.outputs import Parameters, output_values, plain_attribution
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.records import Attribution


def occlusion(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Return, for each word, the fall of the output when the word is erased.

    parameters: erase `mask` | `pad`, the token that replaces the word. Cost: one forward pass for each word and one for the
    whole passage, which serve all targets; no backward pass.
    """
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
                    "occlusion",
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
