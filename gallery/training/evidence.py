"""Linear experts: what single pieces and pairs of pieces say about the author, learned out of fold.

A linear model over pieces carries from one work to another far better than a plainly fine-tuned transformer. Its
weights for single pieces become the network's first features, its verdict on a crop the network's teacher; both
come from a model that has not seen the crop's work, so that the network learns what holds across works.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.svm import LinearSVC

from gallery.softmax import log_softmax
from gallery.training.crops import Crop, Sampler

BUCKETS = 2**18
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Expert:
    """One linear model: weight [BUCKETS, C], bias [C], and the scale [BUCKETS] that each feature is read with."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    scale: NDArray[np.float32]
    pairs: bool


@dataclass(frozen=True)
class Experts:
    """The linear models of all folds.

    tables [folds + 1, V, C], what each piece says to those who have not seen fold f, the last to those who have seen
    all; teachers, one a fold, on pieces and pairs; sharpness, slope and offset of the logarithm of the factor that
    makes probabilities of a teacher's decision values, over the logarithm of the crop's length.
    """

    tables: NDArray[np.float32]
    teachers: list[Expert]
    sharpness: tuple[float, float]

    def probabilities(self, crops: list[Ids], folds: list[int], length: int) -> NDArray[np.float32]:
        """Return what the teacher who has not seen each crop thinks of it, [B, C]."""
        values = np.zeros((len(crops), self.tables.shape[2]), np.float32)
        for fold in set(folds):
            rows = [row for row, other in enumerate(folds) if other == fold]
            values[rows] = decide(self.teachers[fold], [crops[row] for row in rows], self.tables.shape[1])
        slope, offset = self.sharpness
        return np.exp(log_softmax(values * math.exp(slope * math.log(length) + offset)))


def count(crops: list[Ids], vocabulary: int, pairs: bool) -> sparse.csr_matrix:
    """Return counts [N, BUCKETS] of pieces, and of hashed pairs of neighbours; special tokens (ids to 3) are silent."""
    rows, columns = [], []
    for row, ids in enumerate(crops):
        features = ids[ids > 3]
        if pairs:
            left, right = ids[:-1], ids[1:]
            hashed = (left * 1000003 + right * 7919) % (BUCKETS - vocabulary) + vocabulary
            features = np.concatenate([features, hashed[(left > 3) & (right > 3)]])
        rows.append(np.full(len(features), row))
        columns.append(features)
    where = (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_matrix((np.ones(len(where[0]), np.float32), where), shape=(len(crops), BUCKETS))


def fit(crops: list[Ids], authors: Ids, vocabulary: int, pairs: bool) -> Expert:
    """Return a linear SVM fitted on crops; a feature counts if it is in more than two crops and 1 of 1,500."""
    counts = count(crops, vocabulary, pairs)
    share = np.asarray((counts > 0).sum(0)).ravel() / len(crops)
    kept = share > max(1 / 1500, 2 / len(crops))
    scale = np.where(kept, np.log(1 / np.maximum(share, 1e-6)) + 0.1, 0).astype(np.float32)
    model = LinearSVC(C=0.3, random_state=0).fit(_scaled(counts, scale, pairs), authors)
    weight, bias = model.coef_.T, model.intercept_
    if weight.shape[1] == 1:
        # scikit-learn gives two classes one decision value.
        weight, bias = np.hstack([-weight, weight]), np.hstack([-bias, bias])
    return Expert(weight.astype(np.float32), bias.astype(np.float32), scale, pairs)


def decide(expert: Expert, crops: list[Ids], vocabulary: int) -> NDArray[np.float32]:
    """Return the expert's decision values [N, C]."""
    features = _scaled(count(crops, vocabulary, expert.pairs), expert.scale, expert.pairs)
    return np.asarray(features @ expert.weight + expert.bias, np.float32)


def piece_table(expert: Expert, vocabulary: int) -> NDArray[np.float32]:
    """Return what each piece alone says, [V, C]: zero mean over authors, special tokens silent."""
    table = (expert.weight * expert.scale[:, None])[:vocabulary]
    table[:4] = 0
    centred: NDArray[np.float32] = table - table.mean(1, keepdims=True)
    return centred


def learn_experts(sampler: Sampler, vocabulary: int, folds: int, crops: int) -> Experts:
    """Fit the models of every fold on that many crops an author, names masked, and measure how sure they may be."""
    labels = np.repeat(np.arange(len(sampler.works)), crops)
    tables, teachers = [], []
    unseen: list[list[Crop]] = []
    for fold in range(folds + 1):
        drawn = [sampler.crop(int(author), 256, outside=fold).masked() for author in labels]
        table = piece_table(fit(drawn, labels, vocabulary, pairs=False), vocabulary)
        tables.append(table / (table[np.concatenate(drawn)].std() + 1e-9))
        if fold < folds:
            teachers.append(fit(drawn, labels, vocabulary, pairs=True))
            some = [sampler.crop(int(author), 508) for author in labels[::4]]
            unseen.append([crop for crop in some if crop.work.fold[crop.start] == fold])
        print(f"experts: fold {fold + 1} of {folds + 1}", flush=True)
    points = []
    for length in (64, 254, 508):
        values, truth = [], []
        for teacher, held in zip(teachers, unseen, strict=True):
            values.append(decide(teacher, [crop.masked()[:length] for crop in held], vocabulary))
            truth += [crop.work.author for crop in held]
        decisions, target = np.concatenate(values), np.array(truth)
        factors = np.linspace(-1, 4, 60)
        losses = [_cross_entropy(decisions * math.exp(factor), target) for factor in factors]
        points.append((math.log(length), float(factors[int(np.argmin(losses))])))
        right = float((decisions.argmax(1) == target).mean())
        print(f"experts: out of fold at {length} tokens {right:.3f}, loss {min(losses):.3f}", flush=True)
    slope, offset = np.polyfit([x for x, _ in points], [y for _, y in points], 1)
    return Experts(np.stack(tables), teachers, (float(slope), float(offset)))


def _scaled(counts: sparse.csr_matrix, scale: NDArray[np.float32], pairs: bool) -> sparse.csr_matrix:
    """Return features scaled by rarity and brought to length 1.

    Single pieces count as often as they occur, so that their weights add up over a passage as in a mean; pairs by the
    logarithm, which serves a linear model better.
    """
    features = counts.copy()
    if pairs:
        features.data = 1 + np.log(features.data)
    features = features.multiply(scale[None]).tocsr()
    size = np.sqrt(np.asarray(features.multiply(features).sum(1)).ravel()) + 1e-9
    return sparse.diags_array((1 / size).astype(np.float32)) @ features


def _cross_entropy(values: NDArray[np.float32], truth: Ids) -> float:
    return float(-log_softmax(values)[np.arange(len(truth)), truth].mean())
