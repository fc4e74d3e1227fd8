"""A linear model that adds up over the tokens of a passage: what each piece says, and each pair of neighbours.

Its logits for a passage of T tokens are Σ (piece + pair) / (T + SHRINK): surer of longer passages, and silent on an
empty one or on words that are masked. Names are unknown to it (Crop.masked).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize

from gallery.training.corpus import Work

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]

#: Tokens' worth of saying nothing that a passage is averaged with.
SHRINK = 150.0
#: Lengths of the training crops and their shares; together they cover every work once.
TILES = ((126, 0.25), (254, 0.45), (508, 0.3))


@dataclass(frozen=True)
class Additive:
    """pieces [V, C]; keys [P] of pairs, left * V + right, in order; pairs [P, C]; mass [P] of each in the weighted training crops."""

    pieces: Floats
    keys: Ids
    pairs: Floats
    mass: Floats

    def logits(self, crops: list[Ids]) -> Floats:
        """Return the logits [N, C] of crops without special tokens."""
        features = _features(crops, len(self.pieces), self.keys)
        return np.asarray(features @ np.concatenate([self.pieces, self.pairs]), np.float32)


@dataclass(frozen=True)
class Tiles:
    """Crops of the training works: ids with names unknown, author [N], and weight [N], authors alike and works by √length."""

    ids: list[Ids]
    author: Ids
    weight: NDArray[np.float64]


def tile(works: list[Work], seed: int) -> Tiles:
    """Return each work cut into pieces of random TILES lengths, so that every token is in one crop."""
    draw = np.random.default_rng(seed)
    lengths, shares = zip(*TILES, strict=True)
    ids, author, weight = [], [], []
    for work in works:
        known = np.where(work.name, 3, work.ids)
        mine: list[Ids] = []
        at = 0
        while at < len(known):
            end = min(len(known), at + int(draw.choice(lengths, p=shares)))
            if end - at >= 40 or not mine:
                mine.append(known[at:end])
            at = end
        ids += mine
        author += [work.author] * len(mine)
        weight += [math.sqrt(len(known)) / len(mine)] * len(mine)
    authors, weights = np.array(author), np.array(weight)
    # A work of a page is no eighth of its author, however few works there are.
    weights = np.minimum(weights, 8 * np.median(weights))
    return Tiles(ids, authors, weights / np.bincount(authors, weights)[authors])


def fit_additive(tiles: Tiles, vocabulary: int, authors: int, *, least: int = 12, decay: float = 3e-7, iterations: int = 60) -> Additive:
    """Return the model fitted by softmax regression with L-BFGS; a pair counts if it is in at least `least` crops.

    Features are scaled by their rarity, so that the common decay holds back rare ones less.
    """
    keys, found = np.unique(np.concatenate([np.unique(_pairs(ids, vocabulary)) for ids in tiles.ids]), return_counts=True)
    keys = keys[found >= least]
    features = _features(tiles.ids, vocabulary, keys)
    share = np.asarray((features > 0).sum(0)).ravel() / features.shape[0]
    scale = 4 * np.where(share > 0, np.log(1 / np.maximum(share, 1e-6)) + 0.1, 0)
    scale[vocabulary:] *= 0.7
    weights = _softmax_regression((features @ sparse.diags_array(scale.astype(np.float32))).tocsr(), tiles, authors, decay, iterations)
    weights = (weights * scale[:, None]).astype(np.float32)
    weights -= weights.mean(1, keepdims=True)
    mass = np.asarray(features[:, vocabulary:].T @ tiles.weight, np.float32)
    return Additive(weights[:vocabulary], keys, weights[vocabulary:], mass)


def _softmax_regression(features: sparse.csr_matrix, tiles: Tiles, authors: int, decay: float, iterations: int) -> NDArray[np.float64]:
    """Return weights [F, C] of least weighted cross-entropy plus decay / 2 times their square."""
    size, width = features.shape
    back = features.T.tocsr()
    weight = (tiles.weight / tiles.weight.sum()).astype(np.float32)
    rows = np.arange(size)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        now = flat.reshape(width, authors).astype(np.float32)
        values = features @ now
        values = np.exp(values - values.max(1, keepdims=True))
        values /= values.sum(1, keepdims=True)
        cost = -float((weight * np.log(values[rows, tiles.author] + 1e-9)).sum()) + 0.5 * decay * float((now * now).sum())
        values[rows, tiles.author] -= 1
        return cost, np.asarray(back @ (values * weight[:, None]) + decay * now, np.float64).ravel()

    found = minimize(loss, np.zeros(width * authors), jac=True, method="L-BFGS-B", options={"maxiter": iterations, "maxcor": 6})
    weights: NDArray[np.float64] = found.x.reshape(width, authors)
    return weights


def _pairs(ids: Ids, vocabulary: int) -> Ids:
    """Return the keys of a crop's pairs of neighbours; special tokens (ids to 3) make none."""
    left, right = ids[:-1].astype(np.int64), ids[1:].astype(np.int64)
    keys: Ids = (left * vocabulary + right)[(left > 3) & (right > 3)]
    return keys


def _features(crops: list[Ids], vocabulary: int, keys: Ids) -> sparse.csr_matrix:
    """Return counts / (T + SHRINK) of pieces and of the pairs in keys, [N, V + P]."""
    rows, columns, values = [], [], []
    for row, ids in enumerate(crops):
        pairs = _pairs(ids, vocabulary)
        at = np.minimum(np.searchsorted(keys, pairs), max(0, len(keys) - 1))
        known = at[keys[at] == pairs] + vocabulary if len(keys) else at[:0]
        columns.append(np.concatenate([ids[ids > 3].astype(np.int64), known]))
        rows.append(np.full(len(columns[-1]), row))
        values.append(np.full(len(columns[-1]), 1 / (len(ids) + SHRINK), np.float32))
    places = (np.concatenate(rows), np.concatenate(columns))
    matrix = sparse.csr_matrix((np.concatenate(values), places), shape=(len(crops), vocabulary + len(keys)))
    matrix.sum_duplicates()
    return matrix
