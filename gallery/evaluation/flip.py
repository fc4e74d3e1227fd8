"""How many words hold the model's answer: the fewest words found without which it is another."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gallery.attribution.erasure import erased_logits
from gallery.evaluation.faithfulness import random_orders
from gallery.evaluation.metrics import number_of
from gallery.model.classifier import Classifier, versions
from gallery.model.tokenized import Tokenized
from gallery.softmax import probabilities_of
from gallery.store.records import Array, Attribution, Faithfulness, Flip

_TRIALS = 16
"""Words or groups of words that pruning tries to bring back."""


def flip(classifier: Classifier, tokenized: Tokenized, attribution: Attribution, tried: Faithfulness, parameters: Mapping[str, Any]) -> Flip:
    """Return the fewest words found without which the model's answer is another than `attribution.target`, its answer now.

    First words are erased in the attribution's order, strongest first, until the answer changes; `tried` says between which two
    of its steps it first does, and bisection finds a number there at which it does while one word fewer leaves it. Then words are
    brought back, weakest first, as long as the answer stays another: halves, quarters, at last single words. Fewer words may do
    for another order.
    parameters: erase `mask` | `pad`; products as in `faithfulness`; random_orders.
    Cost: a forward pass for each halving between two steps, at most 16 for pruning, and one for each random order.
    """
    order, count = np.argsort(-attribution.words, kind="stable"), len(tokenized.words)

    def probabilities(rows: Sequence[Array]) -> Array:
        kept = np.ones((len(rows), count), bool)
        for mask, erased in zip(kept, rows, strict=True):
            mask[erased] = False
        return probabilities_of(erased_logits(classifier, tokenized, kept, parameters["erase"], parameters["products"] == "auto"), classifier.card.problem)

    def flips(erased: Array) -> bool:
        return int(probabilities([erased])[0].argmax()) != attribution.target

    changed = np.flatnonzero(tried.without.argmax(-1) != attribution.target)
    if not len(changed):
        return _flip(attribution, parameters, None, order[:0], tried.without[-1], True, np.zeros(0, np.int32))
    numbers = [number_of(count, share) for share in tried.steps.tolist()]
    step = int(changed[0])
    few, along = (0, 0) if step == 0 else (numbers[step - 1], numbers[step])
    while along - few > 1:
        middle = (few + along) // 2
        few, along = (few, middle) if flips(order[:middle]) else (middle, along)
    words, pruned = _pruned(order[:along], flips)
    rows = probabilities([words, *(own[: len(words)] for own in random_orders(tokenized, parameters["random_orders"]))])
    return _flip(attribution, parameters, along, words, rows[0], pruned, rows[1:].argmax(-1).astype(np.int32))


def _flip(attribution: Attribution, parameters: Mapping[str, Any], along: int | None, words: Array, row: Array, pruned: bool, random: Array) -> Flip:
    return Flip(
        method=attribution.method,
        target=attribution.target,
        parameters=dict(parameters),
        along=along,
        words=words.astype(np.int32),
        becomes=None if along is None else int(row.argmax()),
        probabilities=row,
        pruned=pruned,
        random=random,
        versions=versions(),
    )


def _pruned(words: Array, flips: Callable[[Array], bool]) -> tuple[Array, bool]:
    """Return the words without those that can be brought back, and whether each single word was tried on what is left."""
    size, trials = max(1, len(words) // 2), 0
    while True:
        end, changed = len(words), False
        while end > 0:
            start = max(0, end - size)
            rest = np.delete(words, slice(start, end))
            if len(rest):
                if trials == _TRIALS:
                    return words, False
                trials += 1
                if flips(rest):
                    words, changed = rest, True
            end = start
        if size == 1 and not changed:
            return words, True
        size = max(1, size // 2)
