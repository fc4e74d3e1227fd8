"""The shortest set of words that alone keeps the verdict (a rationale in the sense of Lei et al. 2016, arXiv:1606.04155)."""

from collections.abc import Sequence

import numpy as np

from gallery.attribution.erasure import erased_logits, spread_words
from gallery.attribution.integrated_gradients import integrated_gradients
from gallery.attribution.outputs import Parameters, plain_attribution
from gallery.attribution.windows import over_windows
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array, Attribution

_integrated_gradients = over_windows(integrated_gradients)


def rationale(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Take words in the order of their integrated gradients until they alone make the model name the class, then drop what is not needed.

    A word of the rationale keeps its attribution, every other one has 0; `extra` holds the words' numbers, the
    probability of the class with them alone, and whether there is such a set at all. The result cannot be
    shortened by any single word; that no other set is shorter is not promised.
    Cost: that of integrated gradients, one forward pass for each word tried in order (in batches of growing size), and one for
    each word of the set when pruning.
    """
    results = []
    for tokenized, found in zip(batch, _integrated_gradients(classifier, batch, targets, parameters), strict=True):
        one = []
        for attribution in found:
            chosen, probability, passes = shortest(classifier, tokenized, attribution.words, attribution.target, parameters["erase"])
            words = np.zeros(len(tokenized.words))
            if chosen is not None:
                words[chosen] = attribution.words[chosen]
            extra = {"found": chosen is not None, "words": sorted(chosen or []), "probability": probability}
            one.append(
                plain_attribution(
                    classifier,
                    tokenized,
                    "rationale",
                    attribution.target,
                    parameters,
                    spread_words(tokenized, words),
                    attribution.output_value,
                    attribution.steps + passes,
                    extra=extra,
                )
            )
        results.append(one)
    return results


def shortest(classifier: Classifier, tokenized: Tokenized, words: Array, target: int, erase: str) -> tuple[list[int] | None, float, int]:
    """Return the words [W values give the order] that alone make the model name `target`, its probability then, and the forward passes it took.

    None, and the whole passage's probability, where no prefix of the order does.
    """
    count = len(words)
    order = np.argsort(-words, kind="stable")
    passes, size, first = 0, 8, 1
    while first <= count:
        prefixes = [order[:number] for number in range(first, min(count, first + size - 1) + 1)]
        named, probabilities = _named(classifier, tokenized, prefixes, target, erase)
        passes += len(prefixes)
        if named.any():
            chosen = [int(word) for word in prefixes[int(named.argmax())]]
            probability = float(probabilities[int(named.argmax())])
            break
        first, size = first + size, size * 2
    else:
        return None, float(probabilities[-1]) if count else 0.0, passes
    for word in reversed(chosen.copy()):  # the weakest first
        fewer = [other for other in chosen if other != word]
        if not fewer:
            break
        named, probabilities = _named(classifier, tokenized, [np.array(fewer)], target, erase)
        passes += 1
        if named[0]:
            chosen, probability = fewer, float(probabilities[0])
    return chosen, probability, passes


def _named(classifier: Classifier, tokenized: Tokenized, sets: Sequence[Array], target: int, erase: str) -> tuple[Array, Array]:
    """Return whether the model names the target [N] when given only the words of each set, and its probability [N]."""
    kept = np.zeros((len(sets), len(tokenized.words)), bool)
    for row, words in zip(kept, sets, strict=True):
        row[words] = True
    logits = erased_logits(classifier, tokenized, kept, erase)
    odds = np.exp(logits - logits.max(-1, keepdims=True))
    return logits.argmax(-1) == target, (odds / odds.sum(-1, keepdims=True))[:, target]
