"""The gradient at the passage itself: multiplied by the input, or its length."""

from collections.abc import Sequence

import torch

from gallery.attribution.outputs import Parameters, class_outputs, plain_attribution
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.records import Attribution


def gradient_x_input(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Return each token's gradient times its embedding, summed over dimensions (Shrikumar et al. 2016, arXiv:1605.01713).

    Signed; adds up to the change of the output only where the model is linear. Cost: one forward pass, and one backward pass per target.
    """
    return [_gradients(classifier, tokenized, own_targets, parameters, "gradient_x_input") for tokenized, own_targets in zip(batch, targets, strict=True)]


def gradient_norm(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Return the Euclidean length of each token's gradient (Simonyan et al. 2013, arXiv:1312.6034; L2 as in Li et al. 2016).

    Without sign: how sensitive the output is to the token, not in which direction. Cost: one forward pass, and one backward pass per target.
    """
    return [_gradients(classifier, tokenized, own_targets, parameters, "gradient_norm") for tokenized, own_targets in zip(batch, targets, strict=True)]


def _gradients(classifier: Classifier, tokenized: Tokenized, targets: Sequence[int], parameters: Parameters, method: str) -> list[Attribution]:
    inputs = classifier.batch([tokenized.ids])
    point = classifier.embed(inputs).requires_grad_(True)
    results = []
    with torch.enable_grad(), classifier.from_embeddings(inputs) as run:
        outputs = class_outputs(run(point).float(), parameters["output"])[0]
        for target in targets:
            (gradient,) = torch.autograd.grad(outputs[target], point, retain_graph=True)
            gradient = gradient[0].double()
            tokens = gradient.norm(dim=-1) if method == "gradient_norm" else (gradient * point[0].detach().double()).sum(-1)
            results.append(
                plain_attribution(classifier, tokenized, method, target, parameters, tokens.cpu().numpy(), float(outputs[target].detach()), passes=1)
            )
    return results
