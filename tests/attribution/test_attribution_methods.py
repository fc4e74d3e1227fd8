"""What each of the other methods promises."""

from collections.abc import Callable
from importlib import import_module
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import LayerIntegratedGradients

from gallery.attribution.attribute import attribute
from gallery.attribution.erasure import erased_logits
from gallery.attribution.methods.rationale import shortest
from gallery.methods import method_of
from gallery.model.classifier import Classifier
from gallery.model.layers import encoder_layers
from gallery.model.tokenized import Tokenized
from tests.support.classifiers import TEXT, load, parameters
from tests.support.models import ARCHITECTURES, SENTENCES

module = import_module("gallery.attribution.erasure")  # the package has a function of that name


@pytest.fixture(scope="module")
def bert(tiny: Callable[[str], Path]) -> Classifier:
    return load(tiny("bert"))


@pytest.mark.parametrize("architecture", [a for a in ARCHITECTURES if a not in {"albert", "deberta-v2"}])
def test_each_layers_integrated_gradients_are_captums(tiny: Callable[[str], Path], architecture: str) -> None:
    classifier = load(tiny(architecture))
    tokenized = classifier.tokenize(TEXT)
    (one,) = attribute(method_of("layer_integrated_gradients"), classifier, [tokenized], [[1]], parameters("layer_integrated_gradients", n_steps=20))[0]
    ids, start = torch.tensor([tokenized.ids]), torch.tensor([classifier.baseline_ids(tokenized, "pad")])
    mask = torch.ones_like(ids)
    for number, layer in enumerate(encoder_layers(classifier)):
        explainer = LayerIntegratedGradients(lambda rows: classifier.model(rows, attention_mask=mask.expand(len(rows), -1)).logits, layer)
        theirs = explainer.attribute(ids, start, target=1, n_steps=20, internal_batch_size=1)
        theirs = (theirs[0] if isinstance(theirs, tuple) else theirs).sum(-1).reshape(-1).double().numpy()
        assert np.abs(one.layers[number] - tokenized.sum_words(theirs)).max() <= 1e-5 * np.abs(theirs).max()
    assert one.tokens.sum() == pytest.approx(one.output_value - one.baseline_value + one.delta, abs=1e-4)


def test_debertas_layers_are_complete_though_captum_cannot_read_them(tiny: Callable[[str], Path]) -> None:
    classifier = load(tiny("deberta-v2"))
    (one,) = attribute(method_of("layer_integrated_gradients"), classifier, [classifier.tokenize(TEXT)], [[1]], parameters("layer_integrated_gradients"))[0]
    assert one.converged
    for words, specials in zip(one.layers, one.extra["specials"], strict=True):
        assert words.sum() + specials == pytest.approx(one.output_value - one.baseline_value, rel=0.02)


def test_albert_has_no_layers_to_explain(tiny: Callable[[str], Path]) -> None:
    from gallery.errors import SourceError

    classifier = load(tiny("albert"))
    with pytest.raises(SourceError, match="Leave out layer_integrated_gradients"):
        attribute(method_of("layer_integrated_gradients"), classifier, [classifier.tokenize(TEXT)], [[1]], parameters("layer_integrated_gradients"))


def test_gradient_times_input_is_exact_where_the_path_is_short(bert: Classifier) -> None:
    tokenized = bert.tokenize(TEXT)
    (one,) = attribute(method_of("gradient_x_input"), bert, [tokenized], [[1]], parameters("gradient_x_input"))[0]
    inputs = bert.batch([tokenized.ids])
    point = bert.embed(inputs)
    with torch.no_grad(), bert.from_embeddings(inputs) as run:
        up, down = run(point * 1.001)[0, 1], run(point * 0.999)[0, 1]
    assert one.tokens.sum() == pytest.approx(float(up - down) / 0.002, rel=0.02, abs=2e-3)


def test_shapley_values_of_few_words_are_exact(bert: Classifier) -> None:
    tokenized = bert.tokenize("человек пришёл домой поздно")
    (one,) = attribute(method_of("shapley"), bert, [tokenized], [[1]], parameters("shapley"))[0]
    count = len(tokenized.words)
    exact = np.zeros(count)
    orders = list(permutations(range(count)))
    for order in orders:
        kept = np.zeros((count + 1, count), bool)
        for step, word in enumerate(order):
            kept[step + 1 :, word] = True
        outputs = erased_logits(bert, tokenized, kept, "mask")[:, 1]
        exact[list(order)] += np.diff(outputs) / len(orders)
    np.testing.assert_allclose(one.words, exact, atol=1e-5)


def test_shapley_values_add_up_with_any_budget(bert: Classifier) -> None:
    tokenized = bert.tokenize(TEXT)
    for samples in (20, 60):
        (one,) = attribute(method_of("shapley"), bert, [tokenized], [[1]], parameters("shapley", samples=samples))[0]
        assert one.steps <= samples
        assert one.words.sum() == pytest.approx(one.output_value - one.baseline_value, abs=1e-6)


def test_lime_finds_a_linear_model(bert: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    from gallery.attribution import erasure

    tokenized = bert.tokenize(TEXT)
    true = np.random.default_rng(1).normal(size=len(tokenized.words))
    monkeypatch.setattr(erasure, "erased_logits", lambda classifier, tokenized, kept, erase: np.outer(kept @ true, [0, 1, 0]))
    (one,) = attribute(method_of("lime"), bert, [tokenized], [[1]], parameters("lime", samples=2000))[0]
    assert np.corrcoef(one.words, true)[0, 1] > 0.99
    assert one.extra["fit"] > 0.95


def sums(classifier: Classifier, tokenized: Tokenized, kept: np.ndarray, evidence: np.ndarray, needed: float) -> np.ndarray:
    """Return logits of a model of which we know the truth: class 1 wins where the kept words' evidence exceeds what is needed."""
    return np.column_stack([np.full(len(kept), needed), kept @ evidence])


@pytest.mark.parametrize(
    ("evidence", "needed", "rationale", "passes"),
    [
        ([0, 5, 0, 3, 2, 0, 0], 7.5, [1, 3], 8 - 1 + 2),  # the first prefixes in a batch of 8, here of 7 words, then one pass for each of two words
        ([0, 5, 0, 3, 2, 0, 0], 9.5, [1, 3, 4], 7 + 3),
        ([0, 5, 0, 3, 2, 0, 0], 4.5, [1], 7),
        ([0, -9, 0, 3, 2, 0, 0], 4.5, [3, 4], 7 + 2),
    ],
)
def test_a_rationale_holds_the_strongest_words_that_are_enough(
    bert: Classifier, monkeypatch: pytest.MonkeyPatch, evidence: list[float], needed: float, rationale: list[int], passes: int
) -> None:
    tokenized = bert.tokenize("человек пришёл домой поздно вечером старый дом")
    words = np.array(evidence, float)
    monkeypatch.setattr(module, "erased_logits", lambda classifier, tokenized, kept, erase: sums(classifier, tokenized, kept, words, needed))
    chosen, probability, taken = shortest(bert, tokenized, words, 1, "mask")
    assert chosen is not None
    assert sorted(chosen) == rationale
    assert probability == pytest.approx(1 / (1 + np.exp(needed - words[rationale].sum())))
    assert taken == passes


def test_words_that_the_order_overrates_are_dropped(bert: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenized = bert.tokenize("человек пришёл домой поздно вечером старый дом")
    evidence, order = np.array([0, 5, 0, 3, 2, 0, 0.0]), np.array([0, 1, 9, 8, 0, 7, 0.0])
    monkeypatch.setattr(module, "erased_logits", lambda classifier, tokenized, kept, erase: sums(classifier, tokenized, kept, evidence, 7.5))
    chosen, _, _ = shortest(bert, tokenized, order, 1, "mask")
    assert chosen is not None
    assert sorted(chosen) == [1, 3], "words 2 and 5 stand first in the order, and add nothing"


def test_a_rationale_alone_keeps_the_verdict_and_needs_its_strongest_word(tiny: Callable[[str], Path]) -> None:
    classifier = load(tiny("roberta"))
    lengths = []
    for sentence in SENTENCES:
        tokenized = classifier.tokenize(sentence)
        rationales = attribute(method_of("rationale"), classifier, [tokenized], [[0, 1, 2]], parameters("rationale", n_steps=8))[0]
        assert any(rationale.extra["found"] for rationale in rationales), "the whole passage is named something"
        for rationale in rationales:
            words = rationale.extra["words"]
            assert set(np.flatnonzero(rationale.words)) <= set(words)
            if not rationale.extra["found"]:
                assert words == []
                continue
            lengths.append(len(words))
            kept = np.zeros((2, len(tokenized.words)), bool)
            kept[:, words] = True
            kept[1, int(rationale.words.argmax())] = False  # the last that was tried to be dropped
            logits = erased_logits(classifier, tokenized, kept, "mask")
            assert logits[0].argmax() == rationale.target
            assert logits[1].argmax() != rationale.target or len(words) == 1
    assert max(lengths) > 1


def test_where_no_words_are_enough_there_is_no_rationale(bert: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenized = bert.tokenize("человек пришёл домой поздно вечером старый дом")
    evidence = np.array([0, 5, 0, 3, 2, 0, 0.0])
    monkeypatch.setattr(module, "erased_logits", lambda classifier, tokenized, kept, erase: sums(classifier, tokenized, kept, evidence, 11))
    chosen, probability, passes = shortest(bert, tokenized, evidence, 1, "mask")
    assert chosen is None
    assert probability == pytest.approx(1 / (1 + np.exp(1))), "of the whole passage"
    assert passes == len(tokenized.words)


def test_unified_information_keeps_more_of_what_the_layer_needs(bert: Classifier) -> None:
    tokenized = bert.tokenize("человек пришёл домой")
    (one,) = attribute(method_of("unified_information"), bert, [tokenized], [[1]], parameters("unified_information"))[0]
    assert one.layers.shape == (3, len(tokenized.words))
    assert (one.layers > 0).all()
    again = attribute(method_of("unified_information"), bert, [tokenized], [[0]], parameters("unified_information"))[0][0]
    assert again.tokens.tobytes() == one.tokens.tobytes()
