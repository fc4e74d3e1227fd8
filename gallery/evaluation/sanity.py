"""Do attributions depend on what the model has learned? Cascading randomisation (Adebayo et al. 2018, arXiv:1810.03292)."""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from gallery.attribution import METHODS
from gallery.attribution.layers import encoder_layers
from gallery.errors import SourceError
from gallery.evaluation.metrics import rank_correlation
from gallery.model.classifier import Classifier, versions
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array, Sanity


def sanity(classifier: Classifier, tokenized: Tokenized, target: int, methods: Mapping[str, Mapping[str, Any]], done: Callable[[str], None]) -> list[Sanity]:
    """Return, for each method, how like its attributions of a passage remain as the model's weights are randomised from the top down.

    methods: name -> parameters, as `gallery.config.method_parameters` gives them. The classifier's head goes first, then
    the encoder's layers from the last to the first, then the embeddings; weights are drawn anew with each
    parameter's own mean and spread, so that only what was learned is lost. The classifier given stays as it is.
    `done` is called with the name of each step. Cost: (layers + 3) times each method, with a copy of the model in memory.
    """

    def explained(by: Classifier) -> dict[str, Array]:
        return {name: np.abs(METHODS[name](by, [tokenized], [[target]], parameters)[0][0].words) for name, parameters in methods.items()}

    steps = ["nothing"]
    found = [explained(classifier)]
    done(steps[0])
    model = copy.deepcopy(classifier.model)
    layer = model.get_submodule(classifier.layer_name)
    generator = torch.Generator().manual_seed(0)
    for step, modules in _cascade(model, replace(classifier, model=model, layer=layer)):
        for module in modules:
            _randomise(module, generator)
        steps.append(step)
        found.append(explained(replace(classifier, model=model, layer=layer)))  # made anew, since a classifier keeps its rearranged weights
        done(step)
    return [
        Sanity(
            method=name,
            target=target,
            parameters=dict(parameters),
            steps=tuple(steps),
            correlations=np.array([1.0, *(rank_correlation(found[0][name], one[name]) for one in found[1:])]),
            versions=versions(),
        )
        for name, parameters in methods.items()
    ]


def _cascade(model: nn.Module, classifier: Classifier) -> Iterator[tuple[str, list[nn.Module]]]:
    """Yield what is randomised in each step, from the output to the input."""
    base: Any = classifier.model.base_model
    try:
        layers = list(encoder_layers(classifier))
    except SourceError:  # ALBERT: one layer, run many times
        layers = []
    inside = {id(module) for module in base.modules()}
    head = [child for child in model.children() if id(child) not in inside]
    pooler = getattr(base, "pooler", None)
    yield "classifier", [*head, *([pooler] if pooler is not None else [])]
    for number in range(len(layers) - 1, -1, -1):
        yield f"layer {number + 1}", [layers[number]]
    if not layers:
        yield "layers", [base.encoder]
    yield "embeddings", [classifier.layer]


@torch.no_grad()
def _randomise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw every parameter anew, with its own mean and standard deviation."""
    for parameter in module.parameters():
        values = parameter.float()
        spread = float(values.std()) if values.numel() > 1 else 0.0
        drawn = torch.randn(parameter.shape, generator=generator) * spread + float(values.mean())
        parameter.copy_(drawn.to(parameter.device, parameter.dtype))
