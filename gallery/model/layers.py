"""The hidden states between a classifier's encoder layers: reading them, and running on from them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gallery.errors import SourceError
from gallery.model.classifier import Classifier
from gallery.model.fast_encoder import padding_of
from gallery.model.hooks import Run, output_of, outputs_of, resumed


def encoder_layers(classifier: Classifier) -> nn.ModuleList:
    """Return the encoder's layers.

    Raises SourceError where the architecture has no list of them: ALBERT runs one layer many times, T5 has two.
    """
    count = classifier.card.layers
    if classifier.card.cross:
        raise _no_layers(classifier)
    for module in classifier.model.base_model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count and count > 1:
            return module
    raise _no_layers(classifier)


def _no_layers(classifier: Classifier) -> SourceError:
    return SourceError(
        f"extra.gallery.methods: {classifier.card.architecture} has no list of layers to explain. Leave out layer_integrated_gradients and unified_information."
    )


@torch.no_grad()
def hidden_states(classifier: Classifier, ids: tuple[int, ...]) -> list[Tensor]:
    """Return the output [T, H] of each encoder layer for one passage. Raises SourceError as `encoder_layers` does."""
    with outputs_of(encoder_layers(classifier)) as states:
        classifier.model(**classifier.batch([ids]))
    if len(states) != classifier.card.layers or any(state.shape[:2] != (1, len(ids)) for state in states):
        raise _no_layers(classifier)  # Funnel's layers have fewer tokens, XLNet's have tokens before rows
    return [state[0] for state in states]


@contextmanager
def from_layer(classifier: Classifier, layer: int, inputs: Mapping[str, Tensor]) -> Iterator[Run]:
    """Give a function that runs the model on from the output of an encoder layer, counted from 0."""
    fast = classifier.fast_encoder
    if fast is not None:
        padding = padding_of(inputs)
        yield lambda states: fast.run_from(states, padding, layer + 1)
        return
    with resumed(classifier.model, encoder_layers(classifier)[layer], inputs) as run:
        yield run


def state_after(classifier: Classifier, inputs: Mapping[str, Tensor], points: Tensor, layer: int) -> Tensor:
    """Return the output [B, T, H] of an encoder layer, counted from 0, for embeddings [B, T, H] of one passage."""
    if classifier.fast_encoder is not None:
        return classifier.fast_encoder.state_after(points, layer)
    with classifier.from_embeddings(inputs) as run:
        return output_of(encoder_layers(classifier)[layer], lambda: run(points))
