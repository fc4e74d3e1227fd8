"""What the head says after each layer: held against a model whose later layers are taken out."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest

from gallery.evaluation.depth import by_layer
from tests.support.classifiers import TEXT, load


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "roberta", "modernbert", "deberta-v2"])
def test_each_layer_says_what_a_model_cut_behind_it_says(tiny: Callable[[str], Path], architecture: str) -> None:
    classifier = load(tiny(architecture))
    tokenized = classifier.tokenize(TEXT)
    found = by_layer(classifier, tokenized, classifier.predict([tokenized])[0].logits)
    assert len(found.logits) == classifier.card.layers
    np.testing.assert_allclose(found.logits[-1], classifier.logits([tokenized.ids])[0], atol=1e-4)
    for layer in range(1, classifier.card.layers):
        shorter = deepcopy(classifier.model)
        for module in list(shorter.base_model.modules()):
            for name, child in list(module.named_children()):
                if type(child).__name__ == "ModuleList" and len(child) == classifier.card.layers:
                    setattr(module, name, child[:layer])
        own = shorter(**classifier.batch([tokenized.ids])).logits[0].detach()
        np.testing.assert_allclose(found.logits[layer - 1], own, atol=1e-4)


def test_an_architecture_without_a_list_of_layers_has_no_curve(tiny: Callable[[str], Path]) -> None:
    classifier = load(tiny("albert"))
    tokenized = classifier.tokenize(TEXT)
    assert by_layer(classifier, tokenized, classifier.predict([tokenized])[0].logits).logits.shape == (0, 3)
