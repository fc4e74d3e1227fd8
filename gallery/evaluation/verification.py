"""Our attributions held against Captum's, and, where they differ too much, whether the fast encoder is to blame."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gallery.attribution.attribute import attribute
from gallery.errors import SourceError
from gallery.evaluation.captum_judge import JUDGES, Judgement
from gallery.evaluation.metrics import VERIFICATION_LIMIT
from gallery.methods import method_of
from gallery.model.classifier import Classifier, versions
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array, Attribution, Verification


def verify(classifier: Classifier, tokenized: Tokenized, attribution: Attribution, parameters: Mapping[str, Any]) -> Verification:
    """Return how far an attribution is from Captum's numbers for the same passage, class and settings.

    Captum runs on the plain model, in float32 whatever number format ours is in. parameters: those of the attribution. The difference
    is the largest of any word's or special token's contribution, as a share of Captum's largest contribution of a word. Windows are
    averaged as ours are. Raises SourceError where Captum cannot explain the architecture.
    """
    import captum

    if not classifier.captum_reads(tokenized):
        raise SourceError(f"{classifier.card.source}: Captum's methods for layers cannot explain the architecture {classifier.card.architecture}.")
    parts = tokenized.parts
    judge = JUDGES[attribution.method]

    def judged(part: Tokenized) -> Judgement:
        def distance(values: Array, reference: Array) -> float:
            return difference(part, values, reference)

        return judge(classifier.exact, part, attribution.target, parameters, attribution.steps // len(parts), distance)

    judgements = [judged(part) for part in parts]
    if tokenized.windows:
        theirs = np.zeros((len(judgements[0].tokens), len(tokenized.ids)))
        for window, judgement in zip(tokenized.windows, judgements, strict=True):
            theirs[:, list(window.tokens)] += judgement.tokens / len(parts)
    else:
        theirs = judgements[0].tokens
    if attribution.layers.size:  # the tokens' mean over the layers is in `tokens`, the words of each layer in `layers`
        words = tokenized.sum_words(theirs)
        apart = max(_share(attribution.layers - words, words), difference(tokenized, attribution.tokens[None], theirs.mean(0)[None]))
    else:
        apart = difference(tokenized, attribution.tokens[None], theirs)
    return Verification(
        method=attribution.method,
        target=attribution.target,
        parameters=dict(parameters),
        difference=apart,
        steps=max(judgement.steps for judgement in judgements),
        moved=max(judgement.moved for judgement in judgements),
        versions={**versions(), "captum": captum.__version__},
    )


def difference(tokenized: Tokenized, values: Array, reference: Array) -> float:
    """Return the largest difference between values and a reference [K, T] as a share of the reference's largest word.

    Words are compared as sums of their tokens, special tokens each by itself.
    """
    special = np.array(tokenized.special)
    ours, theirs = tokenized.sum_words(values), tokenized.sum_words(reference)
    return _share(np.concatenate([ours - theirs, (values - reference)[:, special]], axis=1), theirs)


def fast_encoder_errs(classifier: Classifier, tokenized: Tokenized, attribution: Attribution, parameters: Mapping[str, Any]) -> bool:
    """Tell whether the model's own forward pass gives our method other numbers than the fast encoder has given.

    False where the classifier has no fast encoder: what differs from Captum then is the method itself, such as a path that has not
    converged. Cost: the attribution for one class, without the fast encoder.
    """
    if classifier.fast_encoder is None:
        return False
    slow = replace(classifier, fast_encoder=None)
    [[own]] = attribute(method_of(attribution.method), slow, [tokenized], [[attribution.target]], parameters)
    return difference(tokenized, attribution.tokens[None], own.tokens[None]) > VERIFICATION_LIMIT / 2


def _share(differences: Array, reference: Array) -> float:
    largest = float(np.abs(reference).max(initial=0.0))
    return float(np.abs(differences).max(initial=0.0)) / max(largest, float(np.finfo(np.float32).tiny))
