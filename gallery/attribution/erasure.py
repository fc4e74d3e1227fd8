"""The model's logits for a passage without some of its words."""

import hashlib

import numpy as np
import torch

from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array


def erased_logits(classifier: Classifier, tokenized: Tokenized, kept: Array, erase: str, bf16: bool = False) -> Array:
    """Return float64 logits [N, C] of a passage with some of its words erased.

    kept [N, W] bool. Every piece of a word that is not kept is replaced by the `mask` or `pad` token, so that length and
    positions stay. bf16 as in `Classifier.logits`. Logits of windows are averaged.
    Cost: one forward pass for each distinct row, in each window.
    """
    if tokenized.windows:
        each = [erased_logits(classifier, window.tokenized, np.asarray(kept)[:, list(window.words)], erase, bf16) for window in tokenized.windows]
        mean: Array = np.mean(each, axis=0)
        return mean
    blank = np.array(classifier.baseline_ids(tokenized, erase))
    own = np.array(tokenized.ids)
    owner = np.array(tokenized.token_words)
    rows, row_of = np.unique(np.asarray(kept, bool), axis=0, return_inverse=True)
    size = max(1, classifier.batch_tokens // len(own))
    logits = []
    for first in range(0, len(rows), size):
        keep = np.where(owner >= 0, rows[first : first + size][:, owner], True)
        logits.append(classifier.logits(np.where(keep, own, blank).tolist(), bf16, place_of=tokenized.ids).double())
    result: Array = torch.cat(logits).cpu().numpy()[row_of.reshape(-1)]
    return result


def spread_words(tokenized: Tokenized, words: Array) -> Array:
    """Return values of the tokens [T] from those of the words [W]: divided equally among a word's pieces, 0 for special tokens."""
    owner = np.array(tokenized.token_words)
    pieces = np.bincount(owner[owner >= 0], minlength=len(tokenized.words))
    result: Array = np.where(owner >= 0, (np.asarray(words) / np.maximum(pieces, 1))[owner], 0.0)
    return result


def generator_of(tokenized: Tokenized) -> np.random.Generator:
    """Return a generator of random numbers that depend on the passage alone."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(tokenized.text.encode()).digest()[:8], "little"))
