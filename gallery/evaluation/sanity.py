"""Whether attributions depend on what the model has learned, by cascading randomisation (Adebayo et al. 2018, arXiv:1810.03292)."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from gallery.attribution.attribute import attribute
from gallery.errors import SourceError
from gallery.evaluation.metrics import rank_correlation
from gallery.methods import method_of
from gallery.model.classifier import Classifier, versions
from gallery.model.layers import encoder_layers
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array, Sanity


def sanity(classifier: Classifier, tokenized: Tokenized, target: int, methods: Mapping[str, Mapping[str, Any]], done: Callable[[str], None]) -> list[Sanity]:
    """Return, for each method, how similar its attributions of a passage remain as the model's weights are randomised from the top down.

    methods: name -> parameters, as `Method.parameters` returns them. The classifier's head is randomised first,
    then the encoder's layers from the last to the first, then the embeddings. A parameter's new values have its mean and
    standard deviation, so that only what was learned is lost. The given classifier stays as it is. `done` is called with the
    name of each step. Cost: (layers + 3) times each method, with a copy of the model in memory.
    """

    def explained(by: Classifier) -> dict[str, Array]:
        return {name: np.abs(attribute(method_of(name), by, [tokenized], [[target]], parameters)[0][0].words) for name, parameters in methods.items()}

    steps = ["nothing"]
    absent = {name for name, parameters in methods.items() if attribute(method_of(name), classifier, [tokenized], [[target]], parameters)[0][0].absent}
    magnitudes = [explained(classifier)]
    done(steps[0])
    model = copy.deepcopy(classifier.model)
    generator = torch.Generator().manual_seed(0)
    for step, modules in _cascade(classifier.with_model(model)):
        for module in modules:
            _randomise(module, generator)
        steps.append(step)
        magnitudes.append(explained(classifier.with_model(model)))  # again in each step: a fast encoder holds copies of weights
        done(step)
    return [
        Sanity(
            method=name,
            target=target,
            parameters=dict(parameters),
            steps=tuple(steps),
            correlations=np.array([1.0, *(rank_correlation(magnitudes[0][name], after[name]) for after in magnitudes[1:])])
            if name not in absent
            else np.zeros(0),
            versions=versions(),
        )
        for name, parameters in methods.items()
    ]


def _cascade(classifier: Classifier) -> Iterator[tuple[str, list[nn.Module]]]:
    """Yield the name and the modules of each step, from the output to the input."""
    model, base = classifier.model, classifier.model.base_model
    try:
        layers = list(encoder_layers(classifier))
    except SourceError:  # ALBERT runs one layer many times
        layers = []
    inside = {id(module) for module in base.modules()}
    head = [child for child in model.children() if id(child) not in inside]
    pooler = getattr(base, "pooler", None)
    yield "classifier", [*head, *([pooler] if pooler is not None else [])]
    for number in range(len(layers) - 1, -1, -1):
        yield f"layer {number + 1}", [layers[number]]
    if not layers:
        yield "layers", [getattr(base, "encoder", base)]
    yield "embeddings", [classifier.layer]


@torch.no_grad()
def _randomise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw every parameter again, with its mean and standard deviation."""
    for parameter in module.parameters():
        values = parameter.float()
        spread = float(values.std()) if values.numel() > 1 else 0.0
        drawn = torch.randn(parameter.shape, generator=generator) * spread + float(values.mean())
        parameter.copy_(drawn.to(parameter.device, parameter.dtype))
