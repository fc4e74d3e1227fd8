"""What every head of the model does with a passage: queries and keys, caught as the model runs, and what follows from them.

transformers hands each layer's queries and keys to an attention function by name; ours keeps them and calls
sdpa, so no T×T tensor of all heads is ever held. Everything derived (means, rollout, summaries, the picture) goes
through a few rows at a time.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from gallery.classifier import Classifier, Encoded, versions
from gallery.config import AttentionSettings
from gallery.encoding import encode_products, encode_weights
from gallery.picture import CELL, draw_heads
from gallery.records import Array, Attention

FULL = 1024
"""Longest passage, in tokens, whose mean and rollout (T×T each) are kept."""
SUMMARY = ("previous", "next", "self", "first", "separator", "punctuation", "spread")
"""What a head is asked: the share of attention that goes to the previous and next word, the word itself, the first and the
last special token, punctuation; and how widely it is spread, as entropy over the logarithm of the number of tokens."""

_AT_ONCE = 4_000_000
"""Weights held at once while going through a layer."""


@dataclass(frozen=True)
class Caught:
    """One layer of one passage: queries and keys [H, T, d] after any rotation, float32."""

    queries: Tensor
    keys: Tensor
    scaling: float
    window: int | None
    """How far to either side a local layer sees."""

    def rows(self) -> Iterator[tuple[int, Tensor]]:
        """Give the weights a few rows at a time: (first row, [H, R, T])."""
        return ((start, scores.softmax(dim=-1)) for start, scores in self._scores())

    def sums(self) -> Tensor:
        """Return [H, T], the logarithm of the sum of exponentials of each token's scores against centred keys."""
        moved = (self.queries @ self.keys.mean(dim=1)[:, :, None])[..., 0] * self.scaling
        return torch.cat([scores.logsumexp(dim=-1) for _, scores in self._scores()], dim=1) - moved

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

    def rows(self) -> Iterator[tuple[int, Tensor]]:
        """Give all rows at once."""
        yield 0, self.weights


@torch.no_grad()
def attend(classifier: Classifier, batch: Sequence[Encoded], settings: AttentionSettings) -> list[Attention]:
    """Return the attention of every layer and head of each passage.

    Raises ArithmeticError where what was caught, multiplied back, is not what the model attends to under transformers'
    own eager attention, and FloatingPointError where it is no finite number.
    """
    caught: Sequence[Sequence[Caught | Weights]] | None = catch(classifier, batch)
    products = caught is not None
    if caught is None:
        caught = [eager(classifier, encoded) for encoded in batch]
    for layers in caught:
        _check_finite(layers)
    if products:
        _check(classifier, batch[0])
    return [_attention(encoded, layers, settings) for encoded, layers in zip(batch, caught, strict=True)]


def catch(classifier: Classifier, batch: Sequence[Encoded]) -> list[list[Caught]] | None:
    """Return queries and keys of each passage and layer; None where the architecture has scores of another making."""
    return _run([len(encoded.ids) for encoded in batch], classifier, [encoded.ids for encoded in batch])


def eager(classifier: Classifier, encoded: Encoded) -> list[Weights]:
    """Return the weights of each layer as transformers' own eager attention computes them."""
    with implementation(classifier.model, "eager"):
        attentions = classifier.model(**classifier.batch([encoded.ids]), output_attentions=True).attentions
    return [Weights(layer[0].float()) for layer in attentions]


def _check_finite(layers: Sequence[Caught | Weights]) -> None:
    """Raise FloatingPointError where a number of theirs is none."""
    for number, layer in enumerate(layers, 1):
        values = (layer.queries, layer.keys) if isinstance(layer, Caught) else (layer.weights,)
        if not all(bool(value.isfinite().all()) for value in values):
            raise FloatingPointError(f"attention of layer {number} is no finite number")


class _NotAProduct(Exception):  # noqa: N818 (a signal, not an error: such a model's weights are stored instead)
    pass


def _run(lengths: Sequence[int], classifier: Classifier, ids: Sequence[Sequence[int]]) -> list[list[Caught]] | None:
    layers: list[list[Caught]] = []

    def keep(module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **rest: Any) -> Any:
        if rest.get("position_bias") is not None or rest.get("softcap") is not None or query.shape[2] != key.shape[2]:
            raise _NotAProduct
        groups = query.shape[1] // key.shape[1]
        scaling = float(rest.get("scaling") or query.shape[-1] ** -0.5)
        layers.append(
            [
                Caught(query[row, :, :length].float(), key[row, :, :length].repeat_interleave(groups, 0).float(), scaling, _window(attention_mask, row, length))
                for row, length in enumerate(lengths)
            ]
        )
        return sdpa_attention_forward(module, query, key, value, attention_mask, **rest)

    # The mask function must bear the same name: without one, transformers gives no mask, and local layers their window up.
    AttentionInterface.register("gallery", keep)
    AttentionMaskInterface.register("gallery", sdpa_mask)
    try:
        with implementation(classifier.model, "gallery"):
            classifier.model(**classifier.batch(ids))
    except _NotAProduct:
        return None
    if len(layers) != classifier.card.layers:
        return None
    return [[layer[row] for layer in layers] for row in range(len(lengths))]


@contextmanager
def implementation(model: Any, name: str) -> Iterator[None]:
    """Let a model take its attention from a function of transformers' interface for a while."""
    before = model.config._attn_implementation
    model.set_attn_implementation(name)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _window(mask: Tensor | None, row: int, length: int) -> int | None:
    """Return how far to either side a token sees, read off the mask that the model itself made."""
    if mask is None:
        return None
    seen = mask[min(row, len(mask) - 1), 0, :length, :length]
    seen = seen if seen.dtype == torch.bool else seen > torch.finfo(seen.dtype).min / 2
    reach = int(seen[0].sum()) - 1
    if bool(seen.all()):
        return None
    for start in range(0, length, 1024):  # a few rows at a time: the mask of a long passage is the largest thing here
        place = torch.arange(length, device=mask.device)
        if not torch.equal(seen[start : start + 1024], (place[start : start + 1024, None] - place).abs() <= reach):
            raise _NotAProduct
    return reach


def _check(classifier: Classifier, encoded: Encoded) -> None:
    """Multiply every layer of the passage's beginning back and hold it against eager attention."""
    ids = encoded.ids[:160]
    caught = _run([len(ids)], classifier, [ids])
    with implementation(classifier.model, "eager"):
        attentions = classifier.model(**classifier.batch([ids]), output_attentions=True).attentions
    tolerance = 1e-4 if classifier.dtype == torch.float32 else 5e-2
    if caught is None:
        raise ArithmeticError("queries and keys were caught of a passage, but not of its beginning")
    for number, layer in enumerate(attentions):
        apart = max(float((ours - layer[0, :, start : start + ours.shape[1]]).abs().max()) for start, ours in caught[0][number].rows())
        if not apart <= tolerance:
            raise ArithmeticError(
                f"attention of layer {number + 1} is {apart:.2g} away from eager attention; is the architecture {classifier.card.architecture} known?"
            )


def _attention(encoded: Encoded, layers: Sequence[Caught | Weights], settings: AttentionSettings) -> Attention:
    derived = _Derived(encoded, len(layers))
    packed, scalings, windows, size = {}, [], [], 0
    for number, layer in enumerate(layers):
        derived.add(number, layer)
        if isinstance(layer, Caught):
            queries, keys = layer.queries.cpu().numpy(), layer.keys.cpu().numpy()
            sums = None if derived.kept else layer.sums().cpu().numpy()
            blob = encode_products(queries, keys, layer.scaling, settings.precision, sums)
            size = queries.shape[2]
            scalings.append(layer.scaling)
            windows.append(layer.window)
        else:
            blob = encode_weights(layer.weights.cpu().numpy())
        packed[f"{number:02d}"] = np.frombuffer(blob, np.uint8)
    kind = "products" if scalings else "weights"
    heads, tokens = derived.pooled.shape[1], len(encoded.ids)
    return Attention(
        shape=(len(layers), heads, tokens, size),
        encoding={"kind": kind, "precision": settings.precision, "scaling": scalings, "windows": windows, "sums": bool(scalings) and not derived.kept},
        packed=packed,
        mean=derived.packed_mean(),
        rollout=derived.packed_rollout(),
        picture=np.frombuffer(draw_heads(derived.pooled), np.uint8),
        summary=derived.summary,
        summary_names=SUMMARY,
        versions=versions(),
    )


class _Derived:
    """What is summed up while the layers go by."""

    def __init__(self, encoded: Encoded, layers: int) -> None:
        self.layers = layers
        self.tokens = len(encoded.ids)
        self.kept = self.tokens <= FULL
        words = np.array(encoded.token_words)
        self.words = torch.tensor(words) + 1  # 0 is for special tokens
        self.special = np.flatnonzero(np.array(encoded.special))
        self.punctuation = torch.tensor([w >= 0 and not any(c.isalnum() for c in encoded.text[slice(*encoded.words[w])]) for w in encoded.token_words])
        self.pooled = np.zeros((layers, 0, 0, 0), np.float32)
        self.summary = np.zeros((layers, 0, len(SUMMARY)), np.float32)
        self.mean = torch.zeros(self.tokens, self.tokens) if self.kept else torch.zeros(0)
        self.rollout = torch.eye(self.tokens) if self.kept else torch.zeros(0)

    def add(self, number: int, layer: Caught | Weights) -> None:
        """Go through one layer."""
        points = min(self.tokens, CELL)
        bins = torch.zeros(self.tokens, points)
        bins[torch.arange(self.tokens), torch.arange(self.tokens) * points // self.tokens] = 1
        bins /= bins.sum(dim=0)
        pooled, shares, means = [], [], []
        for start, on_device in layer.rows():
            rows = on_device.cpu()
            pooled.append(torch.einsum("rp,hrs->hps", bins[start : start + rows.shape[1]], rows @ bins))
            shares.append(self._shares(start, rows))
            if self.kept:
                means.append(rows.mean(dim=0))
        asked = torch.cat(shares, dim=1)[:, self.words > 0]
        if number == 0:
            heads = asked.shape[0]
            self.pooled = np.zeros((self.layers, heads, points, points), np.float32)
            self.summary = np.zeros((self.layers, heads, len(SUMMARY)), np.float32)
        self.pooled[number] = sum(pooled).numpy()  # type: ignore[union-attr]
        self.summary[number] = asked.mean(dim=1).numpy() if asked.shape[1] else 0
        if self.kept:
            mean = torch.cat(means)
            self.mean += mean / self.layers
            self.rollout = (mean + torch.eye(self.tokens)) / 2 @ self.rollout

    def _shares(self, start: int, rows: Tensor) -> Tensor:
        """[H, R, len(SUMMARY)] of rows [H, R, T]."""
        heads, count, tokens = rows.shape
        by_word = torch.zeros(heads, count, int(self.words.max()) + 3).index_add_(2, self.words, rows)
        own = self.words[start : start + count]
        by_word[..., 0] = 0  # the neighbour of the first word is not the special token
        near = [by_word.gather(2, (own + step).clamp(min=0).expand(heads, count)[..., None])[..., 0] for step in (-1, 1, 0)]
        first, last = (rows[..., self.special[at]] if len(self.special) else torch.zeros(heads, count) for at in (0, -1))
        spread = torch.special.entr(rows).sum(-1) / np.log(max(2, tokens))
        return torch.stack([*near, first, last, rows[..., self.punctuation].sum(-1), spread], dim=-1)

    def packed_mean(self) -> Array:
        """uint8 bytes of the mean of all heads."""
        return np.frombuffer(encode_weights(self.mean.numpy()), np.uint8) if self.kept else np.zeros(0, np.uint8)

    def packed_rollout(self) -> Array:
        """uint8 bytes of the rollout: each layer's mean with the residual path, (A + 1) / 2, multiplied through."""
        return np.frombuffer(encode_weights(self.rollout.numpy()), np.uint8) if self.kept else np.zeros(0, np.uint8)
