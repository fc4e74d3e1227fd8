"""Comparisons between explanations of a passage, in plain numbers; the render half uses them too."""

import numpy as np

from gallery.store.records import Array, Chance

TRIALS = 2
"""Version of the numbers of `faithfulness` and `chance`; part of their keys."""
TAKEN, KEPT = 0.1, 0.2
"""Shares of the words, erased and kept, whose probabilities pages give as numbers: computed in the model's own number format."""
VERIFICATION_LIMIT = 0.03
"""Largest difference from Captum's numbers, as a share of the largest contribution, that needs no explaining."""
STEPS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)
"""Shares of the words, erased or kept, at which the probabilities of all classes are stored: the stops of the page's slider."""


def number_of(count: int, share: float) -> int:
    """Return the number of words in a share of `count` words: at least 1, but for a share of 0."""
    return 0 if share == 0 else min(count, max(1, round(share * count)))


def kendall_taus(attributions: Array) -> Array:
    """Return Kendall's tau-b [M, M] between M attributions [M, W] of the same words; 0 where an attribution is constant.

    1 for the same order, -1 for the reverse, 0 for unrelated orders; ties are left out of both counts (Kendall 1945).
    """
    first, second = np.triu_indices(attributions.shape[1], 1)
    signs = np.sign(attributions[:, first] - attributions[:, second]).astype(np.float32)  # float32 counts up to 2^24 pairs exactly
    concordant = signs @ signs.T
    untied = np.sqrt(np.outer(np.diag(concordant), np.diag(concordant)))
    result: Array = np.divide(concordant, untied, out=np.zeros_like(concordant), where=untied > 0)
    return result


def rank_correlation(first: Array, second: Array) -> float:
    """Return Spearman's rho of two arrays, with the mean rank for ties; 0 where an array is constant."""
    a, b = _ranks(first), _ranks(second)
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / spread if spread else 0.0


def _ranks(values: Array) -> Array:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Array = (last - (counts - 1) / 2)[inverse]
    return ranks


def top_overlap(first: Array, second: Array, count: int = 10) -> float:
    """Return the share of the `count` strongest words, or of all where there are fewer, that two attributions [W] have in common.

    Strongest for the class, by signed value; of equal words the earlier is stronger.
    """
    count = min(count, len(first))
    if not count:
        return 1.0
    strongest = [set(np.argsort(-np.asarray(values), kind="stable")[:count].tolist()) for values in (first, second)]
    return len(strongest[0] & strongest[1]) / count


def aopc(whole: Array, curves: Array) -> Array:
    """Return the mean fall [...] of curves [..., S] from the probability of the whole passage, over all shares but 0 and 1."""
    result: Array = whole - curves[..., 1:-1].mean(-1)
    return result


def area(shares: Array, curves: Array) -> Array:
    """Return the areas [...] under curves [..., S] over the shares, by trapezoids."""
    result: Array = ((curves[..., 1:] + curves[..., :-1]) / 2 * np.diff(shares)).sum(-1)
    return result


def chance_measures(control: Chance, target: int) -> dict[str, Array]:
    """Return each random order's AOPC of comprehensiveness and of sufficiency, and the areas under its curves, [R] each."""
    deletion, insertion = control.deletion[..., target], control.insertion[..., target]
    return {
        "aopc_comprehensiveness": aopc(deletion[:, 0], deletion),
        "aopc_sufficiency": aopc(deletion[:, 0], insertion),
        "deletion_area": area(control.shares, deletion),
        "insertion_area": area(control.shares, insertion),
    }
