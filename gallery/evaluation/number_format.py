"""The effect of a shorter number format: the same passage explained again in float32."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gallery.attribution.attribute import attribute
from gallery.evaluation.metrics import top_overlap
from gallery.methods import method_of
from gallery.model.classifier import Classifier, versions
from gallery.model.tokenized import Tokenized
from gallery.store.records import Attribution, Precision, Prediction


def compare_with_float32(
    classifier: Classifier, tokenized: Tokenized, prediction: Prediction, attribution: Attribution, parameters: Mapping[str, Any]
) -> Precision:
    """Return how far a passage's probability and an attribution are from those of the same model in float32.

    The model is loaded again, because rounded weights cannot be restored. parameters: those of the attribution.
    Cost: that of the attribution for one class, in float32, and one forward pass.
    """
    exact = classifier.exact
    target = attribution.target
    (other,) = attribute(method_of(attribution.method), exact, [tokenized], [[target]], {**parameters, "dtype": "float32"})[0]
    largest = float(np.abs(other.words).max(initial=0.0))
    return Precision(
        method=attribution.method,
        target=target,
        dtype=parameters["dtype"],
        probability=float(prediction.probabilities[target]),
        exact_probability=float(exact.predict([tokenized])[0].probabilities[target]),
        difference=float(np.abs(attribution.words - other.words).max(initial=0.0)) / (largest or 1.0),
        overlap=top_overlap(attribution.words, other.words),
        versions=versions(),
    )
