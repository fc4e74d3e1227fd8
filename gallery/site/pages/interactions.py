"""Pairs of words that count together: arcs above the strongest words of a passage, and the pairs of an author."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gallery.site.vocabulary import lemma
from gallery.store.records import Interactions, Prediction

PAIRS = 6
"""Pairs that a passage names."""
STEP, HEIGHT = 68, 120
"""Distance between two words, and height of the highest arc, in units of the picture."""

MARGIN = 56
"""Room for the end of the last word, which is written at an angle."""
FAINTEST = 0.15
"""Arcs of pairs below this share of the strongest are left out, so that the others can be told apart."""


@dataclass(frozen=True)
class Pair:
    """Two words of a passage."""

    first: str
    second: str
    value: float
    """Their interaction, in units of the output."""
    word: int
    """Number of the first."""


@dataclass(frozen=True)
class Arc:
    """The arc of a pair, in units of the picture."""

    path: str
    width: float
    value: float


@dataclass(frozen=True)
class Arcs:
    """A picture of the strongest words in the order of the text, with arcs above them."""

    words: Sequence[tuple[float, str]]
    """(x, word)."""
    arcs: Sequence[Arc]
    """The weakest first, so that the strongest are drawn above them."""
    pairs: Sequence[Pair]
    """The strongest first."""
    target: int
    width: float
    decimals: int
    """Digits behind the decimal point that tell the pairs apart."""


def pairs_of(prediction: Prediction, record: Interactions) -> list[Pair]:
    """Return all pairs of a passage, the strongest first."""
    texts, numbers = prediction.word_texts(), record.words.tolist()
    firsts, seconds = (axis.tolist() for axis in np.triu_indices(len(numbers), 1))
    pairs = [Pair(texts[numbers[i]], texts[numbers[j]], float(record.values[i, j]), numbers[i]) for i, j in zip(firsts, seconds, strict=True)]
    return sorted(pairs, key=lambda pair: -abs(pair.value))


def arcs_of(prediction: Prediction, record: Interactions) -> Arcs:
    """Return the picture of a passage's interactions."""
    texts, numbers = prediction.word_texts(), record.words.tolist()
    count = len(numbers)
    place = [STEP * (number + 0.5) for number in range(count)]
    pairs = sorted((abs(float(record.values[i, j])), i, j) for i in range(count) for j in range(i + 1, count))
    largest = max((size for size, _, _ in pairs), default=0.0) or 1.0
    arcs = []
    for size, i, j in pairs:
        rise = HEIGHT * (j - i) / max(1, count - 1)
        path = f"M{place[i]:.1f} {HEIGHT}C{place[i]:.1f} {HEIGHT - 1.33 * rise:.1f} {place[j]:.1f} {HEIGHT - 1.33 * rise:.1f} {place[j]:.1f} {HEIGHT}"
        if size >= FAINTEST * largest:
            arcs.append(Arc(path, round(0.5 + 5.5 * size / largest, 2), float(record.values[i, j])))
    words = [(x, texts[number]) for x, number in zip(place, numbers, strict=True)]
    return Arcs(words, arcs, pairs_of(prediction, record)[:PAIRS], record.target, STEP * count + MARGIN, min(6, max(2, 1 - math.floor(math.log10(largest)))))


def pairs_for_author(prediction: Prediction, record: Interactions, language: str) -> list[tuple[str, str, float, int]]:
    """Return the strongest pairs of a passage as (dictionary form, dictionary form, interaction, number of the first word); words alone."""
    named = [pair for pair in pairs_of(prediction, record) if all(any(c.isalpha() for c in word) for word in (pair.first, pair.second))]
    pairs = []
    for pair in named[:PAIRS]:
        first, second = sorted([lemma(pair.first, language), lemma(pair.second, language)])
        pairs.append((first, second, float(f"{pair.value:.5g}"), pair.word))
    return pairs
