"""Integrated gradients at each encoder layer: where in the network the evidence appears (Captum's LayerIntegratedGradients)."""

from collections.abc import Sequence

import numpy as np

from gallery.attribution.integration import Integral, integrate
from gallery.attribution.layers import hidden_states, run_from_layer
from gallery.attribution.outputs import Parameters, baseline_probabilities, output_values
from gallery.attribution.path import Path
from gallery.model.classifier import Classifier, versions
from gallery.model.tokenized import Tokenized
from gallery.store.records import Attribution


def layer_integrated_gradients(
    classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters
) -> list[list[Attribution]]:
    """Integrate gradients between the hidden states of the baseline and of the passage, at the output of each encoder layer.

    Every layer's words and special tokens add up to the same change of output, so their mean over the layers, which is
    what `tokens` holds, does too; `layers` [layers, W] holds the words of each. Of the last layer a BERT's classifier
    reads one special token alone. Parameters as for integrated gradients; baseline `zero` is a state of zeros.
    Cost: per layer, the steps of integrated gradients, each a forward and backward pass of the layers above: about
    half of `layers` times its cost, less where upper layers are straighter.
    """
    return [_one(classifier, tokenized, wanted, parameters) for tokenized, wanted in zip(batch, targets, strict=True)]


def _one(classifier: Classifier, tokenized: Tokenized, targets: Sequence[int], parameters: Parameters) -> list[Attribution]:
    ends = hidden_states(classifier, tokenized.ids)
    if parameters["baseline"] == "zero":
        starts = [end.new_zeros(end.shape) for end in ends]
    else:
        starts = hidden_states(classifier, classifier.baseline_ids(tokenized, parameters["baseline"]))
    paths = [Path(tokenized.ids, start, end) for start, end in zip(starts, ends, strict=True)]
    found = [integrate(classifier, [path], [targets], parameters, run_from_layer(classifier, layer))[0] for layer, path in enumerate(paths)]
    return [_record(tokenized, [layer[k] for layer in found], parameters) for k in range(len(targets))]


def _record(tokenized: Tokenized, found: Sequence[Integral], parameters: Parameters) -> Attribution:
    every = np.stack([one.totals for one in found])
    ends = output_values(np.stack([one.logits[[0, -1]] for one in found]), parameters["output"])[..., found[0].target].mean(0)
    tokens = every.mean(0)
    return Attribution(
        method="layer_integrated_gradients",
        target=found[0].target,
        parameters={**parameters, "at": "each encoder layer"},
        tokens=tokens,
        words=tokenized.sum_words(tokens),
        output=parameters["output"],
        output_value=float(ends[1]),
        baseline_value=float(ends[0]),
        delta=float(np.mean([one.delta for one in found])),
        converged=all(one.converged for one in found),
        steps=sum(one.steps for one in found),
        baseline_probabilities=baseline_probabilities(found[0].logits[0]),
        versions=versions(),
        extra={"specials": every[:, np.array(tokenized.special)].sum(-1).tolist(), "deltas": [one.delta for one in found]},
        layers=tokenized.sum_words(every),
    )
