"""Sums over a passage's attention, taken layer by layer: the mean of all heads, rollout, a summary of each head, the picture's cells."""

import numpy as np
import torch
from torch import Tensor

from gallery.attention.encoding import encode_mean
from gallery.attention.layer import Layer
from gallery.attention.picture import CELL
from gallery.attention.rollout import roll_on
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array

FULL = 1024
"""Longest passage, in tokens, whose mean and rollout (T×T each) are kept."""
SUMMARY = ("previous", "next", "self", "first", "separator", "punctuation", "spread")
"""Numbers that sum up a head: the shares of its attention to the previous and the next word, to the word itself, to the first and the
last special token and to punctuation; and its spread, the entropy over the logarithm of the number of tokens."""


class Derived:
    """Takes the layers of one passage in order, and keeps none of them: memory grows with T, and not with the layers."""

    def __init__(self, tokenized: Tokenized, layers: int) -> None:
        self.layers = layers
        self.tokens = len(tokenized.ids)
        self.kept = self.tokens <= FULL
        words = np.array(tokenized.token_words)
        self.words = torch.tensor(words) + 1  # 0 is for special tokens
        self.special = np.flatnonzero(np.array(tokenized.special))
        self.punctuation = torch.tensor([w >= 0 and not any(c.isalnum() for c in tokenized.text[slice(*tokenized.words[w])]) for w in tokenized.token_words])
        self.pooled = np.zeros((layers, 0, 0, 0), np.float32)
        self.summary = np.zeros((layers, 0, len(SUMMARY)), np.float32)
        self.mean = torch.zeros(self.tokens, self.tokens) if self.kept else torch.zeros(0)
        self.rollout = torch.eye(self.tokens) if self.kept else torch.zeros(0)

    def add(self, number: int, layer: Layer) -> None:
        """Add a layer to the sums."""
        points = min(self.tokens, CELL)
        bins = torch.zeros(self.tokens, points)
        bins[torch.arange(self.tokens), torch.arange(self.tokens) * points // self.tokens] = 1
        bins /= bins.sum(dim=0)
        # Results are written into tensors made beforehand: small tensors kept between large ones would stop the system from
        # taking back the memory of the large ones.
        pooled = shares = torch.zeros(0)
        mean = torch.zeros_like(self.mean)
        for start, on_device in layer.rows():
            rows = on_device.cpu()
            heads, end = rows.shape[0], start + rows.shape[1]
            if start == 0:
                pooled, shares = torch.zeros(heads, points, points), torch.zeros(heads, self.tokens, len(SUMMARY))
            pooled += torch.einsum("rp,hrs->hps", bins[start:end], rows @ bins)
            shares[:, start:end] = self._shares(start, rows)
            if self.kept:
                mean[start:end] = rows.mean(dim=0)
        of_words = shares[:, self.words > 0]
        if number == 0:
            self.pooled = np.zeros((self.layers, *pooled.shape), np.float32)
            self.summary = np.zeros((self.layers, len(shares), len(SUMMARY)), np.float32)
        self.pooled[number] = pooled.numpy()
        self.summary[number] = of_words.mean(dim=1).numpy() if of_words.shape[1] else 0
        if self.kept:
            self.mean += mean / self.layers
            self.rollout = roll_on(self.rollout, mean)

    def _shares(self, start: int, rows: Tensor) -> Tensor:
        """Return the summary [H, R, len(SUMMARY)] of each of the rows [H, R, T]."""
        heads, count, tokens = rows.shape
        by_word = torch.zeros(heads, count, int(self.words.max()) + 3).index_add_(2, self.words, rows)
        own = self.words[start : start + count]
        by_word[..., 0] = 0  # the neighbour of the first word is not the special token
        near = [by_word.gather(2, (own + step).clamp(min=0).expand(heads, count)[..., None])[..., 0] for step in (-1, 1, 0)]
        first, last = (rows[..., self.special[at]] if len(self.special) else torch.zeros(heads, count) for at in (0, -1))
        spread = torch.special.entr(rows).sum(-1) / np.log(max(2, tokens))
        return torch.stack([*near, first, last, rows[..., self.punctuation].sum(-1), spread], dim=-1)

    def packed_mean(self, fineness: str) -> Array:
        """Return the encoded mean of all heads as uint8 bytes; none for a passage longer than FULL."""
        return np.frombuffer(encode_mean(self.mean.numpy(), fineness), np.uint8) if self.kept else np.zeros(0, np.uint8)

    def packed_rollout(self, fineness: str) -> Array:
        """Return the encoded rollout as uint8 bytes; none for a passage longer than FULL."""
        return np.frombuffer(encode_mean(self.rollout.numpy(), fineness), np.uint8) if self.kept else np.zeros(0, np.uint8)
