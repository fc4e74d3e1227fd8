"""How much a head adds to a score, held against the model with that head faded."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gallery.attention.heads import head_effects
from gallery.model.classifier import Classifier
from tests.support.classifiers import load
from tests.support.models import SENTENCES

Tiny = Callable[[str], Path]


def _faded(classifier: Classifier, layer: int, head: int, text: str, gate: float) -> torch.Tensor:
    """Logits of a BERT in which a head's share of the output projection is scaled."""
    weight = classifier.model.bert.encoder.layer[layer].attention.output.dense.weight
    size = weight.shape[1] // classifier.card.heads
    part = slice(head * size, (head + 1) * size)
    whole = weight[:, part].clone()
    try:
        weight[:, part] *= gate
        result: torch.Tensor = classifier.model(**classifier.batch([classifier.tokenize(text).ids])).logits[0].double()
        return result
    finally:
        weight[:, part] = whole


def test_effects_are_the_slope_of_the_score_as_a_head_fades(tiny: Tiny) -> None:
    classifier = load(tiny("bert"))
    batch = [classifier.tokenize(SENTENCES[0]), classifier.tokenize(SENTENCES[2])]
    found = head_effects(classifier, batch, [[0, 2], [1]])
    assert found[0].effects.shape == (2, 3, 4)
    assert found[1].effects.shape == (1, 3, 4)
    with torch.no_grad():
        for text, heads in zip((SENTENCES[0], SENTENCES[2]), found, strict=True):
            for layer, head in ((0, 1), (1, 3), (2, 0)):
                slope = (_faded(classifier, layer, head, text, 1.01) - _faded(classifier, layer, head, text, 0.99)) / 0.02
                for target, effects in zip(heads.targets, heads.effects, strict=True):
                    assert effects[layer, head] == pytest.approx(float(slope[target]), abs=2e-3, rel=0.02)


@pytest.mark.parametrize(("architecture", "told"), [("modernbert", True), ("albert", True), ("distilbert", True), ("deberta-v2", False)])
def test_an_architecture_without_the_interface_has_no_effects(architecture: str, told: bool, tiny: Tiny) -> None:
    classifier = load(tiny(architecture))
    (found,) = head_effects(classifier, [classifier.tokenize(SENTENCES[1])], [[0]])
    assert bool(found.effects.size) == told
    assert not told or abs(found.effects).max() > 0
