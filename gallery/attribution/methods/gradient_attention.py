"""Gradient ⊙ attention (Chefer et al. 2021, ICCV, arXiv:2103.15679): attention weighed by what each weight does for the class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gallery.methods import Method

if TYPE_CHECKING:
    from gallery.attribution.method import Parameters
    from gallery.model.classifier import Classifier
    from gallery.model.tokenized import Tokenized
    from gallery.store.records import Attribution


def gradient_attention(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Return the tokens' relevance for the token that the classifier reads.

    In each layer the weights are multiplied by their gradients of the target's output; what is negative is dropped, heads are
    averaged: Ā = mean((∇A ⊙ A)⁺). From the first layer on, R ← R + Ā R, beginning with R = I. The relevance is the first row of
    R - I. Without sign: a word that speaks against the class has none. parameters: output.
    """
    from gallery.attribution.gradient_attention import relevance
    from gallery.attribution.outputs import plain_attribution

    results = []
    for tokenized, classes in zip(batch, targets, strict=True):
        rows, outputs = relevance(classifier, tokenized, classes, parameters["output"])
        results.append(
            [
                plain_attribution(classifier, tokenized, GRADIENT_ATTENTION.name, target, parameters, row, float(outputs[target]), passes=1)
                for target, row in zip(classes, rows, strict=True)
            ]
        )
    return results


GRADIENT_ATTENTION = Method(
    name="gradient_attention",
    title="gradient ⊙ attention",
    question="along which attention a word has helped this class",
    compute=gradient_attention,
    order=12,
    settings=("output",),
    signed=False,
    forward="1",
    backward="T",
)
