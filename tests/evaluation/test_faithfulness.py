"""Faithfulness: what the curves are made of, chance beside them, agreement between methods."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gallery.attribution.attribute import attribute
from gallery.config import Settings, trial_parameters
from gallery.evaluation.faithfulness import SHARES, chance, faithfulness
from gallery.evaluation.metrics import KEPT, TAKEN, chance_measures, kendall_taus, top_overlap
from gallery.methods import method_of
from gallery.model.classifier import Classifier
from gallery.store.record_files import decode, encode
from gallery.store.records import Attribution, Chance, Faithfulness
from tests.support.classifiers import TEXT, load, parameters

PARAMETERS = trial_parameters(Settings(), "faithfulness")
CONTROL = trial_parameters(Settings(), "chance")


@pytest.fixture(scope="module")
def bert(tiny: Callable[[str], Path]) -> Classifier:
    classifier = load(tiny("bert"))
    vars(classifier)["bf16_encoder"] = None  # as on a machine where bfloat16 is no faster
    return classifier


def explained(classifier: Classifier, text: str = TEXT) -> list[Attribution]:
    tokenized = classifier.tokenize(text)
    found = [attribute(method_of(m), classifier, [tokenized], [[0, 1]], parameters(m))[0] for m in ("occlusion", "gradient_norm")]
    return [attribution for one in found for attribution in one]


def test_curves_begin_and_end_where_they_must(bert: Classifier) -> None:
    tokenized = bert.tokenize(TEXT)
    probability = np.exp(bert.logits([tokenized.ids])[0].double().log_softmax(-1).numpy())
    for one in faithfulness(bert, tokenized, explained(bert), PARAMETERS):
        assert one.shares.tolist() == list(SHARES)
        assert one.deletion[0] == pytest.approx(probability[one.target], abs=1e-6)
        assert one.insertion[-1] == pytest.approx(probability[one.target], abs=1e-6)
        assert one.deletion[-1] == pytest.approx(one.insertion[0])
    control = chance(bert, tokenized, CONTROL)
    assert control.deletion.shape == control.insertion.shape == (5, len(SHARES), 3)
    np.testing.assert_allclose(control.deletion[:, 0], np.tile(probability, (5, 1)), atol=1e-6)
    np.testing.assert_allclose(control.insertion[:, -1], control.deletion[:, 0])
    np.testing.assert_allclose(control.insertion[:, 0], control.deletion[:, -1])


def test_bfloat16_products_leave_the_named_figures_exact_and_say_what_they_move(tiny: Callable[[str], Path], bert: Classifier) -> None:
    rounding = load(tiny("bert"))
    assert rounding.fast_encoder is not None
    vars(rounding)["bf16_encoder"] = rounding.fast_encoder.in_bf16()  # as on a machine where bfloat16 is faster
    tokenized, attributions = bert.tokenize(TEXT), explained(bert)
    for exact, rough in zip(faithfulness(bert, tokenized, attributions, PARAMETERS), faithfulness(rounding, tokenized, attributions, PARAMETERS), strict=True):
        off = np.abs(np.concatenate([exact.deletion - rough.deletion, exact.insertion - rough.insertion]))
        assert 0 < off.max() < 0.02
        assert exact.measures["rounding"] == 0
        count = len(SHARES)
        named = [0, count - 1, SHARES.index(TAKEN), count, 2 * count - 1, count + SHARES.index(KEPT)]
        assert off[named].max() < 1e-6  # float32, in batches of another size
        assert 0 < rough.measures["rounding"] < 0.02


def test_the_stated_rounding_is_the_largest_where_both_were_computed(tiny: Callable[[str], Path], bert: Classifier) -> None:
    rounding = load(tiny("bert"))
    assert rounding.fast_encoder is not None
    vars(rounding)["bf16_encoder"] = rounding.fast_encoder.in_bf16()
    tokenized, attributions = bert.tokenize(TEXT), explained(bert)
    stated = {one.measures["rounding"] for one in faithfulness(rounding, tokenized, attributions, PARAMETERS)}
    words, mask = len(tokenized.words), bert.tokenizer.mask_token_id
    first = [set(np.argsort(-a.words, kind="stable")[: max(1, round(share * words))].tolist()) for a in attributions for share in (TAKEN, KEPT)]
    kept = [set(range(words)), set()]
    kept += [kept[0] - taken for taken in first[::2]] + first[1::2]
    rows = [[own if owner < 0 or owner in words_left else mask for own, owner in zip(tokenized.ids, tokenized.token_words, strict=True)] for words_left in kept]
    differences = (rounding.logits(rows, True).double().softmax(-1) - bert.logits(rows).double().softmax(-1)).abs()
    (value,) = stated
    assert value == pytest.approx(differences.max().item(), rel=0.05)


def test_comprehensiveness_is_what_erasing_the_first_words_costs(bert: Classifier) -> None:
    tokenized = bert.tokenize(TEXT)
    attribution = explained(bert)[0]
    one = faithfulness(bert, tokenized, [attribution], PARAMETERS)[0]
    words = len(tokenized.words)
    for share, lost, missed in zip(SHARES[1:-1], one.measures["comprehensiveness"], one.measures["sufficiency"], strict=True):
        first = set(np.argsort(-attribution.words, kind="stable")[: max(1, round(share * words))].tolist())
        mask = bert.tokenizer.mask_token_id
        without = [mask if owner in first else own for own, owner in zip(tokenized.ids, tokenized.token_words, strict=True)]
        alone = [own if owner in first or owner < 0 else mask for own, owner in zip(tokenized.ids, tokenized.token_words, strict=True)]
        whole, after, only = bert.logits([tokenized.ids, without, alone]).softmax(-1)[:, attribution.target].tolist()
        assert lost == pytest.approx(whole - after, abs=1e-6)
        assert missed == pytest.approx(whole - only, abs=1e-6)


def test_a_better_order_loses_more_than_its_reverse_and_than_random_orders(bert: Classifier) -> None:
    tokenized = bert.tokenize(TEXT)
    good = explained(bert)[0]
    bad = replace(good, words=-good.words)
    ours, theirs = faithfulness(bert, tokenized, [good, bad], PARAMETERS)
    assert ours.measures["aopc_comprehensiveness"] > theirs.measures["aopc_comprehensiveness"]
    control = chance(bert, tokenized, CONTROL)
    assert ours.measures["aopc_comprehensiveness"] > chance_measures(control, ours.target)["aopc_comprehensiveness"].max()
    assert ours.measures["aopc_reverse"] == pytest.approx(theirs.measures["aopc_comprehensiveness"])


def test_random_orders_depend_on_the_passage_alone(bert: Classifier) -> None:
    tokenized = bert.tokenize(TEXT)
    once, again = chance(bert, tokenized, CONTROL), chance(bert, tokenized, CONTROL)
    assert encode(once) == encode(again)
    assert not np.allclose(once.deletion, chance(bert, bert.tokenize(TEXT + " И ещё."), CONTROL).deletion)


def test_an_attribution_fares_alike_in_any_company(bert: Classifier) -> None:
    tokenized = bert.tokenize(TEXT)
    first, second = explained(bert)[:2]
    alone = faithfulness(bert, tokenized, [first], PARAMETERS)[0]
    together = faithfulness(bert, tokenized, [second, first], PARAMETERS)[1]
    np.testing.assert_allclose(alone.deletion, together.deletion, atol=1e-7)
    np.testing.assert_allclose(alone.insertion, together.insertion, atol=1e-7)


@pytest.mark.parametrize("text", ["дом", "дом рано", "…"])
def test_short_passages_have_curves_too(bert: Classifier, text: str) -> None:
    for one in faithfulness(bert, bert.tokenize(text), explained(bert, text), PARAMETERS):
        assert np.isfinite(one.deletion).all()
        assert isinstance(decode(encode(one), "faithfulness"), Faithfulness)
    control = decode(encode(chance(bert, bert.tokenize(text), CONTROL)), "chance")
    assert isinstance(control, Chance)
    assert np.isfinite(control.deletion).all()


def test_kendalls_tau_is_scipys() -> None:
    from scipy.stats import kendalltau

    generator = np.random.default_rng(0)
    for _ in range(5):
        a, b = generator.integers(0, 6, 30).astype(float), generator.normal(size=30)
        assert kendall_taus(np.stack([a, b]))[0, 1] == pytest.approx(kendalltau(a, b).statistic)
    assert kendall_taus(np.stack([a, a]))[0, 1] == pytest.approx(1)
    assert kendall_taus(np.stack([a, -a]))[0, 1] == pytest.approx(-1)
    assert kendall_taus(np.stack([np.ones(4), np.arange(4.0)]))[0, 1] == 0
    several = generator.normal(size=(3, 30)).round(1)
    for row, a in zip(kendall_taus(several), several, strict=True):
        assert row.tolist() == pytest.approx([kendalltau(a, b).statistic for b in several])


def test_overlap_counts_the_strongest_words() -> None:
    a = np.arange(20.0)
    assert top_overlap(a, a) == 1
    assert top_overlap(a, -a) == 0
    assert top_overlap(a, np.roll(a, 5)) == 0.5
    assert top_overlap(np.array([1.0, 2.0]), np.array([2.0, 1.0])) == 1
