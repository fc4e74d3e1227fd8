"""Shapley interactions: by brute force over all orders, on games whose answer is known, and on the pages."""

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from gallery.attribution.attribute import attribute
from gallery.evaluation.interactions import interactions, pairwise
from gallery.methods import method_of
from tests.support.classifiers import TEXT, load, parameters
from tests.support.galleries import make_gallery, run

Tiny = Callable[[str], Path]


def by_orders(value: Callable[[frozenset[int]], float], count: int, i: int, j: int) -> float:
    """The mean over all orders of the others, and of the pair as one player among them, of what the pair does beyond each alone."""
    players = [player for player in range(count) if player not in (i, j)]
    differences = []
    for order in permutations([*players, "pair"]):
        before = frozenset(order[: order.index("pair")])
        differences.append(value(before | {i, j}) - value(before | {i}) - value(before | {j}) + value(before))  # type: ignore[operator]
    return float(np.mean(differences))


def test_the_index_is_the_mean_over_all_orders() -> None:
    outputs = np.random.default_rng(0).normal(size=2**5)
    values = pairwise(outputs)
    for i in range(5):
        for j in range(i + 1, 5):
            expected = by_orders(lambda players: float(outputs[sum(1 << player for player in players)]), 5, i, j)
            assert values[i, j] == values[j, i] == pytest.approx(expected)
    assert np.trace(values) == pytest.approx(outputs[-1] - outputs[0]), "Shapley values add up"


def test_words_that_only_count_together_have_an_arc_and_independent_words_have_none() -> None:
    sets = [[number >> player & 1 for player in range(4)] for number in range(16)]
    values = pairwise(np.array([2.0 * a * b + 0.7 * c - 0.1 * d for a, b, c, d in sets]))
    assert values[0, 1] == pytest.approx(2)
    assert np.abs(np.triu(values, 1)).sum() == pytest.approx(2)
    assert np.diag(values).tolist() == pytest.approx([1, 1, 0.7, -0.1])


def test_the_players_are_the_strongest_words_and_the_values_those_of_the_model(tiny: Tiny) -> None:
    classifier = load(tiny("bert"))
    tokenized = classifier.tokenize(TEXT)
    [[attribution]] = attribute(method_of("gradient_x_input"), classifier, [tokenized], [[1]], parameters("gradient_x_input"))
    record = interactions(classifier, tokenized, attribution, {"words": 3, "erase": "mask", "output": "logit"})
    assert set(record.words.tolist()) == set(np.argsort(-np.abs(attribution.words))[:3].tolist())
    players = record.words.tolist()

    def logit(kept: frozenset[int]) -> float:
        erased = [players[n] for n in range(3) if n not in kept]
        ids = [classifier.tokenizer.mask_token_id if word in erased else own for own, word in zip(tokenized.ids, tokenized.token_words, strict=True)]
        return float(classifier.model(**classifier.batch([ids])).logits[0, 1])

    assert record.values[0, 2] == pytest.approx(by_orders(logit, 3, 0, 2), abs=1e-4)


def test_pages_of_passages_and_authors_show_the_pairs(tiny: Tiny, tmp_path: Path) -> None:
    config = make_gallery(
        tmp_path, tiny("bert"), settings="    methods: [gradient_x_input]\n    random_orders: 0\n    bertviz_tokens: 0\n    interactions: 4\n"
    )
    done = run(config)
    assert done.exit_code == 0, done.output
    page = (tmp_path / "site" / "passages" / "white-wall" / "index.html").read_text("utf-8")
    assert "Слова, которые важны вместе" in page
    assert page.count("g-arc-") <= 6, "four words, six pairs"
    assert page.count('<li><span lang="ru">«') == 6
    authors = "".join(path.read_text("utf-8") for path in (tmp_path / "site" / "authors").glob("*/index.html"))
    assert "#pairs" in authors
    assert "вместе дают больше" in authors
