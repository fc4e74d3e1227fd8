"""How far a classifier's probabilities can be trusted, and when a passage looks like none of its authors'.

Needs no torch. `calibration.json` lies beside the weights; `calibration_file` reads it:

    {
      "version": 1,
      "score": "energy",                    name of a function in SCORES; higher means more like a known author
      "coverage": 0.9,                      share of passages whose prediction set must hold the true author
      "levels": [0.0, 0.005, ..., 1.0],     levels of the quantiles below
      "lengths": {
        "64": {                             passage length in tokens, special tokens included
          "n": 320,                         held-out passages measured
          "temperature": 1.15,              what logits of this length may be divided by; the others are of logits as they are
          "score_quantiles": [...],         the score's quantile at each level, over the known authors' passages
          "conformal_quantile": 0.97,       the set is every author with 1 - probability <= this; 1 if there are too few passages
          "reliability": [{"low": 0.0, "high": 0.1, "n": 3, "confidence": 0.08, "accuracy": 0.33,
                           "interval": [0.0, 1.0]}, ...]
        }, ...
      },
      "works": [...],                       the works that the passages come from; training saw none of them whole
      "outside": {"64": {...}}              how well the score tells authors who are no classes from those who are
    }

A reader takes the length nearest to the passage's own, by ratio (`nearest_length`).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Quantile levels of calibration.json: finer at the low end, where a passage may be somebody else's.
LEVELS = (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, *(round(0.1 * n, 1) for n in range(1, 10)), 0.95, 1.0)


def energy(logits: Floats) -> Floats:
    """Return log Σ exp(logit), [N] of [N, C]; Liu et al. 2020 (arXiv:2010.03759), with the sign that makes high known."""
    top: Floats = logits.max(1)
    total: Floats = top + np.log(np.exp(logits - top[:, None]).sum(1))
    return total


def max_logit(logits: Floats) -> Floats:
    """Return the largest logit, [N] of [N, C]; Hendrycks et al. 2022 (arXiv:1911.11132)."""
    top: Floats = logits.max(1)
    return top


def max_probability(logits: Floats) -> Floats:
    """Return the largest probability, [N] of [N, C]; Hendrycks and Gimpel 2017 (arXiv:1610.02136)."""
    best: Floats = np.exp(max_logit(logits) - energy(logits))
    return best


def margin(logits: Floats) -> Floats:
    """Return the distance of the largest logit to the second largest, [N] of [N, C]."""
    ordered = np.sort(logits, axis=1)
    gap: Floats = ordered[:, -1] - ordered[:, -2]
    return gap


#: Scores that need logits alone, so that any classifier has them.
SCORES: dict[str, Callable[[Floats], Floats]] = {
    "energy": energy,
    "max_logit": max_logit,
    "max_probability": max_probability,
    "margin": margin,
}


def auroc(known: Floats, other: Floats) -> float:
    """Return the chance that a known author's passage scores above another's, ties counting half; scores [N] and [M]."""
    both = np.concatenate([known, other])
    order = np.argsort(both, kind="stable")
    rank = np.empty(len(both))
    rank[order] = np.arange(1, len(both) + 1)
    _, place, count = np.unique(both, return_inverse=True, return_counts=True)
    rank = (np.bincount(place, rank) / count)[place]
    return float((rank[: len(known)].sum() - len(known) * (len(known) + 1) / 2) / (len(known) * len(other)))


def share_below(score: float, quantiles: Sequence[float], levels: Sequence[float] = LEVELS) -> float:
    """Return the share of known authors' passages that score this low or lower, interpolated between quantiles."""
    return float(np.interp(score, quantiles, levels))


def conformal_quantile(nonconformity: Floats, coverage: float) -> float:
    """Return the split-conformal threshold: the ceil((n + 1) coverage)-th smallest of n scores, infinite if there are too few.

    Angelopoulos and Bates 2021 (arXiv:2107.07511), section 1; nonconformity [n] is 1 - probability of the true class.
    """
    rank = math.ceil((len(nonconformity) + 1) * coverage)
    return float(np.sort(nonconformity)[rank - 1]) if rank <= len(nonconformity) else math.inf


def prediction_set(probabilities: Floats, quantile: float) -> NDArray[np.bool_]:
    """Return which classes cannot be excluded, [N, C]: 1 - probability <= quantile, and always the likeliest class."""
    inside: NDArray[np.bool_] = 1 - probabilities <= quantile
    inside[np.arange(len(probabilities)), probabilities.argmax(1)] = True
    return inside


def reliability(confidence: Floats, right: NDArray[np.bool_], bins: int = 10, draws: int = 1000) -> list[dict[str, Any]]:
    """Return the bins of a reliability diagram: confidence [N] against how often the model is right [N].

    Bins have equal width; interval is the 95 % bootstrap interval of a bin's accuracy. Empty bins have None for
    confidence, accuracy and interval. Guo et al. 2017 (arXiv:1706.04599).
    """
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    generator = np.random.default_rng(0)
    table = []
    for number in range(bins):
        some = right[place == number]
        row: dict[str, Any] = {"low": round(number / bins, 4), "high": round((number + 1) / bins, 4), "n": len(some)}
        row |= {"confidence": None, "accuracy": None, "interval": None}
        if len(some):
            resampled = generator.binomial(len(some), some.mean(), draws) / len(some)
            low, high = np.quantile(resampled, (0.025, 0.975))
            row |= {"confidence": round(float(confidence[place == number].mean()), 4), "accuracy": round(float(some.mean()), 4)}
            row["interval"] = [round(float(low), 4), round(float(high), 4)]
        table.append(row)
    return table


def softmax(logits: Floats) -> Floats:
    """Return the probabilities [N, C] of logits [N, C]."""
    probabilities: Floats = np.exp(logits - energy(logits)[:, None])
    return probabilities


def nearest_length(tokens: int, lengths: Sequence[int]) -> int:
    """Return the measured length whose ratio to the passage's tokens is nearest to 1."""
    return min(lengths, key=lambda length: abs(math.log(length / max(tokens, 1))))


def choose_score(known: Floats, other: Floats) -> str:
    """Return the name of the score that tells logits of known authors [N, C] from others' [M, C] best."""
    return max(SCORES, key=lambda name: auroc(SCORES[name](known), SCORES[name](other)))


def temperature(logits: Floats, truth: NDArray[np.int64]) -> float:
    """Return the divisor of the logits [N, C] with the least cross-entropy to truth [N]; Guo et al. 2017 (arXiv:1706.04599)."""
    grid = np.geomspace(0.2, 5, 200)
    rows = np.arange(len(truth))
    losses = [float((energy(logits / divisor) - (logits / divisor)[rows, truth]).mean()) for divisor in grid]
    return float(grid[int(np.argmin(losses))])


def calibrate(measured: dict[int, tuple[Floats, NDArray[np.int64]]], score: str, coverage: float = 0.9) -> dict[str, Any]:
    """Return what calibration.json holds of logits [N, C] and true classes [N] by passage length."""
    lengths = {}
    for length, (logits, truth) in measured.items():
        probabilities = softmax(logits)
        nonconformity = 1 - probabilities[np.arange(len(truth)), truth]
        lengths[str(length)] = {
            "n": len(truth),
            "temperature": round(temperature(logits, truth), 4),
            "score_quantiles": [round(float(value), 4) for value in np.quantile(SCORES[score](logits), LEVELS)],
            "conformal_quantile": round(min(1.0, conformal_quantile(nonconformity, coverage)), 6),
            "reliability": reliability(probabilities.max(1), probabilities.argmax(1) == truth),
        }
    return {"version": 1, "score": score, "coverage": coverage, "levels": list(LEVELS), "lengths": lengths}
