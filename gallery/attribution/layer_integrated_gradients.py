"""Integrated gradients at each encoder layer: where in the network the evidence appears (Captum's LayerIntegratedGradients)."""

from collections.abc import Sequence

import numpy as np

from gallery.attribution.integration import integrate
from gallery.attribution.layers import hidden_states, run_from_layer
from gallery.attribution.path import Parameters, Path, baseline_probabilities, make_path, output_values
from gallery.classifier import Classifier, Encoded, versions
from gallery.records import Attribution


def layer_integrated_gradients(
    classifier: Classifier, batch: Sequence[Encoded], targets: Sequence[Sequence[int]], parameters: Parameters
) -> list[list[Attribution]]:
    """Integrate gradients between the hidden states of the baseline and of the passage, at the output of each encoder layer.

    Every layer's words and special tokens add up to the same change of output, so their mean over the layers, which is
    what `tokens` holds, does too; `layers` [layers, W] holds the words of each. Of the last layer a BERT's classifier
    reads one special token alone. Parameters as for integrated gradients; baseline `zero` is a state of zeros.
    Cost: per layer, the steps of integrated gradients, each a forward and backward pass of the layers above: about
    half of `layers` times its cost, less where upper layers are straighter.
    """
    return [_one(classifier, encoded, wanted, parameters) for encoded, wanted in zip(batch, targets, strict=True)]


def _one(classifier: Classifier, encoded: Encoded, targets: Sequence[int], parameters: Parameters) -> list[Attribution]:
    ends = hidden_states(classifier, encoded.ids)
    if parameters["baseline"] == "zero":
        starts = [end.new_zeros(end.shape) for end in ends]
    else:
        starts = hidden_states(classifier, classifier.baseline_ids(encoded, parameters["baseline"]))
    whole = make_path(classifier, encoded, targets, parameters["baseline"])
    found = []
    for layer, (start, end) in enumerate(zip(starts, ends, strict=True)):
        path = Path(encoded.ids, start, end, whole.targets)
        found += integrate(classifier, [path], parameters, run_from_layer(classifier, layer))
    every = np.stack([one.totals for one in found])
    outputs = output_values(np.stack([one.logits[[0, -1]] for one in found]), parameters["output"]).mean(0)
    special = np.array(encoded.special)
    return [
        Attribution(
            method="layer_integrated_gradients",
            target=target,
            parameters={**parameters, "at": "each encoder layer"},
            tokens=every[:, k].mean(0),
            words=encoded.sum_words(every[:, k].mean(0)),
            output=parameters["output"],
            output_value=float(outputs[1, target]),
            baseline_value=float(outputs[0, target]),
            delta=float(np.mean([one.delta[k] for one in found])),
            converged=bool(all(one.converged[k] for one in found)),
            steps=sum(one.steps for one in found),
            baseline_probabilities=baseline_probabilities(found[0].logits[0]),
            versions=versions(),
            extra={"specials": every[:, k][:, special].sum(-1).tolist(), "deltas": [float(one.delta[k]) for one in found]},
            layers=encoded.sum_words(every[:, k]),
        )
        for k, target in enumerate(whole.targets)
    ]
