"""Passages with words taken out, and what the model says to them."""

import hashlib

import numpy as np
import torch

from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array


def erased_logits(classifier: Classifier, tokenized: Tokenized, kept: Array, erase: str, rounded: bool = False) -> Array:
    """Return [N, C] float64 logits of a passage of which only some words are kept.

    kept [N, W] bool; every piece of a word that is not kept is replaced by the `mask` or `pad` token, so that length
    and positions stay. Rows alike are asked once; rounded as in `Classifier.logits`. Cost: one forward pass a row, and
    window; the windows' logits are averaged.
    """
    if tokenized.windows:
        each = [erased_logits(classifier, window.tokenized, np.asarray(kept)[:, list(window.words)], erase, rounded) for window in tokenized.windows]
        mean: Array = np.mean(each, axis=0)
        return mean
    blank = np.array(classifier.baseline_ids(tokenized, erase))
    own = np.array(tokenized.ids)
    owner = np.array(tokenized.token_words)
    rows, back = np.unique(np.asarray(kept, bool), axis=0, return_inverse=True)
    size = max(1, classifier.batch_tokens // len(own))
    found = []
    for first in range(0, len(rows), size):
        keep = np.where(owner >= 0, rows[first : first + size][:, owner], True)
        found.append(classifier.logits(np.where(keep, own, blank).tolist(), rounded).double())
    result: Array = torch.cat(found).cpu().numpy()[back.reshape(-1)]
    return result


def spread_words(tokenized: Tokenized, words: Array) -> Array:
    """Return [T] tokens' values of [W] words': each word's divided equally among its pieces, special tokens 0."""
    owner = np.array(tokenized.token_words)
    pieces = np.bincount(owner[owner >= 0], minlength=len(tokenized.words))
    result: Array = np.where(owner >= 0, (np.asarray(words) / np.maximum(pieces, 1))[owner], 0.0)
    return result


def generator_of(tokenized: Tokenized) -> np.random.Generator:
    """Return random numbers that depend on the passage alone."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(tokenized.text.encode()).digest()[:8], "little"))
