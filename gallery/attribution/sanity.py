"""Do attributions depend on what the model has learned? Cascading randomisation (Adebayo et al. 2018, arXiv:1810.03292)."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from gallery.attribution import METHODS
from gallery.attribution.layers import encoder_layers
from gallery.classifier import Classifier, Encoded
from gallery.records import Array


@dataclass(frozen=True)
class Sanity:
    """How like a method's attributions remain when the model's weights are randomised from the top down."""

    method: str
    randomised: str
    """What was randomised in this step, besides all steps before it; `nothing` first."""
    correlations: Array
    """[passages] Spearman's rank correlation of the words' magnitudes with those of the trained model: 1 where the
    method does not notice, near 0 where it answers to what was learned."""


def sanity(classifier: Classifier, batch: Sequence[Encoded], targets: Sequence[int], methods: Mapping[str, Mapping[str, Any]]) -> Iterator[Sanity]:
    """Yield, for each method and each step of randomisation, how like its attributions remain.

    methods: name -> parameters, as `gallery.config.method_parameters` gives them. The classifier's head goes first, then
    the encoder's layers from the last to the first, then the embeddings; weights are drawn anew with each
    parameter's own mean and spread, so that only what was learned is lost. The classifier given stays as it is.
    Cost: (layers + 3) times each method, with a copy of the model in memory.
    """
    wanted = [[target] for target in targets]
    trained = {name: [found[0].words for found in METHODS[name](classifier, batch, wanted, parameters)] for name, parameters in methods.items()}
    for name in methods:
        yield Sanity(name, "nothing", np.ones(len(batch)))
    model = copy.deepcopy(classifier.model)
    layer = model.get_submodule(classifier.layer_name)
    generator = torch.Generator().manual_seed(0)
    for step, modules in _cascade(model, replace(classifier, model=model, layer=layer)):
        for module in modules:
            _randomise(module, generator)
        changed = replace(classifier, model=model, layer=layer)  # made anew, since a classifier keeps its rearranged weights
        for name, parameters in methods.items():
            found = [one[0].words for one in METHODS[name](changed, batch, wanted, parameters)]
            yield Sanity(name, step, np.array([rank_correlation(np.abs(a), np.abs(b)) for a, b in zip(trained[name], found, strict=True)]))


def rank_correlation(first: Array, second: Array) -> float:
    """Return Spearman's rho of two arrays, ties sharing their mean rank; 0 where one is constant."""
    a, b = _ranks(first), _ranks(second)
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / spread if spread else 0.0


def _ranks(values: Array) -> Array:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Array = (last - (counts - 1) / 2)[place]
    return ranks


def _cascade(model: nn.Module, classifier: Classifier) -> Iterator[tuple[str, list[nn.Module]]]:
    """Yield what is randomised in each step, from the output to the input."""
    base: Any = classifier.model.base_model
    layers = list(encoder_layers(classifier))
    inside = {id(module) for module in base.modules()}
    head = [child for child in model.children() if id(child) not in inside]
    pooler = getattr(base, "pooler", None)
    yield "classifier", [*head, *([pooler] if pooler is not None else [])]
    for number in range(len(layers) - 1, -1, -1):
        yield f"layer {number + 1}", [layers[number]]
    yield "embeddings", [classifier.layer]


@torch.no_grad()
def _randomise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw every parameter anew, with its own mean and standard deviation."""
    for parameter in module.parameters():
        values = parameter.float()
        spread = float(values.std()) if values.numel() > 1 else 0.0
        drawn = torch.randn(parameter.shape, generator=generator) * spread + float(values.mean())
        parameter.copy_(drawn.to(parameter.device, parameter.dtype))
