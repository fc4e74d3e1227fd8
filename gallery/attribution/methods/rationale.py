"""The shortest set of words that alone keeps the verdict (a rationale in the sense of Lei et al. 2016, arXiv:1606.04155)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gallery.attribution.methods.integrated_gradients import INTEGRATED_GRADIENTS
from gallery.methods import Method
from gallery.softmax import probabilities_of

if TYPE_CHECKING:
    from gallery.attribution.method import Parameters
    from gallery.model.classifier import Classifier
    from gallery.model.tokenized import Tokenized
    from gallery.store.records import Array, Attribution


def rationale(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Return a short set of words that alone make the model name the class, with their integrated gradients.

    Words are added in the order of their integrated gradients until the model names the class, and then those it does not need
    are dropped. Words outside the set get 0. `extra` holds the set, the class's probability with these words alone, and whether
    there is a set at all. Each word was needed when its removal was tried, from the weakest to the strongest; where words
    speak for the class only together, the set may still hold a word it does not need, and another set may be shorter.
    """
    from gallery.attribution.attribute import attribute
    from gallery.attribution.erasure import spread_words
    from gallery.attribution.outputs import plain_attribution

    results = []
    for tokenized, attributions in zip(batch, attribute(INTEGRATED_GRADIENTS, classifier, batch, targets, parameters), strict=True):
        rationales = []
        for attribution in attributions:
            chosen, probability, passes = shortest(classifier, tokenized, attribution.words, attribution.target, parameters["erase"])
            words = np.zeros(len(tokenized.words))
            if chosen is not None:
                words[chosen] = attribution.words[chosen]
            extra = {"found": chosen is not None, "words": sorted(chosen or []), "probability": probability}
            rationales.append(
                plain_attribution(
                    classifier,
                    tokenized,
                    RATIONALE.name,
                    attribution.target,
                    parameters,
                    spread_words(tokenized, words),
                    attribution.output_value,
                    attribution.steps + passes,
                    extra=extra,
                )
            )
        results.append(rationales)
    return results


def shortest(classifier: Classifier, tokenized: Tokenized, words: Array, target: int, erase: str) -> tuple[list[int] | None, float, int]:
    """Return words that alone make the model name `target`, the target's probability, and the forward passes this took.

    words [W]: values that give the order. Returns None, with the probability of the whole passage, where the model names the
    target for no number of first words.
    """
    count = len(words)
    order = np.argsort(-words, kind="stable")
    passes, size, first = 0, 8, 1
    while first <= count:
        prefixes = [order[:number] for number in range(first, min(count, first + size - 1) + 1)]
        is_named, probabilities = _named(classifier, tokenized, prefixes, target, erase)
        passes += len(prefixes)
        if is_named.any():
            chosen = [int(word) for word in prefixes[int(is_named.argmax())]]
            probability = float(probabilities[int(is_named.argmax())])
            break
        first, size = first + size, size * 2
    else:
        return None, float(probabilities[-1]) if count else 0.0, passes
    for word in reversed(chosen.copy()):  # the weakest first
        fewer = [other for other in chosen if other != word]
        if not fewer:
            break
        is_named, probabilities = _named(classifier, tokenized, [np.array(fewer)], target, erase)
        passes += 1
        if is_named[0]:
            chosen, probability = fewer, float(probabilities[0])
    return chosen, probability, passes


def _named(classifier: Classifier, tokenized: Tokenized, sets: Sequence[Array], target: int, erase: str) -> tuple[Array, Array]:
    """Return, for each set of words alone, whether the model names the target [N], and the target's probability [N]."""
    from gallery.attribution.erasure import erased_logits

    kept = np.zeros((len(sets), len(tokenized.words)), bool)
    for row, words in zip(kept, sets, strict=True):
        row[words] = True
    logits = erased_logits(classifier, tokenized, kept, erase)
    problem = classifier.card.problem
    named = logits[:, target] > 0 if problem == "multi_label" else logits.argmax(-1) == target
    return named, probabilities_of(logits, problem)[:, target]


RATIONALE = Method(
    name="rationale",
    title="rationale",
    question="which short set of words alone keeps the verdict",
    compute=rationale,
    order=11,
    settings=("baseline", "output", "n_steps", "delta_tolerance", "max_steps", "products", "erase"),
    version=2,
    forward="N and a few dozen",
    backward="N·T",
    windows="own",
)
