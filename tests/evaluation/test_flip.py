"""How many words hold the answer: the set found is held against the model, asked directly."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gallery.attribution.attribute import attribute
from gallery.config import Settings, trial_parameters
from gallery.evaluation.faithfulness import faithfulness
from gallery.evaluation.flip import flip
from gallery.methods import method_of
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.records import Attribution, Flip
from tests.support.classifiers import TEXT, load, parameters

TRIED = trial_parameters(Settings(), "faithfulness")
CONTROL = trial_parameters(Settings(), "chance")


@pytest.fixture(scope="module")
def bert(tiny: Callable[[str], Path]) -> Classifier:
    classifier = load(tiny("bert"))
    vars(classifier)["bf16_encoder"] = None
    return classifier


def answer(classifier: Classifier, tokenized: Tokenized, erased: set[int]) -> int:
    """Ask the model itself, with mask tokens in place of the words."""
    mask = classifier.tokenizer.mask_token_id
    ids = [mask if owner in erased else own for own, owner in zip(tokenized.ids, tokenized.token_words, strict=True)]
    return int(classifier.model(**classifier.batch([ids])).logits.argmax())


def found(classifier: Classifier, text: str) -> tuple[Tokenized, Attribution, Flip]:
    tokenized = classifier.tokenize(text)
    target = int(classifier.logits([tokenized.ids]).argmax())
    [[attribution]] = attribute(method_of("occlusion"), classifier, [tokenized], [[target]], parameters("occlusion"))
    [tried] = faithfulness(classifier, tokenized, [attribution], TRIED)
    return tokenized, attribution, flip(classifier, tokenized, attribution, tried, CONTROL)


def biased(classifier: Classifier, target: int, by: float) -> Classifier:
    """Return the same model with another bias of a class, so that its answer is easier or harder to move."""
    from copy import deepcopy

    model = deepcopy(classifier.model)
    model.classifier.bias.data[target] += by
    other = classifier.with_model(model)
    vars(other)["bf16_encoder"] = None
    return other


def test_the_answer_is_another_without_the_words_and_comes_back_with_any_of_them(bert: Classifier) -> None:
    tokenized = bert.tokenize(TEXT)
    logits = bert.logits([tokenized.ids])[0]
    empty = bert.logits([bert.baseline_ids(tokenized, "mask")])[0]
    first = int(logits.argmax())
    lead, lead_empty = (float(row[first] - np.delete(row.numpy(), first).max()) for row in (logits, empty))
    near = biased(bert, first, -(max(lead, lead_empty) + min(lead, lead_empty)) / 2)  # the answer is kept by words, not by the bias
    tokenized, attribution, result = found(near, TEXT)
    assert result.becomes is not None, "the model was biased so that its answer can be moved"
    assert result.along is not None
    words = result.words.tolist()
    assert answer(near, tokenized, set(words)) == result.becomes != result.target
    assert result.pruned
    for word in words:
        if len(words) > 1:
            assert answer(near, tokenized, set(words) - {word}) == result.target
    order = np.argsort(-attribution.words, kind="stable").tolist()
    assert set(words) <= set(order[: result.along])
    assert answer(near, tokenized, set(order[: result.along])) != result.target
    assert answer(near, tokenized, set(order[: result.along - 1])) == result.target
    fewest = next(
        size
        for size in range(1, len(words) + 1)
        if any(answer(near, tokenized, set(some)) != result.target for some in itertools.combinations(range(len(tokenized.words)), size))
    )
    assert fewest <= len(words)
    assert len(result.random) == CONTROL["random_orders"]


def test_an_answer_that_no_erasing_moves_is_said_to_hold(bert: Classifier) -> None:
    certain = biased(bert, int(bert.logits([bert.tokenize(TEXT).ids]).argmax()), 50.0)
    tokenized, _, result = found(certain, TEXT)
    assert result.becomes is None
    assert result.along is None
    assert not len(result.words)
    assert answer(certain, tokenized, set(range(len(tokenized.words)))) == result.target


def test_all_classes_are_kept_at_every_stop_of_the_slider(bert: Classifier) -> None:
    tokenized, attribution, _ = found(bert, TEXT)
    [tried] = faithfulness(bert, tokenized, [attribution], TRIED)
    count, order = len(tokenized.words), np.argsort(-attribution.words, kind="stable").tolist()
    mask = bert.tokenizer.mask_token_id
    for share, without, alone in zip(tried.steps, tried.without, tried.alone, strict=True):
        number = 0 if share == 0 else max(1, round(share * count))
        for erased, row in ((set(order[:number]), without), (set(order[number:]), alone)):
            ids = [mask if owner in erased else own for own, owner in zip(tokenized.ids, tokenized.token_words, strict=True)]
            own = bert.model(**bert.batch([ids])).logits.double().softmax(-1)[0].detach().numpy()
            np.testing.assert_allclose(row, own, atol=1e-6)
    assert replace(tried).deletion.tolist() == [float(tried.without[tried.steps.tolist().index(share), tried.target]) for share in tried.shares.tolist()]
