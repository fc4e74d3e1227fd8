"""How explanations of the same passage compare; plain numbers, for the render half too."""

from collections.abc import Sequence

import numpy as np

from gallery.records import Array, Faithfulness


def kendall_tau(first: Array, second: Array) -> float:
    """Return Kendall's tau-b between two attributions [W] of the same words; 0 where one of them is constant.

    1 for the same order, -1 for the reverse, 0 for none in common; ties are taken out of both counts (Kendall 1945).
    """
    upper = np.triu_indices(len(first), 1)
    a = np.sign(np.subtract.outer(first, first)[upper])
    b = np.sign(np.subtract.outer(second, second)[upper])
    untied = np.sqrt(float(np.abs(a).sum()) * float(np.abs(b).sum()))
    return float((a * b).sum() / untied) if untied else 0.0


def top_overlap(first: Array, second: Array, count: int = 10) -> float:
    """Return the share of the `count` strongest words that two attributions [W] have in common; of all words where there are fewer.

    Strongest for the class, by signed value; ties go to the earlier word.
    """
    count = min(count, len(first))
    if not count:
        return 1.0
    strongest = [set(np.argsort(-np.asarray(values), kind="stable")[:count].tolist()) for values in (first, second)]
    return len(strongest[0] & strongest[1]) / count


def normalised_aopc(found: Sequence[Faithfulness]) -> list[float | None]:
    """Return each method's area over the perturbation curve as a share of what any order reaches on this passage and class.

    0 for the worst order tried and 1 for the best, among all methods given, their reverses and the random orders: limits of
    the kind that normalised AOPC (Edin et al. 2024, arXiv:2408.08137) takes from a beam search, without its cost in the
    square of the words, and never wider than those. None where all orders do alike.
    """
    tried = [value for one in found for value in _tried(one)]
    low, high = min(tried, default=0.0), max(tried, default=0.0)
    return [(one.measures["aopc_comprehensiveness"] - low) / (high - low) if high > low else None for one in found]


def _tried(one: Faithfulness) -> list[float]:
    measures = one.measures
    return [measures["aopc_comprehensiveness"], measures["aopc_reverse"], *measures["random_aopc_comprehensiveness"]]
