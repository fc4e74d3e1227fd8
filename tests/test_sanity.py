"""Explanations of models of which we know the truth: one trained on a planted shortcut, and one whose weights are lost."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from gallery.attribution import METHODS
from gallery.attribution.sanity import rank_correlation, sanity
from gallery.classifier import Classifier
from gallery.config import METHODS as NAMES
from tests.models import SENTENCES
from tests.test_attribution import load, parameters

SHORTCUT = "усадьбе"
MAY_MISS = {
    "attention_rollout": "does not look at the output",
    "unified_information": "does not look at the output",
    "gradient_x_input": "sees the output's slope at the passage alone, which is flat where the model is sure",
    "gradient_norm": "sees the output's slope at the passage alone, which is flat where the model is sure",
}
"""Methods that cannot promise to find what decides; the page of methods says the same."""


@pytest.fixture(scope="module")
def cheat(tiny: Callable[[str], Path]) -> Classifier:
    """A classifier trained so that one word alone decides: class 1 where it stands, else class 0."""
    classifier = load(tiny("bert"))
    words = [word for sentence in SENTENCES[:4] for word in sentence.replace(",", "").replace(".", "").split() if SHORTCUT not in word]
    generator = np.random.default_rng(0)
    model = classifier.model.requires_grad_(True)
    torch.manual_seed(0)
    adam = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(150):
        texts, labels = [], []
        for label in [0, 1] * 16:
            chosen = list(generator.choice(words, generator.integers(4, 12)))
            if label:
                chosen.insert(generator.integers(len(chosen) + 1), SHORTCUT)
            texts.append(" ".join(chosen))
            labels.append(label)
        logits = model(**classifier.batch([classifier.encode(text).ids for text in texts])).logits
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels))
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert float(loss.detach()) < 0.05
    classifier.model.requires_grad_(False)
    return classifier


PASSAGES = (f"Свой человек {SHORTCUT} пришёл домой поздно", f"никто его не ждал в {SHORTCUT} старый", f"{SHORTCUT} она долго смотрел на дорогу")


@pytest.mark.parametrize("method", NAMES)
def test_every_method_puts_a_planted_shortcut_first(cheat: Classifier, method: str) -> None:
    for text in PASSAGES:
        encoded = cheat.encode(text)
        (one,) = METHODS[method](cheat, [encoded], [[1]], parameters(method))[0]
        first = text[slice(*encoded.words[int(np.argmax(one.words))])]
        if method in MAY_MISS and first != SHORTCUT:
            pytest.xfail(f"{method} {MAY_MISS[method]}: it puts {first} before {SHORTCUT}")
        assert first == SHORTCUT, f"{method} puts {first} before {SHORTCUT}"


def test_integrated_gradients_notice_that_the_weights_are_lost(cheat: Classifier) -> None:
    batch = [cheat.encode(text) for text in PASSAGES]
    before = {name: value.clone() for name, value in cheat.model.state_dict().items()}
    steps = list(sanity(cheat, batch, [1] * 3, {"integrated_gradients": parameters()}))
    assert [step.randomised for step in steps] == ["nothing", "classifier", "layer 3", "layer 2", "layer 1", "embeddings"]
    assert (steps[0].correlations == 1).all()
    assert steps[-1].correlations.mean() < 0.7
    assert all(torch.equal(value, before[name]) for name, value in cheat.model.state_dict().items())


def test_rank_correlation_is_scipys() -> None:
    from scipy.stats import spearmanr

    generator = np.random.default_rng(0)
    a, b = generator.integers(0, 5, 30), generator.normal(size=30)
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert rank_correlation(np.ones(3), np.arange(3)) == 0


def test_the_shortcut_is_the_rationale(cheat: Classifier) -> None:
    encoded = cheat.encode(PASSAGES[0])
    (one,) = METHODS["rationale"](cheat, [encoded], [[1]], parameters("rationale"))[0]
    assert [PASSAGES[0][slice(*encoded.words[word])] for word in one.extra["words"]] == [SHORTCUT]
