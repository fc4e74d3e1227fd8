"""The length of the gradient (Simonyan et al. 2013, arXiv:1312.6034; L2 as in Li et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gallery.methods import Method

if TYPE_CHECKING:
    from gallery.attribution.method import Parameters
    from gallery.model.classifier import Classifier
    from gallery.model.tokenized import Tokenized
    from gallery.store.records import Attribution


def gradient_norm(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Take the Euclidean length of each token's gradient.

    The numbers tell how sensitive the output is to a token, not in which direction. parameters: output.
    """
    from gallery.attribution.gradients import gradient_attributions

    return gradient_attributions(GRADIENT_NORM.name, lambda gradient, point: gradient.norm(dim=-1), classifier, batch, targets, parameters)


GRADIENT_NORM = Method(
    name="gradient_norm",
    title="gradient norm",
    question="which word the answer is most sensitive to",
    compute=gradient_norm,
    order=4,
    settings=("output",),
    signed=False,
    forward="1",
    backward="T",
    captum="Saliency",
)
