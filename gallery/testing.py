"""A test kit for attribution methods: `check_method` tries what every method must hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from gallery.config import Settings
from gallery.methods import Method

if TYPE_CHECKING:
    from gallery.model.classifier import Classifier
    from gallery.model.tokenized import Tokenized
    from gallery.store.records import Array, Attribution

_SENTENCE = "The night was quiet, and nobody came to the old door."
_SETTINGS = Settings(device="cpu", samples=40)
_TOLERANCE = 1e-4
"""Difference of numbers that must agree, as a share of the largest; float32 computes them in another order."""


def check_method(method: Method, classifier: Classifier | None = None) -> None:
    """Raise AssertionError, naming what was broken, unless a method holds what every method must.

    The method explains a sentence, a single word, and a passage longer than the model, for two classes. Tried are the shapes of
    tokens and words, finite numbers, words as the sums of their tokens, the same numbers in a second call and for a class asked
    alone, the declared settings among the parameters, the output value, and an unchanged model; besides what the method declares:
    numbers alike for all classes (`by_class=False`), none negative (`signed=False`), and sums that add up to
    output_value - baseline_value + delta, or output_value - biases + delta (`complete=True`).

    Without a classifier, a random BERT of two layers is made; nothing is fetched. Needs the extra `explain`.

    >>> check_method(method_of("occlusion"))
    >>> from dataclasses import replace
    >>> check_method(replace(method_of("occlusion"), signed=False))
    Traceback (most recent call last):
        ...
    AssertionError: occlusion: declared signed=False, but a number is negative (a sentence, class 0).
    """
    classifier = classifier or _tiny_classifier()
    sentence = classifier.tokenize(_SENTENCE)
    before = classifier.logits([sentence.ids]).numpy(force=True)
    attributions = _checked(method, classifier, sentence, "a sentence")
    _hold(np.array_equal(before, classifier.logits([sentence.ids]).numpy(force=True)), method, "the model answers otherwise after the method has run")
    again = _attributions(method, classifier, sentence, (0, 1))
    for first, second in zip(attributions, again, strict=True):
        same = np.array_equal(first.tokens, second.tokens) and np.array_equal(first.words, second.words)
        _hold(same, method, "a second call gave other numbers; draw random numbers from a seed of the passage, as generator_of does")
    (alone,) = _attributions(method, classifier, sentence, (1,))
    alike = _close(alone.tokens, attributions[1].tokens)
    _hold(alike, method, "the numbers of a class depend on the other classes of the call; an entry's key does not, so they must not")
    _check_output(method, attributions, before[0])
    _checked(method, classifier, classifier.tokenize("Night"), "a single word")
    reading = replace(classifier, long="windows")
    passage = reading.tokenize(" ".join([_SENTENCE] * (1 + 3 * classifier.card.max_tokens // (2 * len(sentence.ids)))))
    assert passage.windows
    _checked(method, reading, passage, "a passage in windows")


def _checked(method: Method, classifier: Classifier, tokenized: Tokenized, text: str) -> list[Attribution]:
    """Return the attributions of two classes after the checks that hold for every text."""
    attributions = _attributions(method, classifier, tokenized, (0, 1))
    for target, attribution in enumerate(attributions):
        where = f"({text}, class {target})"
        _hold(attribution.method == method.name, method, f"the record names the method {attribution.method!r} {where}")
        _hold(attribution.target == target, method, f"the record names class {attribution.target} {where}")
        _check_shapes(method, attribution, tokenized, where)
        _check_numbers(method, attribution, tokenized, where)
        for name, value in method.parameters(_SETTINGS).items():
            _hold(attribution.parameters.get(name, ...) == value, method, f"the record's parameters lack {name}={value!r} {where}")
        if method.complete:
            _check_sum(method, attribution, where)
        if not method.signed:
            _hold(attribution.tokens.min() >= 0, method, f"declared signed=False, but a number is negative {where}")
    if not method.by_class:
        alike = _close(attributions[0].tokens, attributions[1].tokens)
        _hold(alike, method, f"declared by_class=False, but two classes have different numbers ({text})")
    return attributions


def _attributions(method: Method, classifier: Classifier, tokenized: Tokenized, targets: Sequence[int]) -> list[Attribution]:
    from gallery.attribution.attribute import attribute

    results = attribute(method, classifier, [tokenized], [targets], method.parameters(_SETTINGS))
    _hold(len(results) == 1 and len(results[0]) == len(targets), method, "must return a list for each passage, with one attribution for each class")
    return results[0]


def _check_shapes(method: Method, attribution: Attribution, tokenized: Tokenized, where: str) -> None:
    for name, numbers, length in (("tokens", attribution.tokens, len(tokenized.ids)), ("words", attribution.words, len(tokenized.words))):
        _hold(numbers.shape == (length,), method, f"{name} has the shape {list(numbers.shape)}, not [{length}] {where}")
    layers = attribution.layers
    if layers.size:
        _hold(layers.ndim == 2 and layers.shape[1] == len(tokenized.words), method, f"layers has the shape {list(layers.shape)}, not [layers, words] {where}")


def _check_numbers(method: Method, attribution: Attribution, tokenized: Tokenized, where: str) -> None:
    for name in ("tokens", "words", "layers", "output_value", "baseline_value", "biases", "delta", "baseline_probabilities"):
        value = getattr(attribution, name)
        _hold(value is None or bool(np.isfinite(value).all()), method, f"{name} holds a number that is not finite {where}")
    _hold(_close(attribution.words, tokenized.sum_words(attribution.tokens)), method, f"a word is not the sum of its tokens {where}")


def _check_sum(method: Method, attribution: Attribution, where: str) -> None:
    start, delta = attribution.start, attribution.delta
    if start is None or delta is None:
        raise AssertionError(f"{method.name}: declared complete=True, but the record has no baseline_value or biases, or no delta {where}.")
    named = "baseline_value" if attribution.biases is None else "biases"
    total, change = float(attribution.tokens.sum()), attribution.output_value - start
    scale = max(abs(total), abs(change), float(np.abs(attribution.tokens).sum()))
    _hold(
        abs(total - (change + delta)) <= _TOLERANCE * scale,
        method,
        f"declared complete=True, but the tokens add up to {total:.6g}, and output_value - {named} + delta is {change + delta:.6g} {where}",
    )


def _check_output(method: Method, attributions: Sequence[Attribution], logits: Array) -> None:
    from gallery.attribution.outputs import output_values

    for attribution in attributions:
        expected = float(output_values(logits, attribution.output)[attribution.target])
        near = abs(attribution.output_value - expected) <= 0.01 * max(1.0, abs(expected))  # a rounded pass may be a little off
        _hold(near, method, f"output_value is {attribution.output_value:.6g}, but the model's {attribution.output} is {expected:.6g}")


def _close(left: Array, right: Array) -> bool:
    return left.shape == right.shape and bool(np.abs(left - right).max(initial=0) <= _TOLERANCE * max(np.abs(left).max(initial=0), 1e-12))


def _hold(holds: bool | np.bool_, method: Method, broken: str) -> None:
    if not holds:
        raise AssertionError(f"{method.name}: {broken}.")


@cache
def _tiny_classifier() -> Classifier:
    """Return a random BERT of two layers, 64 tokens long, whose words fall into pieces."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast
    from transformers.utils import logging

    from gallery.model.loading import load_classifier
    from gallery.sources.resolve import resolve_model, resolve_tokenizer

    specials = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    letters = sorted(set(_SENTENCE.lower()) - {" "})
    pieces = [*specials, "the", "night", "was", "and", "to", *letters, *(f"##{letter}" for letter in letters), "##ody"]
    split = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="[UNK]"))
    split.normalizer, split.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    split.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), specials, strict=True))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=split, model_max_length=64, **names)
    shape: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "num_labels": 3}
    config = BertConfig(vocab_size=len(pieces), max_position_embeddings=64, **shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = BertForSequenceClassification(config)
    with torch.no_grad():  # the usual initialisation leaves attention uniform and all classes alike
        for parameter in network.parameters():
            if parameter.ndim == 2:
                parameter.mul_(5)
    logging.disable_progress_bar()
    with TemporaryDirectory() as folder:
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return load_classifier(resolve_model(folder, Path()), resolve_tokenizer(folder, Path()), _SETTINGS)
