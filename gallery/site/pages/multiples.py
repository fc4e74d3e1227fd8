"""All methods on one passage, side by side: the words that each names, its error, and the probability without its words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gallery.evaluation.metrics import TAKEN
from gallery.site.views import alike
from gallery.store.records import Attribution, Faithfulness, Prediction

STRONGEST = 5
"""Words that are named for each method."""


@dataclass(frozen=True)
class Multiple:
    """One method on the passage, for the predicted class."""

    method: str
    words: tuple[str, ...]
    """The strongest words that speak for the class."""
    error: float | None
    """See Attribution.delta_share; None where the method does not promise that contributions add up."""
    overlap: float | None
    """Share of the ten strongest words that the first method names too; None for the first itself."""
    without: float | None
    """Probability of the class without the strongest tenth of the words; None where faithfulness was not measured."""


def multiples(
    prediction: Prediction,
    attributions: Mapping[tuple[str, int], Attribution],
    tried: Mapping[tuple[str, int], Faithfulness],
    methods: Sequence[str],
) -> list[Multiple]:
    """Return every method on the predicted class; records come by method and class."""
    predicted = prediction.ranking[0]
    shown = [attributions[method, predicted] for method in methods if (method, predicted) in attributions]
    return [_multiple(prediction, attribution, shown[0], tried.get((attribution.method, predicted))) for attribution in shown]


def _multiple(prediction: Prediction, attribution: Attribution, first: Attribution, tried: Faithfulness | None) -> Multiple:
    texts = prediction.word_texts()
    order = [int(number) for number in np.argsort(-attribution.words, kind="stable") if any(c.isalnum() for c in texts[number])]
    return Multiple(
        method=attribution.method,
        words=tuple(texts[number] for number in order[:STRONGEST] if attribution.words[number] > 0),
        error=attribution.delta_share,
        overlap=None if attribution is first else alike((first.method, first.words), (attribution.method, attribution.words))[1],
        without=None if tried is None else float(tried.deletion[tried.shares.tolist().index(TAKEN)]),
    )
