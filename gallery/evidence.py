"""Linear experts: what single pieces and pairs of pieces say about the author, learned out of fold.

A linear model over pieces carries from one work to another far better than a fine-tuned transformer does. Its
weights for single pieces become the first features of the network, its verdict on a crop the network's teacher;
both come from a model that has not seen the crop's work, so the network learns what holds across works.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

BUCKETS = 2**18


@dataclass(frozen=True)
class Expert:
    """One linear model: weight [BUCKETS, C], bias [C], and the scale that each feature is read with."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    scale: NDArray[np.float32]
    pairs: bool


def counts(crops: list[NDArray[np.int64]], vocabulary: int, pairs: bool) -> sparse.csr_matrix:
    """Return counts [N, BUCKETS] of pieces, and of hashed pairs of neighbours; ids up to 3 (special) do not count."""
    rows, columns = [], []
    for row, ids in enumerate(crops):
        features = ids[ids > 3]
        if pairs:
            left, right = ids[:-1], ids[1:]
            hashed = (left * 1000003 + right * 7919) % (BUCKETS - vocabulary) + vocabulary
            features = np.concatenate([features, hashed[(left > 3) & (right > 3)]])
        columns.append(features)
        rows.append(np.full(len(features), row))
    flat = (np.ones(sum(map(len, columns)), np.float32), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_matrix(flat, shape=(len(crops), BUCKETS))


def _read(matrix: sparse.csr_matrix, scale: NDArray[np.float32], pairs: bool) -> sparse.csr_matrix:
    """Return features scaled by rarity and brought to length 1; logarithmic in the count where there are pairs."""
    matrix = matrix.copy()
    if pairs:
        matrix.data = 1 + np.log(matrix.data)
    matrix = matrix.multiply(scale[None]).tocsr()
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(1)).ravel()) + 1e-9
    return sparse.diags_array((1 / length).astype(np.float32)) @ matrix


def fit(crops: list[NDArray[np.int64]], authors: NDArray[np.int64], vocabulary: int, pairs: bool) -> Expert:
    """Fit a linear SVM on crops; a feature must occur in 1 of 1,500 crops, at least three."""
    matrix = counts(crops, vocabulary, pairs)
    share = np.asarray((matrix > 0).sum(0)).ravel() / len(crops)
    kept = share > max(1 / 1500, 2 / len(crops))
    scale = np.where(kept, np.log(1 / np.maximum(share, 1e-6)) + 0.1, 0).astype(np.float32)
    model = LinearSVC(C=0.3, random_state=0).fit(_read(matrix, scale, pairs), authors)
    weight = model.coef_.T.astype(np.float32)
    return Expert(weight, model.intercept_.astype(np.float32), scale, pairs)


def decide(expert: Expert, crops: list[NDArray[np.int64]], vocabulary: int) -> NDArray[np.float32]:
    """Return the expert's decision values [N, C]."""
    features = _read(counts(crops, vocabulary, expert.pairs), expert.scale, expert.pairs)
    return np.asarray(features @ expert.weight + expert.bias, np.float32)


def piece_table(expert: Expert, vocabulary: int) -> NDArray[np.float32]:
    """Return what each piece alone says, [V, C]: zero mean over authors, special tokens silent."""
    table = (expert.weight * expert.scale[:, None])[:vocabulary]
    table[:4] = 0
    centred: NDArray[np.float32] = table - table.mean(1, keepdims=True)
    return centred
