"""What every head of the model does with a passage: queries and keys, caught as the model runs, and what follows from them.

transformers hands each layer's queries and keys to an attention function by name; ours passes them on and calls
sdpa, so no T×T tensor is ever held. A layer is encoded as the model comes to it and then let go, and everything derived
(means, rollout, summaries, the picture) goes through a few rows at a time: memory grows with T, and not with the layers.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface

from gallery.attention.derived import SUMMARY, Derived
from gallery.attention.encoding import encode_products, encode_weights
from gallery.attention.picture import draw_heads
from gallery.config import AttentionSettings
from gallery.model.classifier import Classifier, versions
from gallery.model.nonfinite import unsound
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array, Attention

_BEGINNING = 160
"""Tokens of a passage on which what is caught is held against eager attention."""
_AT_ONCE = 1_000_000
"""Weights held at once while going through a layer."""
_ROWS = 256
"""Rows of a mask, or of a local layer, that are looked at together."""


@dataclass(frozen=True)
class Caught:
    """One layer of one passage: queries and keys [H, T, d] after any rotation, float32."""

    queries: Tensor
    keys: Tensor
    scaling: float
    window: int | None
    """How far to either side a local layer sees."""

    def parts(self) -> dict[str, Tensor]:
        """Return all that was caught, by name."""
        return {"queries": self.queries, "keys": self.keys}

    def rows(self) -> Iterator[tuple[int, Tensor]]:
        """Give the weights a few rows at a time: (first row, [H, R, T])."""
        return ((start, scores.softmax(dim=-1)) for start, scores in self._scores())

    def sums(self) -> Tensor:
        """Return [H, T], the logarithm of the sum of exponentials of each token's scores against centred keys."""
        moved = (self.queries @ self.keys.mean(dim=1)[:, :, None])[..., 0] * self.scaling
        found = torch.empty_like(moved)
        for start, scores in self._scores():
            found[:, start : start + scores.shape[1]] = scores.logsumexp(dim=-1)
        return found - moved

    def _scores(self) -> Iterator[tuple[int, Tensor]]:
        heads, tokens, _ = self.queries.shape
        step = max(1, _AT_ONCE // (heads * tokens))
        place = torch.arange(tokens, device=self.queries.device)
        for start in range(0, tokens, step):
            scores = self.queries[:, start : start + step] @ self.keys.transpose(1, 2) * self.scaling
            if self.window is not None:
                scores.masked_fill_((place[start : start + step, None] - place).abs() > self.window, -torch.inf)
            yield start, scores


@dataclass(frozen=True)
class Weights:
    """One layer of a model whose scores are no plain product: the weights [H, T, T] themselves."""

    weights: Tensor

    def parts(self) -> dict[str, Tensor]:
        """Return all that was caught, by name."""
        return {"weights": self.weights}

    def rows(self) -> Iterator[tuple[int, Tensor]]:
        """Give all rows at once."""
        yield 0, self.weights


class Layers(Protocol):
    """Takes the layers of one passage in order, as the model runs."""

    def add(self, number: int, layer: Caught | Weights) -> None:
        """Take a layer, which is not kept."""


@torch.no_grad()
def attend(classifier: Classifier, batch: Sequence[Tokenized], settings: AttentionSettings) -> list[Attention]:
    """Return the attention of every layer and head of each passage.

    Raises ArithmeticError where what was caught, multiplied back, is not what the model attends to under transformers'
    own eager attention, and FloatingPointError where it is no finite number.
    """
    takers = [_Taker(tokenized, classifier, settings) for tokenized in batch]
    checked = _checked(classifier, batch[0].ids[:_BEGINNING])
    if checked is None:
        for tokenized, taker in zip(batch, takers, strict=True):
            watch(classifier, tokenized.ids, taker)
    elif len(batch) == 1 and len(batch[0].ids) <= _BEGINNING:
        for number, layer in enumerate(checked):
            takers[0].add(number, layer)
    elif not catch(classifier, [tokenized.ids for tokenized in batch], takers):
        raise ArithmeticError("queries and keys were caught of a passage's beginning, but not of passages")
    return [taker.attention() for taker in takers]


def catch(classifier: Classifier, rows: Sequence[Sequence[int]], takers: Sequence[Layers]) -> bool:
    """Give each passage's taker the queries and keys of every layer as the model comes to it; False where scores are of another making.

    No T×T tensor is made: a mask is known by how far a token sees, and sdpa goes through a local layer a few rows at a time.
    """
    lengths = [len(row) for row in rows]
    number = 0

    def keep(module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **rest: Any) -> tuple[Tensor, None]:
        nonlocal number
        if rest.get("position_bias") is not None or rest.get("softcap") is not None or query.shape[2] != key.shape[2]:
            raise _NotAProduct
        groups = query.shape[1] // key.shape[1]
        scaling = float(rest.get("scaling") or query.shape[-1] ** -0.5)
        mixed = torch.zeros(query.shape[0], query.shape[2], query.shape[1], value.shape[3], dtype=query.dtype, device=query.device)
        for row, (length, taker) in enumerate(zip(lengths, takers, strict=True)):
            window = _window(attention_mask, row, length)
            q, k, v = query[row, :, :length], *(part[row, :, :length].repeat_interleave(groups, 0) for part in (key, value))
            taker.add(number, Caught(q.float(), k.float(), scaling, window))
            mixed[row, :length] = _mix(q, k, v, scaling, window).transpose(0, 1)
        number += 1
        return mixed, None

    # The mask function must bear the same name: without one, transformers gives no mask, and local layers their window up.
    AttentionInterface.register("gallery", keep)
    AttentionMaskInterface.register("gallery", _reach)
    try:
        with implementation(classifier.model, "gallery"):
            classifier.model(**classifier.batch(rows))
    except _NotAProduct:
        return False
    return number == classifier.card.layers


def watch(classifier: Classifier, ids: Sequence[int], taker: Layers) -> None:
    """Give the taker the weights of each layer as transformers' own eager attention computes them; they are let go at once.

    Raises ArithmeticError where a layer's weights never come by.
    """
    shape = (1, classifier.card.heads, len(ids), len(ids))
    number = 0

    def seen(module: Any, arguments: Any, output: Any) -> Any:
        nonlocal number
        if not isinstance(output, tuple):
            return None
        for place, part in enumerate(output):
            if isinstance(part, Tensor) and part.shape == shape and not bool(((part[0, :, 0].float().sum(-1) - 1).abs() >= 1e-2).any()):  # NaN is seen too
                taker.add(number, Weights(part[0].float()))
                number += 1
                return (*output[:place], part[:, :, :0], *output[place + 1 :])
        return None

    handles = [module.register_forward_hook(seen) for module in classifier.model.modules()]
    try:
        with implementation(classifier.model, "eager"):
            classifier.model(**classifier.batch([ids]), output_attentions=True)
    finally:
        for handle in handles:
            handle.remove()
    if number != classifier.card.layers:
        known = f"is the architecture {classifier.card.architecture} known?"
        raise ArithmeticError(f"the weights of {number} layers of {classifier.card.layers} were seen; {known}")


class _NotAProduct(Exception):  # noqa: N818 (a signal, not an error: such a model's weights are stored instead)
    pass


@contextmanager
def implementation(model: Any, name: str) -> Iterator[None]:
    """Let a model take its attention from a function of transformers' interface for a while."""
    before = model.config._attn_implementation
    model.set_attn_implementation(name)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _reach(q_length: int, kv_length: int, mask_function: Any, use_vmap: bool = False, device: Any = "cpu", **rest: Any) -> Tensor | None:
    """Return how far to either side a token sees, [1], for `keep`; None where it sees all, padding apart.

    Raises _NotAProduct where a token sees anything but its neighbourhood.
    """
    place = torch.arange(kv_length, device=device)
    none = torch.zeros((), dtype=torch.long, device=device)
    if use_vmap or q_length != kv_length:
        raise _NotAProduct

    def sees(start: int, end: int) -> Tensor:
        found: Tensor = mask_function(none, none, place[start:end, None], place[None]).expand(len(place[start:end]), kv_length)
        return found

    reach = int(sees(0, 1).sum()) - 1
    for start in range(0, q_length, _ROWS):
        end = start + _ROWS
        if not torch.equal(sees(start, end), (place[start:end, None] - place).abs() <= reach):
            raise _NotAProduct
    return None if reach == kv_length - 1 else torch.tensor([reach])


def _window(mask: Tensor | None, row: int, length: int) -> int | None:
    """Return how far to either side a token sees: what `_reach` has found, or what a mask of the model's own making shows."""
    if mask is None:
        return None
    if mask.shape == (1,):
        return int(mask) if int(mask) < length - 1 else None
    seen = mask[min(row, len(mask) - 1), 0, :, :length]
    seen = seen[:length] if seen.shape[0] > 1 else seen.expand(length, -1)  # one row stands for all where only padding is hidden
    seen = seen if seen.dtype == torch.bool else seen > torch.finfo(seen.dtype).min / 2
    if bool(seen.all()):
        return None
    reach = int(seen[0].sum()) - 1
    place = torch.arange(length, device=mask.device)
    for start in range(0, length, _ROWS):
        if not torch.equal(seen[start : start + _ROWS], (place[start : start + _ROWS, None] - place).abs() <= reach):
            raise _NotAProduct
    return reach


def _mix(query: Tensor, key: Tensor, value: Tensor, scaling: float, window: int | None) -> Tensor:
    """Return [H, T, d], what attention makes of queries, keys and values [H, T, d]."""
    if window is None:
        return scaled_dot_product_attention(query[None], key[None], value[None], scale=scaling)[0]
    tokens = query.shape[1]
    place = torch.arange(tokens, device=query.device)
    parts = []
    for start in range(0, tokens, _ROWS):
        end = min(tokens, start + _ROWS)
        near = slice(max(0, start - window), min(tokens, end + window))
        seen = (place[start:end, None] - place[near]).abs() <= window
        parts.append(scaled_dot_product_attention(query[None, :, start:end], key[None, :, near], value[None, :, near], seen, scale=scaling)[0])
    return torch.cat(parts, dim=1)


def _checked(classifier: Classifier, ids: Sequence[int]) -> Sequence[Caught | Weights] | None:
    """Return the layers of a passage's beginning, each multiplied back and held against eager attention; None where scores are no product."""
    tolerance = 1e-4 if classifier.dtype == torch.float32 else 5e-2
    ours, theirs = _Kept(), _Kept()
    if not catch(classifier, [ids], [ours]):
        return None
    for number, own in enumerate(ours.layers):
        _refuse_unsound(number, len(ours.layers), own)
    watch(classifier, ids, theirs)
    for number, (own, layer) in enumerate(zip(ours.layers, theirs.layers, strict=True)):
        ((_, wanted),) = layer.rows()
        _refuse_unsound(number, len(ours.layers), layer)  # or the largest distance would be that of what can be compared
        apart = max(float((rows - wanted[:, start : start + rows.shape[1]]).abs().max()) for start, rows in own.rows())
        if not apart <= tolerance:
            raise ArithmeticError(
                f"attention of layer {number + 1} is {apart:.2g} away from eager attention; is the architecture {classifier.card.architecture} known?"
            )
    return ours.layers


def _refuse_unsound(number: int, layers: int, layer: Caught | Weights) -> None:
    """Raise FloatingPointError, naming the layer as pages number it, where it holds anything but finite numbers."""
    for name, part in layer.parts().items():
        if what := unsound(part):
            raise FloatingPointError(f"{what} among the {name} of attention in layer {number + 1} of {layers}")


class _Kept:
    """Keeps the layers of a short text."""

    def __init__(self) -> None:
        self.layers: list[Caught | Weights] = []

    def add(self, number: int, layer: Caught | Weights) -> None:
        """Keep a layer."""
        self.layers.append(layer)


class _Taker:
    """Encodes the layers of one passage one by one, and sums up what follows from them."""

    def __init__(self, tokenized: Tokenized, classifier: Classifier, settings: AttentionSettings) -> None:
        self.tokens = len(tokenized.ids)
        self.layers = classifier.card.layers
        self.precision = settings.precision
        self.derived = Derived(tokenized, self.layers)
        self.packed: dict[str, Array] = {}
        self.scalings: list[float] = []
        self.windows: list[int | None] = []
        self.size = 0

    def add(self, number: int, layer: Caught | Weights) -> None:
        """Encode a layer.

        Raises FloatingPointError where it holds anything but finite numbers.
        """
        _refuse_unsound(number, self.layers, layer)
        self.derived.add(number, layer)
        if isinstance(layer, Caught):
            sums = None if self.derived.kept else layer.sums().cpu().numpy()
            blob = encode_products(layer.queries.cpu().numpy(), layer.keys.cpu().numpy(), layer.scaling, self.precision, sums)
            self.size = layer.queries.shape[2]
            self.scalings.append(layer.scaling)
            self.windows.append(layer.window)
        else:
            blob = encode_weights(layer.weights.cpu().numpy())
        self.packed[f"{number:02d}"] = np.frombuffer(blob, np.uint8)

    def attention(self) -> Attention:
        """Return the passage's record, when all layers are in."""
        derived, products = self.derived, bool(self.scalings)
        return Attention(
            shape=(self.layers, derived.pooled.shape[1], self.tokens, self.size),
            encoding={
                "kind": "products" if products else "weights",
                "precision": self.precision,
                "scaling": self.scalings,
                "windows": self.windows,
                "sums": products and not derived.kept,
            },
            packed=self.packed,
            mean=derived.packed_mean(),
            rollout=derived.packed_rollout(),
            picture=np.frombuffer(draw_heads(derived.pooled), np.uint8),
            summary=derived.summary,
            summary_names=SUMMARY,
            versions=versions(),
        )
