"""Attributions: the numbers of Captum, sums that add up, errors that are told."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import LayerIntegratedGradients

from gallery.attribution.attribute import attribute
from gallery.attribution.methods.integrated_gradients import integrated_gradients
from gallery.compat.transformers import attention_of
from gallery.config import Settings
from gallery.methods import method_names, method_of
from gallery.model.bf16_gradients import with_bf16_gradients
from gallery.model.classifier import Classifier
from tests.support.classifiers import TEXT, load, parameters
from tests.support.models import ARCHITECTURES

NASTY = {
    "й and ё": "Йод и ёж, чай да ёлка",
    "combining accents": "за\u0301мок и замо\u0301к, и\u0306од",
    "hyphens": "кое-кто из-за сине-зелёного — так",
    "emoji": "дом 👩‍👩‍👧 и 🙂 кот",
    "right to left": "שלום мир العربية конец",
    "no-break spaces": "человек\u00a0пришёл\u202fдомой\u2009рано",
    "hash marks": "##ный человек ## и #",
    "lower eighth block": "▁ человек ▁домой ▁▁",
    "G with dot": "Ġ человек Ġдомой",
    "an unknown piece": "漢字 человек \U0001f9ff 漢",
    "cut at the limit": "человек пришёл домой поздно вечером " * 20,
    "one word": "дом",
}


@pytest.fixture(scope="module")
def bert(tiny: Callable[[str], Path]) -> Classifier:
    return load(tiny("bert"))


def captum(classifier: Classifier, text: str, target: int, steps: int, baseline: str = "pad") -> np.ndarray:
    tokenized = classifier.tokenize(text)
    ids = torch.tensor([tokenized.ids])
    start = torch.tensor([classifier.baseline_ids(tokenized, baseline)])
    mask = torch.ones_like(ids)
    explainer = LayerIntegratedGradients(lambda rows: classifier.model(rows, attention_mask=mask.expand(len(rows), -1)).logits, classifier.layer)
    return explainer.attribute(ids, start, target=target, n_steps=steps, internal_batch_size=1).sum(-1)[0].double().numpy()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_fixed_steps_give_captums_numbers(tiny: Callable[[str], Path], architecture: str) -> None:
    classifier = load(tiny(architecture))
    tokenized = classifier.tokenize(TEXT)
    ours = integrated_gradients(classifier, [tokenized], [[2, 0]], parameters(n_steps=50))[0]
    for one in ours:
        theirs = captum(classifier, TEXT, one.target, 50)
        assert np.abs(one.tokens - theirs).max() <= 1e-5 * np.abs(theirs).max()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_adaptive_steps_agree_with_300_fixed_ones(tiny: Callable[[str], Path], architecture: str) -> None:
    classifier = load(tiny(architecture))
    tokenized = classifier.tokenize(TEXT)
    ours = integrated_gradients(classifier, [tokenized], [[0, 1, 2]], parameters())[0]
    reference = integrated_gradients(classifier, [tokenized], [[0, 1, 2]], parameters(n_steps=300))[0]
    for one, true in zip(ours, reference, strict=True):
        assert one.converged
        assert one.steps <= 100
        assert np.abs(one.tokens - true.tokens).max() <= 0.03 * np.abs(true.tokens).max()


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("architecture", ["bert", "roberta", "xlm-roberta"])
def test_words_specials_and_delta_add_up_to_the_change_of_output(tiny: Callable[[str], Path], architecture: str, name: str) -> None:
    classifier = load(tiny(architecture))
    tokenized = classifier.tokenize(NASTY[name])
    (one,) = integrated_gradients(classifier, [tokenized], [[1]], parameters())[0]
    specials = one.tokens[list(tokenized.special)].sum()
    assert one.delta is not None
    assert one.baseline_value is not None
    assert one.words.sum() + specials - one.delta == pytest.approx(one.output_value - one.baseline_value, abs=1e-4)
    assert one.output_value == pytest.approx(float(classifier.logits([tokenized.ids])[0, 1]), abs=1e-5)


@pytest.mark.parametrize("architecture", ["bert", "roberta", "xlm-roberta"])
def test_difficult_texts_are_as_difficult_as_they_say_and_keep_their_words(tiny: Callable[[str], Path], architecture: str) -> None:
    classifier = load(tiny(architecture))
    for name, text in NASTY.items():
        tokenized = classifier.tokenize(text)
        shown = "".join(text[slice(*word)] for word in tokenized.words)
        assert shown == "".join(text[: tokenized.cut].split()), name
        assert (tokenized.cut < len(text)) == (name == "cut at the limit")
    unknown = classifier.tokenize(NASTY["an unknown piece"])
    if architecture != "roberta":  # its pieces are bytes, so nothing is unknown to it
        assert classifier.tokenizer.unk_token_id in unknown.ids
    pieces = {"bert": ("hash marks", "##"), "roberta": ("G with dot", "Ġ"), "xlm-roberta": ("lower eighth block", "▁")}[architecture]
    tokenized = classifier.tokenize(NASTY[pieces[0]])
    assert any(pieces[1] in token for token in tokenized.tokens), "the tokenizer's own mark"
    assert any(pieces[1] in NASTY[pieces[0]][slice(*word)] for word in tokenized.words), "and the same in the text"


@pytest.mark.parametrize("output", ["logit", "probability", "log-odds"])
@pytest.mark.parametrize("baseline", ["pad", "mask", "zero"])
def test_every_output_and_baseline_is_complete(tiny: Callable[[str], Path], output: str, baseline: str) -> None:
    classifier = load(tiny("bert"))
    with torch.no_grad():  # without biases a LayerNorm has a pole at embeddings of zero
        for parameter in classifier.model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) * 0.3)
    classifier = classifier.with_model(classifier.model)
    tokenized = classifier.tokenize(TEXT)
    for one in integrated_gradients(classifier, [tokenized], [[0, 1]], parameters(output=output, baseline=baseline))[0]:
        assert one.converged
        assert one.delta_share is not None
        assert one.delta_share <= 0.01
        assert one.baseline_probabilities.sum() == pytest.approx(1)


def test_log_odds_of_two_classes_is_the_difference_of_logits(bert: Classifier) -> None:
    from gallery.attribution.outputs import class_outputs

    logits = torch.tensor([[2.0, -1.0]])
    assert class_outputs(logits, "log-odds").tolist() == [[3.0, -3.0]]


def test_bfloat16_backward_passes_change_little_and_say_how_much(tiny: Callable[[str], Path]) -> None:
    classifier = load(tiny("bert"))
    assert classifier.fast_encoder is not None
    vars(classifier)["bf16_gradient_encoder"] = with_bf16_gradients(classifier.fast_encoder)  # as on a machine where bfloat16 is faster
    tokenized = classifier.tokenize(TEXT)
    (rough, exact), (fixed,) = (
        [integrated_gradients(classifier, [tokenized], [[1]], parameters(**settings))[0][0] for settings in several]
        for several in (({"products": "auto"}, {"products": "float32"}), ({"products": "auto", "n_steps": 50},))
    )
    largest = np.abs(exact.tokens).max()
    assert 0 < np.abs(rough.tokens - exact.tokens).max() < 0.01 * largest
    said, known = ((one.output_value, one.baseline_value) for one in (rough, exact))
    assert said == pytest.approx(known, rel=1e-5), "what the model says is not rounded"
    assert 0 < rough.extra["rounding"] < 0.02
    assert exact.extra["rounding"] is None
    np.testing.assert_allclose(fixed.tokens, captum(classifier, TEXT, 1, 50), rtol=0, atol=1e-5 * np.abs(fixed.tokens).max())


def test_too_few_steps_are_not_called_converged(bert: Classifier) -> None:
    tokenized = bert.tokenize(TEXT)
    tight = {**parameters(), "delta_tolerance": 1e-9, "max_steps": 30}
    (one,) = integrated_gradients(bert, [tokenized], [[0]], tight)[0]
    assert one.steps <= 30
    assert one.converged is False
    (fixed,) = integrated_gradients(bert, [tokenized], [[0]], {**parameters(n_steps=2), "delta_tolerance": 1e-9})[0]
    assert fixed.converged is False


def test_a_passage_has_the_same_bytes_in_any_company(bert: Classifier) -> None:
    texts = [TEXT, "дом", "человек пришёл домой " * 12]
    batch = [bert.tokenize(text) for text in texts]
    together = integrated_gradients(bert, batch, [[0, 1]] * 3, parameters())
    for tokenized, found in zip(batch, together, strict=True):
        alone = integrated_gradients(bert, [tokenized], [[0, 1]], parameters())[0]
        assert [a.tokens.tobytes() for a in alone] == [a.tokens.tobytes() for a in found]


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "electra"])
def test_bfloat16_gradients_are_those_of_the_fast_encoder(tiny: Callable[[str], Path], architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = load(tiny(architecture))
    assert classifier.fast_encoder is not None
    inputs = classifier.batch([classifier.tokenize(TEXT).ids, classifier.tokenize(TEXT).ids])
    points = classifier.embed(inputs)
    padding = inputs["attention_mask"].clone()
    padding[1, -4:] = 0
    for mask, longest, most in ((None, 1024, 0.02), (padding, 1024, 0.0), (None, 4, 0.0)):
        monkeypatch.setattr("gallery.model.bf16_gradients._LONGEST", longest)
        found = []
        for encoder in (classifier.fast_encoder, with_bf16_gradients(classifier.fast_encoder)):
            at = points.clone().requires_grad_(True)
            logits = encoder(at, mask)
            found.append((logits.detach(), [torch.autograd.grad(logits[:, target].sum(), at, retain_graph=True)[0] for target in (0, 2, 0)]))
        (said, true), (again, rounded) = found
        torch.testing.assert_close(again, said, rtol=1e-5, atol=1e-6)
        for one, other in zip(true, rounded, strict=True):
            assert (one - other).abs().max() <= most * one.abs().max()
        assert torch.equal(rounded[0], rounded[2]), "a backward pass leaves what the next needs"


def test_passages_that_share_a_batch_get_the_same_numbers(bert: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    from gallery.attribution import path

    batch = [bert.tokenize(text) for text in (TEXT, "дом", "человек пришёл домой")]
    exact = parameters(products="float32")  # what shares a batch is never rounded
    alone = integrated_gradients(bert, batch, [[0, 1], [2], [1, 0, 2]], exact)
    monkeypatch.setattr(path, "mixes", lambda device: True)
    mixed = integrated_gradients(bert, batch, [[0, 1], [2], [1, 0, 2]], exact)
    for ours, theirs in zip(alone, mixed, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert a.target == b.target
            np.testing.assert_allclose(a.tokens, b.tokens, atol=1e-5 * np.abs(a.tokens).max())


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "electra"])
def test_the_fast_encoder_and_the_models_own_forward_agree(tiny: Callable[[str], Path], architecture: str) -> None:
    classifier = load(tiny(architecture))
    general = replace(classifier, fast_encoder=None)
    assert classifier.fast_encoder is not None
    tokenized = classifier.tokenize(TEXT)
    exact = parameters(products="float32")
    for ours, own in zip(*(integrated_gradients(one, [tokenized], [[0, 2]], exact)[0] for one in (classifier, general)), strict=True):
        assert np.abs(ours.tokens - own.tokens).max() <= 1e-5 * np.abs(own.tokens).max()


def test_the_path_may_begin_at_the_word_embeddings(tiny: Callable[[str], Path]) -> None:
    classifier = load(tiny("bert"), layer="words")
    tokenized = classifier.tokenize(TEXT)
    (one,) = integrated_gradients(classifier, [tokenized], [[1]], parameters(n_steps=50))[0]
    theirs = captum(classifier, TEXT, 1, 50)
    assert np.abs(one.tokens - theirs).max() <= 1e-5 * np.abs(theirs).max()


@pytest.mark.parametrize("method", method_names())
def test_every_method_explains_every_class_asked_for(bert: Classifier, method: str) -> None:
    batch = [bert.tokenize(TEXT), bert.tokenize("дом")]
    found = attribute(method_of(method), bert, batch, [[2, 1], [0]], parameters(method, samples=40))
    assert [[a.target for a in one] for one in found] == [[2, 1], [0]]
    for tokenized, one in zip(batch, found, strict=True):
        for attribution in one:
            assert attribution.method == method
            assert attribution.tokens.shape == (len(tokenized.ids),)
            assert attribution.words.shape == (len(tokenized.words),)
            assert np.isfinite(attribution.words).all()
            assert attribution.words.sum() == pytest.approx(attribution.tokens[~np.array(tokenized.special)].sum(), abs=1e-9)


def test_parameters_hold_the_settings_that_a_method_declares() -> None:
    for name in method_names():
        own = method_of(name).parameters(Settings())
        assert own.keys() >= {"dtype", "tf32", "layer", *method_of(name).settings}


def test_occlusion_is_what_the_output_loses(bert: Classifier) -> None:
    tokenized = bert.tokenize("человек пришёл домой")
    (one,) = attribute(method_of("occlusion"), bert, [tokenized], [[1]], parameters("occlusion"))[0]
    word = 2
    blank = [bert.tokenizer.mask_token_id if owner == word else own for own, owner in zip(tokenized.ids, tokenized.token_words, strict=True)]
    logits = bert.logits([tokenized.ids, blank])[:, 1]
    assert one.words[word] == pytest.approx(float(logits[0] - logits[1]), abs=1e-5)


def test_rollout_spreads_one_unit_over_the_tokens(bert: Classifier) -> None:
    (one,) = attribute(method_of("attention_rollout"), bert, [bert.tokenize(TEXT)], [[0]], parameters("attention_rollout"))[0]
    assert one.tokens.sum() == pytest.approx(1, abs=1e-5)
    assert (one.tokens >= 0).all()
    assert attention_of(bert.model) == "sdpa"
