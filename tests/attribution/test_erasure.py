"""Passages with words taken out, held against the model asked directly."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gallery.attribution.erasure import erased_logits, generator_of, spread_words
from gallery.config import Settings
from gallery.model.classifier import Classifier
from gallery.model.loading import load_classifier
from gallery.sources.resolve import resolve_model, resolve_tokenizer

TEXT = "Сине-зелёный человек пришёл, и никто не ждал ежа."


@pytest.fixture(scope="module")
def bert(tiny: Callable[[str], Path]) -> Classifier:
    name = str(tiny("bert"))
    return load_classifier(resolve_model(name, Path()), resolve_tokenizer(name, Path()), Settings(device="cpu"))


@pytest.mark.parametrize("erase", ["mask", "pad"])
def test_every_piece_of_a_word_that_is_not_kept_is_blank_and_special_tokens_stay(bert: Classifier, erase: str) -> None:
    tokenized = bert.tokenize(TEXT)
    pieces = np.bincount([word for word in tokenized.token_words if word >= 0])
    assert pieces.max() > 1, "a word of several pieces"
    kept = np.random.default_rng(0).random((6, len(tokenized.words))) < 0.5
    kept[0], kept[1], kept[2] = True, False, np.arange(len(tokenized.words)) != int(pieces.argmax())
    blank = {"mask": bert.tokenizer.mask_token_id, "pad": bert.tokenizer.pad_token_id}[erase]
    rows = [[own if word < 0 or row[word] else blank for own, word in zip(tokenized.ids, tokenized.token_words, strict=True)] for row in kept]
    found = erased_logits(bert, tokenized, kept, erase)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, bert.logits(rows).numpy(), atol=1e-5)


def test_rows_come_back_in_their_order_however_few_go_through_at_once(bert: Classifier) -> None:
    tokenized = bert.tokenize(TEXT)
    kept = np.random.default_rng(1).random((7, len(tokenized.words))) < 0.5
    kept[5] = kept[2]
    whole = erased_logits(bert, tokenized, kept, "mask")
    assert len({row.tobytes() for row in whole}) == 6
    assert whole[5].tolist() == whole[2].tolist()
    for tokens, most in ((1, 1), (2 * len(tokenized.ids), 2), (3 * len(tokenized.ids) - 1, 2), (10_000, 6)):
        asked: list[int] = []
        hook = bert.model.register_forward_pre_hook(lambda module, arguments, named, asked=asked: asked.append(len(named["input_ids"])), with_kwargs=True)
        few = erased_logits(bert.with_batch_tokens(tokens), tokenized, kept, "mask")
        hook.remove()
        np.testing.assert_allclose(few, whole, atol=1e-5)
        assert (max(asked), sum(asked)) == (most, 6), "rows alike are asked once"


def test_a_words_value_is_divided_among_its_pieces(bert: Classifier) -> None:
    tokenized = bert.tokenize(TEXT)
    values = np.arange(1.0, len(tokenized.words) + 1)
    spread = spread_words(tokenized, values)
    assert spread.shape == (len(tokenized.ids),)
    assert not spread[list(tokenized.special)].any()
    assert tokenized.sum_words(spread) == pytest.approx(values)
    pieces = [spread[[owner == word for owner in tokenized.token_words]] for word in range(len(values))]
    assert [len(set(part.tolist())) for part in pieces] == [1] * len(values), "equally"


def test_random_numbers_are_a_passages_own(bert: Classifier) -> None:
    tokenized, other = bert.tokenize(TEXT), bert.tokenize(TEXT + " Да.")
    assert generator_of(tokenized).random(4).tolist() == generator_of(tokenized).random(4).tolist()
    assert generator_of(tokenized).random(4).tolist() != generator_of(other).random(4).tolist()
