"""Where in the network the answer is made: what the classifier's head says of the state after each layer."""

import numpy as np
import torch

from gallery.errors import SourceError
from gallery.model.classifier import Classifier, versions
from gallery.model.layers import encoder_layers, from_layer, hidden_states
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array, Layers


@torch.no_grad()
def by_layer(classifier: Classifier, tokenized: Tokenized) -> Layers:
    """Return the logits that the head gives to the output of each encoder layer, as if the layers behind it were left out.

    The head was trained on the last layer alone; what it says of an earlier one is a reading, not an answer of the model
    (the "logit lens", nostalgebraist 2020, for a classifier). The last row is the model's own prediction. Logits of windows
    are averaged. Empty where the architecture has no list of layers, as in ALBERT.
    Cost: one forward pass, and the head once a layer; without the fast encoder, one forward pass a layer.
    """
    try:
        count = len(encoder_layers(classifier))
    except SourceError:
        return Layers(np.zeros((0, len(classifier.card.labels)), np.float32), versions())
    parts: list[Array] = []
    for part in tokenized.parts:
        states = hidden_states(classifier, part.ids)
        with from_layer(classifier, count - 1, classifier.batch([part.ids])) as run:
            parts.append(np.concatenate([run(state[None]).float().cpu().numpy() for state in states]))
    return Layers(np.mean(parts, axis=0), versions())
