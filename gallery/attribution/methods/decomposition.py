"""Decomposition of the logit through the linearised network (DecompX, Modarressi et al. 2023, arXiv:2306.02873)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gallery.methods import Method

if TYPE_CHECKING:
    from gallery.attribution.method import Parameters
    from gallery.model.classifier import Classifier
    from gallery.model.tokenized import Tokenized
    from gallery.store.records import Attribution


def decomposition(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Return what each token adds to each target's logit in the network that is linearised at the passage.

    Held fixed at their values in the passage: attention weights, the deviations of LayerNorm and RMSNorm, the slopes y/x of
    activations (the pooler's tanh among them) and the gates of gated units. The rest of the network is linear, so a token's
    contribution is gradient × input at its embedding, in one backward pass for all tokens. `biases` is what the network's biases
    add to the logit whatever the tokens: tokens + biases = logit, and `delta` is what rounding takes from that.

    DecompX (Modarressi et al. 2023, arXiv:2306.02873) carries a vector for each token through every layer under the same rules;
    without its distribution of the biases over tokens the numbers are the same. They are also those of layer-wise relevance
    propagation that is conservative for attention and LayerNorm (CP-LRP, Ali et al. 2022, arXiv:2202.07304), with the
    0-rule in linear layers and without relevance for biases.

    The logit is explained whatever `output` is: a probability is no linear map of the last layer.
    Raises SourceError, naming the architecture, where the sums miss the logits.
    """
    from gallery.attribution.decomposing import decomposed
    from gallery.attribution.outputs import plain_attribution

    results = []
    for tokenized, classes in zip(batch, targets, strict=True):
        parts = decomposed(classifier, tokenized, classes, parameters["tf32"])
        tokens, biases, outputs = parts.tokens.cpu().numpy(), parts.biases.tolist(), parts.outputs.tolist()
        results.append(
            [
                replace(
                    plain_attribution(classifier, tokenized, DECOMPOSITION.name, target, parameters, tokens[row], outputs[target], passes=1),
                    biases=biases[row],
                    delta=float(tokens[row].sum() + biases[row] - outputs[target]),
                )
                for row, target in enumerate(classes)
            ]
        )
    return results


DECOMPOSITION = Method(
    name="decomposition",
    title="decomposition",
    question="what a word adds to the score, with attention held as it is",
    compute=decomposition,
    order=2,
    complete=True,
    forward="1",
    backward="T",
    every_class=True,
)
