"""The hidden states between a classifier's encoder layers: reading them, and running on from them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from gallery.attribution.path import RunFrom
from gallery.errors import SourceError
from gallery.model.classifier import Classifier


def encoder_layers(classifier: Classifier) -> nn.ModuleList:
    """Return the encoder's layers.

    Raises SourceError where the architecture has no such list, as ALBERT, which runs one layer many times.
    """
    wanted = classifier.card.layers
    for module in classifier.model.base_model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == wanted and wanted > 1:
            return module
    raise SourceError(
        f"extra.gallery.methods: {classifier.card.architecture} has no list of layers to explain. Leave out layer_integrated_gradients and unified_information."
    )


@torch.no_grad()
def hidden_states(classifier: Classifier, ids: tuple[int, ...]) -> list[Tensor]:
    """Return [T, H] the output of each encoder layer for one passage."""
    found: list[Tensor] = []
    handles = [layer.register_forward_hook(lambda module, args, output: found.append(_tensor(output)[0])) for layer in encoder_layers(classifier)]
    try:
        classifier.model(**classifier.batch([ids]))
    finally:
        for handle in handles:
            handle.remove()
    return found


def run_from_layer(classifier: Classifier, layer: int) -> RunFrom:
    """Return what runs the model from the output of an encoder layer on, counted from 0."""

    @contextmanager
    def run_from(inputs: Mapping[str, Tensor]) -> Iterator[Callable[[Tensor], Tensor]]:
        encoder = classifier.encoder
        if encoder is not None:
            mask = inputs["attention_mask"]
            padded = None if bool(mask.all()) else mask
            yield lambda points: encoder.onwards(points, padded, layer + 1)
            return
        current: list[Tensor] = []
        handle = encoder_layers(classifier)[layer].register_forward_hook(lambda module, args, output: _replaced(output, current[0]))

        def run(points: Tensor) -> Tensor:
            current[:] = [points]
            repeated = {name: value.expand(points.shape[0], -1) if value.shape[0] == 1 else value for name, value in inputs.items()}
            result: Tensor = classifier.model(**repeated).logits
            return result

        try:
            yield run
        finally:
            handle.remove()

    return run_from


def _tensor(output: Any) -> Tensor:
    result: Tensor = output[0] if isinstance(output, tuple) else output
    return result


def _replaced(output: Any, points: Tensor) -> Any:
    return (points, *output[1:]) if isinstance(output, tuple) else points
