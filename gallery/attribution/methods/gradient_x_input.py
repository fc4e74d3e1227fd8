"""Gradient × input (Shrikumar et al. 2016, arXiv:1605.01713)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gallery.methods import Method

if TYPE_CHECKING:
    from gallery.attribution.method import Parameters
    from gallery.model.classifier import Classifier
    from gallery.model.tokenized import Tokenized
    from gallery.store.records import Attribution


def gradient_x_input(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Multiply each token's gradient by its embedding, and sum over the embedding's dimensions.

    The sums add up to the change of output only where the model is linear. parameters: output.
    """
    from gallery.attribution.gradients import gradient_attributions

    return gradient_attributions(GRADIENT_X_INPUT.name, lambda gradient, point: (gradient * point).sum(-1), classifier, batch, targets, parameters)


GRADIENT_X_INPUT = Method(
    name="gradient_x_input",
    title="gradient × input",
    question="how the answer would sink if a word were a little fainter",
    compute=gradient_x_input,
    order=3,
    settings=("output",),
    forward="1",
    backward="T",
    captum="LayerGradientXActivation",
)
