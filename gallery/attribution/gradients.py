"""The gradient of a class's output at the passage itself."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gallery.attribution.method import Parameters
from gallery.attribution.outputs import class_outputs, plain_attribution
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.records import Attribution


def gradient_attributions(
    method: str,
    number: Callable[[Tensor, Tensor], Tensor],
    classifier: Classifier,
    batch: Sequence[Tokenized],
    targets: Sequence[Sequence[int]],
    parameters: Parameters,
) -> list[list[Attribution]]:
    """Return, for each passage and target, the attribution that `number` makes of the gradient [T, H] and the embeddings [T, H].

    number returns [T]. Cost: one forward pass for each passage, and one backward pass for each target.
    """
    results = []
    for tokenized, classes in zip(batch, targets, strict=True):
        gradients, point, outputs = gradients_at(classifier, tokenized, classes, parameters["output"])
        tokens = [number(gradient, point).cpu().numpy() for gradient in gradients]
        results.append(
            [
                plain_attribution(classifier, tokenized, method, target, parameters, values, float(outputs[target]), passes=1)
                for target, values in zip(classes, tokens, strict=True)
            ]
        )
    return results


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
