"""Runs a method: on the passages as they are, or on the windows of a passage longer than the model."""

from collections.abc import Sequence

import numpy as np

from gallery.attribution.method import Parameters
from gallery.attribution.windows import combined
from gallery.methods import Method
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.records import Attribution, EveryClass


def attribute(
    method: Method, classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters
) -> list[list[Attribution]]:
    """Return, for each passage of the batch, one attribution for each class in its `targets`.

    A passage in windows costs as much as all its windows; neighbouring windows share a quarter of their tokens.

    >>> classifier = open_classifier(settings, config_file)
    >>> tokenized = classifier.tokenize("Никто не ответил.")
    >>> method = method_of("occlusion")
    >>> [[attribution]] = attribute(method, classifier, [tokenized], [[0]], method.parameters(settings))
    >>> attribution.words.shape
    (4,)
    """
    if method.windows == "own" or not any(tokenized.windows for tokenized in batch):
        return method.compute(classifier, batch, targets, parameters)
    parts = [part for tokenized in batch for part in tokenized.parts]
    classes = [wanted for tokenized, wanted in zip(batch, targets, strict=True) for _ in tokenized.parts]
    attributions = iter(method.compute(classifier, parts, classes, parameters))
    results = []
    for tokenized, wanted in zip(batch, targets, strict=True):
        windows = [next(attributions) for _ in tokenized.parts]
        if tokenized.windows:
            covering = method.windows == "mean of covering"
            results.append([combined(tokenized, [window[k] for window in windows], covering, classifier.card.problem) for k in range(len(wanted))])
        else:
            results.append(windows[0])
    return results


def every_class(method: Method, classifier: Classifier, tokenized: Tokenized, parameters: Parameters) -> EveryClass:
    """Return a method's attributions of a passage for every class, without those of single tokens.

    Cost: the method's, for all classes in one call.
    """
    (found,) = attribute(method, classifier, [tokenized], [range(len(classifier.card.labels))], parameters)
    return EveryClass(
        method=method.name,
        parameters=found[0].parameters,
        output=found[0].output,
        words=np.stack([one.words for one in found]).astype(np.float32),
        specials=np.array([one.tokens.sum() - one.words.sum() for one in found]),
        biases=np.array([np.nan if one.biases is None else one.biases for one in found]),
        outputs=np.array([one.output_value for one in found]),
        errors=np.array([np.nan if one.delta_share is None else one.delta_share for one in found]),
        versions=found[0].versions,
    )
