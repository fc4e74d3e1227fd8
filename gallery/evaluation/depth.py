"""Where in the network the answer is made: what the classifier's head says of the state after each layer."""

import numpy as np
import torch

from gallery.errors import SourceError
from gallery.model.classifier import Classifier, versions
from gallery.model.layers import from_layer, hidden_states
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array, Layers

_TOLERANCE = {True: 1e-3, False: 0.05}
"""Largest difference between the last layer's logits and the prediction, as a share of the largest logit; in float32, and in shorter formats."""


@torch.no_grad()
def by_layer(classifier: Classifier, tokenized: Tokenized, logits: Array) -> Layers:
    """Return the logits that the head gives to the output of each encoder layer, as if the layers behind it were left out.

    The head was trained on the last layer alone; what it says of an earlier one is a reading, not an answer of the model
    (the "logit lens", nostalgebraist 2020, for a classifier). Logits of windows are averaged.
    logits [C]: the model's prediction, which the last row must be. Empty where it is not, and where the architecture has no list of
    layers with a state for each token, as ALBERT and Funnel.
    Cost: one forward pass, and the head once a layer; without the fast encoder, one forward pass a layer.
    """
    nothing = Layers(np.zeros((0, len(logits)), np.float32), versions())
    parts: list[Array] = []
    try:
        for part in tokenized.parts:
            states = hidden_states(classifier, part.ids)
            with from_layer(classifier, len(states) - 1, classifier.batch([part.ids])) as run:
                parts.append(np.concatenate([run(state[None]).float().cpu().numpy() for state in states]))
    except SourceError:
        return nothing
    found: Array = np.mean(parts, axis=0)
    off = float(np.abs(found[-1] - logits).max())
    return Layers(found, versions()) if off <= _TOLERANCE[classifier.dtype == torch.float32] * max(1.0, float(np.abs(logits).max())) else nothing
