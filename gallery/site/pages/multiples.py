"""All methods on one passage, side by side: what each names, its own error, and how it fares when its words are taken away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gallery.evaluation.metrics import top_overlap
from gallery.store.records import Attribution, Faithfulness, Prediction

STRONGEST = 5
"""Words that are named for each method."""
_TAKEN = 0.1


@dataclass(frozen=True)
class Multiple:
    """One method on the passage, for the class that the model answers."""

    method: str
    words: tuple[str, ...]
    """The strongest words that speak for the class."""
    error: float | None
    """See Attribution.delta_share; None where the method does not promise that contributions add up."""
    overlap: float | None
    """Share of the ten strongest words that the first method names too; None for the first itself."""
    without: float | None
    """Probability of the class without the strongest tenth of the words; None where it was not tried."""


def multiples(prediction: Prediction, attributions: Mapping[str, Attribution], tried: Mapping[str, Faithfulness], methods: Sequence[str]) -> list[Multiple]:
    """Return every method on the predicted class; records come by the names of the manifest's entries."""
    predicted = prediction.ranking[0]
    found = [attributions[name] for method in methods if (name := f"attribution/{method}/{predicted}") in attributions]
    return [_multiple(prediction, attribution, found[0], tried.get(f"faithfulness/{attribution.method}/{predicted}")) for attribution in found]


def _multiple(prediction: Prediction, attribution: Attribution, first: Attribution, tried: Faithfulness | None) -> Multiple:
    texts = prediction.word_texts()
    order = [int(place) for place in np.argsort(-attribution.words, kind="stable") if any(c.isalnum() for c in texts[place])]
    return Multiple(
        method=attribution.method,
        words=tuple(texts[place] for place in order[:STRONGEST] if attribution.words[place] > 0),
        error=attribution.delta_share,
        overlap=None if attribution is first else top_overlap(first.words, attribution.words),
        without=None if tried is None else float(tried.deletion[tried.shares.tolist().index(_TAKEN)]),
    )
