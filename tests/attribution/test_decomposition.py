"""Decomposition: the linearised network's sums, held against vectors that are carried through every layer by hand."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForSequenceClassification,
    DebertaConfig,
    GemmaConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
)

from gallery.attribution.attribute import attribute
from gallery.attribution.decomposing import decomposed
from gallery.errors import SourceError
from gallery.methods import method_of
from gallery.model.classifier import Classifier
from gallery.model.hooks import output_of, resumed
from gallery.model.linearised import Linear, linear_parts
from gallery.model.linearised_encoder import encoder_parts
from gallery.testing import check_method
from tests.support.classifiers import TEXT, load, parameters
from tests.support.models import ARCHITECTURES

METHOD = method_of("decomposition")
CLASSES = [0, 1, 2]


@torch.no_grad()
def with_biases(model: nn.Module) -> nn.Module:
    """Give every bias and every norm a value of its own; fresh models have zeros and ones, which would hide their share."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


@pytest.fixture(scope="module")
def biased(tiny: Callable[[str], Path]) -> Callable[[str], Classifier]:
    made: dict[str, Classifier] = {}

    def classifier(architecture: str) -> Classifier:
        if architecture not in made:
            loaded = load(tiny(architecture))
            made[architecture] = loaded.with_model(with_biases(loaded.model))
        return made[architecture]

    return classifier


def by_hooks(classifier: Classifier, ids: tuple[int, ...], together: int = 8) -> Linear:
    inputs = classifier.batch([ids])
    point = classifier.embed(inputs)
    with resumed(classifier.model, classifier.layer, inputs) as run:
        return linear_parts(classifier.model, run, point, CLASSES, together)


def carried(model: Any, point: Tensor) -> tuple[Tensor, Tensor]:
    """Return [C, T] and [C]: a BERT's logits by explicit propagation, in float64.

    A vector for each of the T tokens, and one for the biases, stands at every position and goes through every layer. The layer
    does to each what it does to their sum: the sum decides attention, deviations and slopes.
    """
    x = point.double()
    length, width = x.shape
    parts = torch.zeros(length + 1, length, width, dtype=torch.float64)
    parts[torch.arange(length), torch.arange(length)] = x

    def through(linear: Any, parts: Tensor) -> Tensor:
        after = parts @ linear.weight.double().t()
        after[-1] += linear.bias.double()
        return after

    def normed(norm: Any, parts: Tensor) -> Tensor:
        variance = parts.sum(0).var(-1, unbiased=False, keepdim=True)
        after = (parts - parts.mean(-1, keepdim=True)) / (variance + norm.eps).sqrt() * norm.weight.double()
        after[-1] += norm.bias.double()
        return after

    def bent(function: Callable[[Tensor], Tensor], parts: Tensor) -> Tensor:
        whole = parts.sum(0)
        return parts * (function(whole) / whole)

    for layer in model.bert.encoder.layer:
        own, heads = layer.attention.self, model.config.num_attention_heads
        whole = parts.sum(0)
        query, key = ((whole @ linear.weight.double().t() + linear.bias.double()).view(length, heads, -1).transpose(0, 1) for linear in (own.query, own.key))
        weights = (query @ key.transpose(1, 2) / (width // heads) ** 0.5).softmax(-1)
        values = through(own.value, parts).view(length + 1, length, heads, -1)
        mixed = torch.einsum("nts,psnd->ptnd", weights, values).reshape(length + 1, length, width)
        parts = normed(layer.attention.output.LayerNorm, parts + through(layer.attention.output.dense, mixed))
        raised = bent(nn.functional.gelu, through(layer.intermediate.dense, parts))
        parts = normed(layer.output.LayerNorm, parts + through(layer.output.dense, raised))
    logits = through(model.classifier, bent(torch.tanh, through(model.bert.pooler.dense, parts[:, 0])))
    return logits[:-1].t(), logits[-1]


def test_contributions_are_those_of_vectors_carried_through_every_layer(biased: Callable[[str], Classifier]) -> None:
    bert = biased("bert")
    ids = bert.tokenize(TEXT).ids
    tokens, biases = carried(bert.model, bert.embed(bert.batch([ids]))[0])
    assert biases.abs().min() > 1e-3, "the biases have a share that can be missed"
    assert bert.fast_encoder is not None
    fast = encoder_parts(bert.fast_encoder, bert.embed(bert.batch([ids])), CLASSES, 2)
    for parts in (fast, by_hooks(bert, ids)):
        torch.testing.assert_close(parts.tokens, tokens, atol=1e-6, rtol=0)
        torch.testing.assert_close(parts.biases, biases, atol=1e-6, rtol=0)


def test_a_long_passage_gets_the_same_numbers_without_keeping_its_attention(biased: Callable[[str], Classifier], monkeypatch: pytest.MonkeyPatch) -> None:
    bert = biased("bert")
    assert bert.fast_encoder is not None
    point = bert.embed(bert.batch([bert.tokenize(TEXT).ids]))
    kept = encoder_parts(bert.fast_encoder, point, CLASSES, 8)
    monkeypatch.setattr("gallery.model.linearised_encoder._LONGEST", 4)
    torch.testing.assert_close(encoder_parts(bert.fast_encoder, point, CLASSES, 8).tokens, kept.tokens)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_words_special_tokens_and_biases_are_the_logit(biased: Callable[[str], Classifier], architecture: str) -> None:
    classifier = biased(architecture)
    tokenized = classifier.tokenize(TEXT)
    logits = classifier.model(**classifier.batch([tokenized.ids])).logits[0]
    for one in attribute(METHOD, classifier, [tokenized], [CLASSES], parameters("decomposition"))[0]:
        assert one.biases is not None
        specials = one.tokens[np.array(tokenized.special)].sum()
        assert one.words.sum() + specials + one.biases == pytest.approx(float(logits[one.target]), abs=1e-5)
        assert one.output_value == pytest.approx(float(logits[one.target]), abs=1e-5)
        assert one.delta == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name in {"bert", "roberta", "xlm-roberta", "distilbert", "electra"}])
def test_the_fast_encoder_and_the_models_own_pass_agree(biased: Callable[[str], Classifier], architecture: str) -> None:
    classifier = biased(architecture)
    ids = classifier.tokenize(TEXT).ids
    assert classifier.fast_encoder is not None
    fast, slow = encoder_parts(classifier.fast_encoder, classifier.embed(classifier.batch([ids])), CLASSES, 2), by_hooks(classifier, ids, 1)
    torch.testing.assert_close(fast.tokens, slow.tokens, atol=1e-6, rtol=0)
    torch.testing.assert_close(fast.biases, slow.biases, atol=1e-6, rtol=0)


_SHAPE: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
_COMMON: dict[str, Any] = {"vocab_size": 100, "num_labels": 3, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
OTHERS = [
    GPT2Config(n_embd=32, n_layer=2, n_head=4, **_COMMON),
    LlamaConfig(num_key_value_heads=2, **_SHAPE, **_COMMON),
    MistralConfig(num_key_value_heads=2, head_dim=8, **_SHAPE, **_COMMON),
    Qwen2Config(num_key_value_heads=2, **_SHAPE, **_COMMON),
    Qwen3Config(num_key_value_heads=2, head_dim=8, **_SHAPE, **_COMMON),
    GemmaConfig(num_key_value_heads=2, head_dim=8, **_SHAPE, **_COMMON),
    DebertaConfig(relative_attention=True, pos_att_type=["c2p", "p2c"], **_SHAPE, **_COMMON),
]


@pytest.mark.parametrize("config", OTHERS, ids=lambda config: config.model_type)
def test_decoders_and_deberta_are_complete_too(config: Any) -> None:
    torch.manual_seed(0)
    model = with_biases(AutoModelForSequenceClassification.from_config(config).eval().requires_grad_(False))
    for parameter in model.parameters():
        parameter.mul_(5 if parameter.ndim == 2 else 1)  # as in tests/support/models.py
    ids = torch.arange(3, 17)[None]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    layer = getattr(model.base_model, "embeddings", None) or model.get_input_embeddings()
    with torch.no_grad():
        logits = model(**inputs).logits[0].double()
        point = output_of(layer, lambda: model(**inputs))
    with resumed(model, layer, inputs) as run:
        parts = linear_parts(model, run, point, CLASSES, 8)
    torch.testing.assert_close(parts.tokens.sum(1) + parts.biases, logits, atol=1e-5, rtol=0)
    assert parts.tokens.abs().max() > 1e-2


class Bent(nn.Module):
    """An activation that no rule knows: its value at 0 is not 0, so that it has no slope y/x."""

    def forward(self, x: Tensor) -> Tensor:
        return x.exp()


@pytest.fixture
def unknown(tiny: Callable[[str], Path]) -> Classifier:
    classifier = load(tiny("modernbert"))
    for layer in classifier.model.base_model.layers:
        layer.mlp.act = Bent()
    return classifier


def test_an_architecture_that_is_not_linearised_is_refused_by_name(unknown: Classifier) -> None:
    with pytest.raises(SourceError, match=r"architecture modernbert cannot be linearised.*Leave out decomposition"):
        decomposed(unknown, unknown.tokenize(TEXT), CLASSES, tf32=False)


def test_a_fast_encoder_with_a_part_of_its_own_gives_way_to_the_models_pass(biased: Callable[[str], Classifier]) -> None:
    """Were the sums not checked, a head that the rules do not cover would give wrong numbers silently."""
    bert = biased("bert")
    assert bert.fast_encoder is not None
    wrong = SimpleNamespace(**vars(bert.fast_encoder) | {"head": lambda x: bert.fast_encoder.head(x).exp()})
    tokenized = bert.tokenize(TEXT)
    right = decomposed(bert, tokenized, CLASSES, tf32=False)
    other = Classifier(**{name: getattr(bert, name) for name in Classifier.__dataclass_fields__} | {"fast_encoder": wrong})
    torch.testing.assert_close(decomposed(other, tokenized, CLASSES, tf32=False).tokens, right.tokens, atol=1e-6, rtol=0)


def test_the_model_is_left_as_it_was(biased: Callable[[str], Classifier]) -> None:
    classifier = biased("modernbert")
    ids = classifier.tokenize(TEXT).ids
    before = classifier.logits([ids])
    by_hooks(classifier, ids)
    assert torch.equal(classifier.logits([ids]), before)
    assert not any("forward" in vars(module) for module in classifier.model.modules())


def test_the_logit_is_explained_whatever_the_output(biased: Callable[[str], Classifier]) -> None:
    bert = biased("bert")
    (one,) = attribute(METHOD, bert, [bert.tokenize(TEXT)], [[1]], parameters("decomposition", output="probability"))[0]
    assert one.output == "logit"
    assert parameters("decomposition", output="probability") == parameters("decomposition")


@pytest.mark.parametrize("architecture", [None, "modernbert"])
def test_it_holds_what_every_method_must(biased: Callable[[str], Classifier], architecture: str | None) -> None:
    check_method(METHOD, biased(architecture) if architecture else None)


def test_word_embeddings_alone_leave_positions_to_the_biases(tiny: Callable[[str], Path]) -> None:
    bert = load(tiny("bert"), layer="words")
    bert = bert.with_model(with_biases(bert.model))
    (one,) = attribute(METHOD, bert, [bert.tokenize(TEXT)], [[1]], parameters("decomposition", layer="words"))[0]
    assert one.tokens.sum() + one.biases == pytest.approx(one.output_value, abs=1e-5)
