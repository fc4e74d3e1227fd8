"""Attention weights as transformers' own eager attention computes them; sdpa, the default, returns none."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from gallery.compat.transformers import attention_by
from gallery.errors import reason
from gallery.model.classifier import Classifier
from gallery.model.hooks import hooked

Why = Literal["none", "pairs", "differs", "fails"]


class NoAttentionError(Exception):
    """A model shows no attention over a passage.

    why: it has `none`; it has no weight for all `pairs` of tokens in each layer; its logits with eager attention are others than
    those that pages show (`differs`, detail is the distance); or eager attention `fails`, with the error as detail.
    """

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(f"no attention: {why} {detail}".strip())
        self.why, self.detail = why, detail


def parts_of(classifier: Classifier) -> list[tuple[str, int]]:
    """Return the names of the parts of a model that attend, with their numbers of layers.

    An encoder that a decoder follows counts as `encoder`; then come the layers of the decoder in which it attends to the encoder,
    `cross`. The decoder's attention to itself is left out: its tokens are those of the text, one later.
    """
    card = classifier.card
    return [("encoder", card.layers), ("cross", card.cross)] if card.cross else [("", card.layers)]


@torch.no_grad()
def eager_attention(classifier: Classifier, ids: Sequence[int], take: Callable[[int, Tensor], None]) -> Tensor:
    """Run a passage through the model with eager attention; return its logits [C], float32.

    take(layer, weights) gets each layer's number, from 0, and its weights [H, T, T], float32, as the model computes them. The
    model drops them at once where they pass from module to module, so that no more than one layer's weights are in memory.
    Raises NoAttentionError where there are none.
    """
    if not classifier.card.heads:
        raise NoAttentionError("none")
    try:
        return _attention(classifier, ids, take)
    except (ArithmeticError, NoAttentionError, torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:  # whatever an architecture raises that does not know eager attention
        raise NoAttentionError("fails", reason(error)) from error


def _attention(classifier: Classifier, ids: Sequence[int], take: Callable[[int, Tensor], None]) -> Tensor:
    layers, number = classifier.card.layers, 0

    def watch(module: Any, arguments: Any, output: Any) -> Any:
        nonlocal number
        if not isinstance(output, tuple):
            return None
        for index, part in enumerate(output):
            if _is_attention(part, len(ids)) and part.shape[1] == classifier.card.heads and number < layers:
                take(number, part[0].float())
                number += 1
                return (*output[:index], part[:, :, :0], *output[index + 1 :])
        return None

    model = classifier.model
    watched = () if classifier.card.cross else model.modules()
    with attention_by(model, "eager"), hooked(watched, watch):
        outputs = model(**classifier.batch([ids]), output_attentions=True)
    logits: Tensor = outputs.logits[0].float()
    distance = float((logits - classifier.logits([ids])[0]).abs().max())
    if distance > tolerance(classifier) * max(1.0, float(logits.abs().max())):
        raise NoAttentionError("differs", f"{distance:.2g}")
    if number not in (0, layers):
        raise NoAttentionError("pairs")
    if not number:
        for layer, weights in enumerate(_returned(outputs, classifier, len(ids))):
            take(layer, weights[0].float())
    return logits


def tolerance(classifier: Classifier) -> float:
    """Return the largest difference of weights, and of logits as a share of the largest, that counts as rounding."""
    return 1e-4 if classifier.dtype == torch.float32 else 5e-2


def _returned(outputs: Any, classifier: Classifier, tokens: int) -> list[Tensor]:
    """Return the weights [1, H, T, T] that a model returns by itself: those of the encoder and the decoder's cross-attention, or all."""
    names = ("encoder_attentions", "cross_attentions") if len(parts_of(classifier)) > 1 else ("attentions",)
    weights = [part for name in names for part in getattr(outputs, name, None) or ()]
    if len(weights) != sum(count for _, count in parts_of(classifier)) or not all(_is_attention(part, tokens) for part in weights):
        raise NoAttentionError("pairs")
    if len({part.shape[1] for part in weights}) != 1:
        raise NoAttentionError("pairs")
    return weights


def _is_attention(part: Any, tokens: int) -> bool:
    """Tell whether an output is attention weights [1, H, T, T]: its first and last rows add up to 1; NaN passes too."""
    if not isinstance(part, Tensor) or part.ndim != 4 or part.shape[0] != 1 or part.shape[2:] != (tokens, tokens) or not part.is_floating_point():
        return False
    return not bool(((part[0, :, [0, -1]].float().sum(-1) - 1).abs() >= 1e-2).any())
