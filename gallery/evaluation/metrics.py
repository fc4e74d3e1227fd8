"""How explanations of the same passage compare; plain numbers, for the render half too."""

from collections.abc import Sequence

import numpy as np

from gallery.store.records import Array, Chance, Faithfulness


def kendall_taus(attributions: Array) -> Array:
    """Return [M, M] Kendall's tau-b between M attributions [M, W] of the same words; 0 where one of them is constant.

    1 for the same order, -1 for the reverse, 0 for none in common; ties are taken out of both counts (Kendall 1945).
    """
    first, second = np.triu_indices(attributions.shape[1], 1)
    signs = np.sign(attributions[:, first] - attributions[:, second]).astype(np.float32)  # sums stay whole below 2^24 pairs
    concordant = signs @ signs.T
    untied = np.sqrt(np.outer(np.diag(concordant), np.diag(concordant)))
    result: Array = np.divide(concordant, untied, out=np.zeros_like(concordant), where=untied > 0)
    return result


def rank_correlation(first: Array, second: Array) -> float:
    """Return Spearman's rho of two arrays, ties sharing their mean rank; 0 where one is constant."""
    a, b = _ranks(first), _ranks(second)
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / spread if spread else 0.0


def _ranks(values: Array) -> Array:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Array = (last - (counts - 1) / 2)[place]
    return ranks


def top_overlap(first: Array, second: Array, count: int = 10) -> float:
    """Return the share of the `count` strongest words that two attributions [W] have in common; of all words where there are fewer.

    Strongest for the class, by signed value; ties go to the earlier word.
    """
    count = min(count, len(first))
    if not count:
        return 1.0
    strongest = [set(np.argsort(-np.asarray(values), kind="stable")[:count].tolist()) for values in (first, second)]
    return len(strongest[0] & strongest[1]) / count


def aopc(whole: Array, curves: Array) -> Array:
    """Return [...] the mean loss over the shares of [..., S] curves against the probability of the whole passage, both ends left out."""
    result: Array = whole - curves[..., 1:-1].mean(-1)
    return result


def area(shares: Array, curves: Array) -> Array:
    """Return [...] areas under [..., S] curves over the shares, by trapezoids."""
    result: Array = ((curves[..., 1:] + curves[..., :-1]) / 2 * np.diff(shares)).sum(-1)
    return result


def chance_measures(control: Chance, target: int) -> dict[str, Array]:
    """Return [R] each random order's AOPC of comprehensiveness and of sufficiency, and the areas under its curves."""
    deletion, insertion = control.deletion[..., target], control.insertion[..., target]
    return {
        "aopc_comprehensiveness": aopc(deletion[:, 0], deletion),
        "aopc_sufficiency": aopc(deletion[:, 0], insertion),
        "deletion_area": area(control.shares, deletion),
        "insertion_area": area(control.shares, insertion),
    }


def normalised_aopc(found: Sequence[Faithfulness], control: Chance) -> tuple[list[float | None], list[float]]:
    """Return each method's area over the perturbation curve as a share of what any order reaches on this passage and class, and each random order's.

    0 for the worst order tried and 1 for the best, among all methods given, their reverses and the random orders: limits of
    the kind that normalised AOPC (Edin et al. 2024, arXiv:2408.08137) takes from a beam search, without its cost in the
    square of the words, and never wider than those. None, and no random ones, where all orders do alike.
    """
    random = chance_measures(control, found[0].target)["aopc_comprehensiveness"].tolist() if found else []
    tried = [value for one in found for value in (one.measures["aopc_comprehensiveness"], one.measures["aopc_reverse"])] + random
    low, high = min(tried, default=0.0), max(tried, default=0.0)
    if not high > low:
        return [None] * len(found), []
    return [(one.measures["aopc_comprehensiveness"] - low) / (high - low) for one in found], [(value - low) / (high - low) for value in random]
