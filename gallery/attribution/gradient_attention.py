"""Attention weights with their gradients, and the relevance that follows from both (Chefer et al. 2021, arXiv:2103.15679)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gallery.attribution.outputs import class_outputs
from gallery.compat.transformers import attention_by
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array


def relevance(classifier: Classifier, tokenized: Tokenized, targets: Sequence[int], output: str) -> tuple[list[Array], Tensor]:
    """Return the relevance [T] of the tokens for each target, and the outputs [C] of all classes.

    Cost: one forward pass with eager attention, whose weights are all kept, and one backward pass for each target.
    Raises ArithmeticError where the model returns no attention weights for some layer.
    """

    def from_here(module: Any, arguments: Any, embeddings: Any) -> Any:
        """Let gradients begin at the embeddings: the weights of a frozen model have none."""
        if isinstance(embeddings, tuple):
            return (embeddings[0].detach().requires_grad_(True), *embeddings[1:])
        return embeddings.detach().requires_grad_(True)

    handle = classifier.layer.register_forward_hook(from_here)
    try:
        with torch.enable_grad(), attention_by(classifier.model, "eager"):
            answer = classifier.model(**classifier.batch([tokenized.ids]), output_attentions=True)
            outputs = class_outputs(answer.logits.float(), output)[0]
    finally:
        handle.remove()
    weights = tuple(answer.attentions or ())
    if len(weights) != classifier.card.layers:
        raise ArithmeticError(f"gradient_attention needs the attention weights of {classifier.card.layers} layers; {len(weights)} were returned")
    rows = []
    for target in targets:
        gradients = torch.autograd.grad(outputs[target], weights, retain_graph=True, allow_unused=True)
        total = torch.eye(len(tokenized.ids), device=classifier.device, dtype=torch.float64)
        for layer, gradient in zip(weights, gradients, strict=True):
            if gradient is not None:
                total = total + (gradient * layer.detach())[0].double().clamp(min=0).mean(0) @ total
        total[0, 0] -= 1
        row: Array = total[0].cpu().numpy()
        rows.append(row)
    return rows, outputs.detach()
