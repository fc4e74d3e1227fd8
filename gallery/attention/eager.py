"""Attention weights as transformers' own eager attention computes them; sdpa, the default, returns none."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gallery.compat.transformers import attention_by
from gallery.model.classifier import Classifier


@torch.no_grad()
def eager_attention(classifier: Classifier, ids: Sequence[int], take: Callable[[int, Tensor], None]) -> Tensor:
    """Run a passage through the model with eager attention; return its logits [C], float32.

    take(layer, weights) gets each layer's number, from 0, and its weights [H, T, T], float32, as the model computes them. The
    model drops them at once, so that no more than one layer's weights are in memory.
    Raises ArithmeticError where the number of layers with weights is not the model's.
    """
    shape = (1, classifier.card.heads, len(ids), len(ids))
    number = 0

    def watch(module: Any, arguments: Any, output: Any) -> Any:
        nonlocal number
        if not isinstance(output, tuple):
            return None
        for index, part in enumerate(output):
            if isinstance(part, Tensor) and part.shape == shape and _rows_add_up(part):
                take(number, part[0].float())
                number += 1
                return (*output[:index], part[:, :, :0], *output[index + 1 :])
        return None

    handles = [module.register_forward_hook(watch) for module in classifier.model.modules()]
    try:
        with attention_by(classifier.model, "eager"):
            logits: Tensor = classifier.model(**classifier.batch([ids]), output_attentions=True).logits[0].float()
    finally:
        for handle in handles:
            handle.remove()
    if number != classifier.card.layers:
        raise ArithmeticError(
            f"eager attention returned the weights of {number} layers of {classifier.card.layers}; is the architecture {classifier.card.architecture} known?"
        )
    return logits


def _rows_add_up(weights: Tensor) -> bool:
    """Tell whether the first column of rows [1, H, T, T] looks like attention weights, whose rows add up to 1; NaN passes too."""
    return not bool(((weights[0, :, 0].float().sum(-1) - 1).abs() >= 1e-2).any())
