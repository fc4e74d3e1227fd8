"""Which method the page on methods calls truest: computed from the gallery at hand."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import bootstrap

from gallery.attribution.attribute import attribute
from gallery.config import Settings, trial_parameters
from gallery.evaluation.faithfulness import chance, faithfulness
from gallery.methods import method_of
from gallery.model.classifier import Classifier
from gallery.site.pages import measures as m  # pytest would take its names for tests
from gallery.site.pages.methods import measures_fragment
from gallery.site.pages.truest import FEWEST, truest
from gallery.store.manifest import EntryName
from tests.support.classifiers import load, parameters
from tests.support.models import SENTENCES

METHODS = ("integrated_gradients", "decomposition")


def passages(losses: np.ndarray) -> list[m.Tested]:
    """Return passages with the comprehensiveness [P, 2] of two methods, and 0.1 for random words."""
    tests = []
    for row in losses:
        figures: list[list[float | None]] = [[None] * len(m.MEASURES) for _ in range(3)]
        for figure, value in zip(figures, [*row.tolist(), 0.1], strict=True):
            figure[m.MEASURES.index("aopc_comprehensiveness")] = value
        curve: list[float | None] = [0.9, 0.1]
        tests.append(m.Tested(figures, [curve] * 3, [[1.0, 0.5], [0.5, 1.0]], [[1.0, 0.5], [0.5, 1.0]], [], {}, {}))
    return tests


def losses(first: float, second: float, spread: float = 0.02) -> np.ndarray:
    return np.array([first, second]) + spread * np.random.default_rng(1).normal(size=(30, 2))


def test_means_and_intervals_are_scipys() -> None:
    values = losses(0.5, 0.3)
    found = truest(METHODS, passages(values))
    assert found is not None
    assert (found.method, found.passages, [rival.method for rival in found.rivals]) == ("integrated_gradients", 30, ["decomposition"])
    for interval, column in ((found.loss, values[:, 0]), (found.rivals[0].loss, values[:, 1]), (found.rivals[0].behind, values[:, 0] - values[:, 1])):
        theirs = bootstrap((column,), np.mean, method="percentile", n_resamples=5000, random_state=0).confidence_interval
        assert interval.mean == pytest.approx(column.mean(), abs=1e-5)
        assert (interval.low, interval.high) == pytest.approx((theirs.low, theirs.high), abs=0.002)


@pytest.mark.parametrize(
    ("first", "second", "spread", "said"),
    [
        (0.5, 0.3, 0.02, "integrated gradients is the truest method here"),
        (0.3, 0.5, 0.02, "decomposition is the truest method here"),
        (0.41, 0.4, 0.2, "is not to be told from it"),
    ],
)
def test_the_page_says_what_the_passages_show(first: float, second: float, spread: float, said: str) -> None:
    tests = passages(losses(first, second, spread))
    page = " ".join(str(measures_fragment("en", METHODS, m.overview(METHODS, tests), len(tests), truest(METHODS, tests))).split())
    assert said in page
    assert ("which may be chance" in page) == (said == "is not to be told from it")


def test_a_handful_of_passages_decides_nothing_and_missing_figures_are_left_out() -> None:
    tests = passages(losses(0.5, 0.3))
    assert truest(METHODS, tests[: FEWEST - 1]) is None
    assert truest(METHODS[:1], [replace(test, figures=[test.figures[0], test.figures[2]]) for test in tests]) is None
    found = truest(METHODS, [*tests, replace(tests[0], figures=[[None] * len(m.MEASURES)] * 3)])
    assert found is not None
    assert found.passages == 30


WORDS = list(dict.fromkeys(re.findall(r"\w+", " ".join(SENTENCES[:4]))))


def ordered(generator: np.random.Generator) -> tuple[str, int]:
    """Return a text with two certain words in it, and the class, which their order alone decides."""
    label = int(generator.integers(2))
    words = list(generator.choice(WORDS[8:], generator.integers(4, 12)))
    first, second = sorted(generator.choice(len(words) + 1, 2, replace=False))
    words.insert(first, WORDS[1 - label])
    words.insert(second + 1, WORDS[label])
    return " ".join(words), label


@pytest.fixture(scope="module")
def ordering(tiny: Callable[[str], Path]) -> Classifier:
    """A classifier trained on the order of two words: where attention goes decides, and decomposition holds that fixed."""
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    classifier = load(tiny("bert"))
    model = classifier.model.requires_grad_(True)
    adam = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(250):
        texts = [ordered(generator) for _ in range(32)]
        logits = model(**classifier.batch([classifier.tokenize(text).ids for text, _ in texts])).logits
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor([label for _, label in texts]))
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert float(loss.detach()) < 0.1
    return classifier.with_model(model.requires_grad_(False))


def test_where_integrated_gradients_win_the_page_says_so(ordering: Classifier) -> None:
    generator = np.random.default_rng(1)
    tests = []
    for text, label in [ordered(generator) for _ in range(20)]:
        if label != 1:
            continue
        tokenized = ordering.tokenize(text)
        found = [attribute(method_of(name), ordering, [tokenized], [[1]], parameters(name))[0][0] for name in METHODS]
        tried = faithfulness(ordering, tokenized, found, trial_parameters(Settings(), "faithfulness"))
        control = chance(ordering, tokenized, trial_parameters(Settings(random_orders=2), "chance"))
        records = [*found, *tried, control]
        tests.append(m.tested(METHODS, 1, {EntryName(str(number)): record for number, record in enumerate(records)}))
    best = truest(METHODS, tests)
    assert best is not None
    assert best.method == "integrated_gradients"
    assert best.rivals[0].apart
    page = " ".join(str(measures_fragment("en", METHODS, m.overview(METHODS, tests), len(tests), best)).split())
    assert "integrated gradients is the truest method here" in page
