"""Gradient ⊙ attention, against Chefer's rule by hand, with gradients by finite differences of a network written out here."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import torch

from gallery.attribution.attribute import attribute
from gallery.methods import method_of
from gallery.model.classifier import Classifier
from tests.support.classifiers import load, parameters


def written_out(classifier: Classifier, ids: tuple[int, ...], given: dict[int, torch.Tensor] | None = None) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return a BERT's logits [C] in float64, and the attention weights [4, T, T] of each layer; those `given` stand in for a layer's own."""
    bert, kept = classifier.model.bert, []
    x = bert.embeddings(input_ids=torch.tensor([ids])).detach()[0].double()

    def linear(module: torch.nn.Linear, value: torch.Tensor) -> torch.Tensor:
        return value @ module.weight.double().T + module.bias.double()

    def norm(module: torch.nn.LayerNorm, value: torch.Tensor) -> torch.Tensor:
        centred = value - value.mean(-1, keepdim=True)
        return centred / (centred.pow(2).mean(-1, keepdim=True) + module.eps).sqrt() * module.weight.double() + module.bias.double()

    for number, layer in enumerate(bert.encoder.layer):
        own = layer.attention.self
        q, k, v = (linear(module, x).view(len(ids), 4, 8).transpose(0, 1) for module in (own.query, own.key, own.value))
        attention = (q @ k.transpose(1, 2) / 8**0.5).softmax(-1) if number not in (given or {}) else given[number]
        kept.append(attention)
        mixed = (attention @ v).transpose(0, 1).reshape(len(ids), 32)
        x = norm(layer.attention.output.LayerNorm, linear(layer.attention.output.dense, mixed) + x)
        x = norm(layer.output.LayerNorm, linear(layer.output.dense, torch.nn.functional.gelu(linear(layer.intermediate.dense, x))) + x)
    return linear(classifier.model.classifier, torch.tanh(linear(bert.pooler.dense, x[0]))), kept


def test_the_numbers_are_chefers_rule_by_hand(tiny: Callable[[str], Path]) -> None:
    classifier, target, step = load(tiny("bert")), 1, 1e-4
    tokenized = classifier.tokenize("никто не ждал")
    logits, weights = written_out(classifier, tokenized.ids)
    np.testing.assert_allclose(logits, classifier.logits([tokenized.ids])[0], atol=1e-5)
    count = len(tokenized.ids)
    total = np.eye(count)
    for layer in range(3):
        helping = np.zeros((count, count))
        for head, i, j in product(range(4), range(count), range(count)):
            ends = []
            for sign in (1, -1):
                moved = weights[layer].clone()
                moved[head, i, j] += sign * step
                ends.append(written_out(classifier, tokenized.ids, {layer: moved})[0][target])  # the layers above attend anew
            helping[i, j] += max(0.0, float((ends[0] - ends[1]) / (2 * step)) * float(weights[layer][head, i, j])) / 4
        total = total + helping @ total
    [[ours]] = attribute(method_of("gradient_attention"), classifier, [tokenized], [[target]], parameters("gradient_attention"))
    expected = total[0] - np.eye(count)[0]
    np.testing.assert_allclose(ours.tokens, expected, atol=1e-4 * expected.max())
