"""The gradient of a class's output at the passage itself."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gallery.attribution.outputs import class_outputs
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized


def gradients_at(classifier: Classifier, tokenized: Tokenized, targets: Sequence[int], output: str) -> tuple[list[Tensor], Tensor, Tensor]:
    """Return the gradient [T, H] of each target's output, the embeddings [T, H], both float64, and the outputs [C] of all classes.

    Cost: one forward pass, and one backward pass for each target.
    """
    inputs = classifier.batch([tokenized.ids])
    point = classifier.embed(inputs).requires_grad_(True)
    with torch.enable_grad(), classifier.from_embeddings(inputs) as run:
        outputs = class_outputs(run(point).float(), output)[0]
        gradients = [torch.autograd.grad(outputs[target], point, retain_graph=True)[0][0].double() for target in targets]
    return gradients, point[0].detach().double(), outputs.detach()
