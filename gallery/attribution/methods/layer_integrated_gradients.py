"""Integrated gradients at each encoder layer: where in the network the evidence appears (Captum's LayerIntegratedGradients)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from gallery.methods import Method
from gallery.softmax import probabilities_of
from gallery.store.records import Attribution

if TYPE_CHECKING:
    from gallery.attribution.integration import Integral
    from gallery.attribution.method import Parameters
    from gallery.model.classifier import Classifier
    from gallery.model.tokenized import Tokenized


def layer_integrated_gradients(
    classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters
) -> list[list[Attribution]]:
    """Return integrals of gradients between the hidden states of the baseline and of the passage, at the output of each encoder layer.

    Words and special tokens of every layer add up to the same change of the output, and so does their mean over the layers,
    which `tokens` holds; `layers` [layers, W] holds the words of each layer. From the last layer, a BERT's classifier reads
    one special token alone. Parameters as for integrated gradients; baseline `zero` is a state of zeros.
    """
    return [_of_passage(classifier, tokenized, own_targets, parameters) for tokenized, own_targets in zip(batch, targets, strict=True)]


def _of_passage(classifier: Classifier, tokenized: Tokenized, targets: Sequence[int], parameters: Parameters) -> list[Attribution]:
    from gallery.attribution.integration import integrate
    from gallery.attribution.path import Path
    from gallery.model.layers import from_layer, hidden_states

    ends = hidden_states(classifier, tokenized.ids)
    if parameters["baseline"] == "zero":
        starts = [end.new_zeros(end.shape) for end in ends]
    else:
        starts = hidden_states(classifier, classifier.baseline_ids(tokenized, parameters["baseline"]))
    layers = []
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        path = Path(tokenized.ids, start, end)
        layers.append(integrate(classifier, [path], [targets], parameters, partial(from_layer, classifier, number))[0])
    return [_record(classifier, tokenized, [integrals[k] for integrals in layers], parameters) for k in range(len(targets))]


def _record(classifier: Classifier, tokenized: Tokenized, layers: Sequence[Integral], parameters: Parameters) -> Attribution:
    """Return the record of one class from its integral at each layer."""
    from gallery.attribution.outputs import output_values, used_parameters
    from gallery.model.classifier import versions

    totals = np.stack([integral.totals for integral in layers])
    ends = output_values(np.stack([integral.logits[[0, -1]] for integral in layers]), parameters["output"])[..., layers[0].target].mean(0)
    tokens = totals.mean(0)
    return Attribution(
        method=LAYER_INTEGRATED_GRADIENTS.name,
        target=layers[0].target,
        parameters=used_parameters(classifier, parameters, "each encoder layer"),
        tokens=tokens,
        words=tokenized.sum_words(tokens),
        output=parameters["output"],
        output_value=float(ends[1]),
        baseline_value=float(ends[0]),
        delta=float(np.mean([integral.delta for integral in layers])),
        converged=all(integral.converged for integral in layers),
        steps=sum(integral.steps for integral in layers),
        baseline_probabilities=probabilities_of(layers[0].logits[0], classifier.card.problem),
        versions=versions(),
        extra={"specials": totals[:, np.array(tokenized.special)].sum(-1).tolist(), "deltas": [integral.delta for integral in layers]},
        layers=tokenized.sum_words(totals),
    )


LAYER_INTEGRATED_GRADIENTS = Method(
    name="layer_integrated_gradients",
    title="integrated gradients by layer",
    question="at which layer the evidence appears",
    compute=layer_integrated_gradients,
    order=7,
    settings=("baseline", "output", "n_steps", "delta_tolerance", "max_steps"),
    version=2,
    complete=True,
    forward="about N·L/2",
    backward="about N·T·L/2",
    captum="LayerIntegratedGradients",
)
