"""A passage's logits as sums over tokens and biases, by whichever linearised form of the network is there, and the check of the sums."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from gallery.errors import SourceError
from gallery.model.classifier import Classifier
from gallery.model.linearised import Linear, linear_parts
from gallery.model.linearised_encoder import encoder_parts
from gallery.model.tokenized import Tokenized

_MISSING = 1e-4
"""Largest part of a logit that may be missing from the sums, as a share of all magnitudes; float32 rounds some 1e-6 away."""
_MISSING_ROUNDED = 0.05
"""The same where products are rounded to float16, bfloat16 or TF32."""


def decomposed(classifier: Classifier, tokenized: Tokenized, targets: Sequence[int], tf32: bool) -> Linear:
    """Return the logits of classes as sums over the tokens and the biases; see `gallery.model.linearised`.

    Raises SourceError, naming the architecture, where the sums miss the logits: the network has a part that was not linearised.
    """
    inputs = classifier.batch([tokenized.ids])
    point = classifier.embed(inputs)
    together = max(1, classifier.batch_tokens // len(tokenized.ids))
    allowed = _MISSING_ROUNDED if tf32 or classifier.dtype != torch.float32 else _MISSING
    missing = 0.0
    for parts in _forms(classifier, inputs, point, list(targets), together):
        missing = _missing(parts, targets)
        if missing <= allowed:
            return parts
    raise SourceError(
        f"extra.gallery.methods: decomposition: the architecture {classifier.card.architecture} cannot be linearised: contributions and biases "
        f"miss {missing:.1%} of its logits. Leave out decomposition."
    )


def _forms(classifier: Classifier, inputs: dict[str, torch.Tensor], point: torch.Tensor, targets: list[int], together: int) -> Iterator[Linear]:
    """Yield the parts by the fast encoder, where there is one; then by the model's own forward pass."""
    if classifier.fast_encoder is not None:
        yield encoder_parts(classifier.fast_encoder, point, targets, together)
    with replace(classifier, fast_encoder=None).from_embeddings(inputs) as run:
        yield linear_parts(classifier.model, run, point, targets, together)


def _missing(parts: Linear, targets: Sequence[int]) -> float:
    """Return the largest difference between a logit and its sum, as a share of all magnitudes in the sum; NaN where a number is not finite."""
    gap = (parts.tokens.sum(1) + parts.biases - parts.outputs[list(targets)]).abs()
    size = parts.tokens.abs().sum(1) + parts.biases.abs()
    return float((gap / size.clamp(min=torch.finfo(torch.float32).tiny)).max())
