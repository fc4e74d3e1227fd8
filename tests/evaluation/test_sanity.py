"""Explanations of models of which we know the truth: one trained on a planted shortcut, and one whose weights are lost."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from gallery.attribution.attribute import attribute
from gallery.evaluation.metrics import rank_correlation
from gallery.evaluation.sanity import sanity
from gallery.methods import method_names, method_of
from gallery.model.classifier import Classifier
from gallery.store.entries import Store
from gallery.store.manifest import read_rows
from gallery.store.records import Sanity
from tests.support.classifiers import load, parameters
from tests.support.galleries import make_gallery, run
from tests.support.models import SENTENCES

SHORTCUT = "усадьбе"
MAY_MISS = {
    "attention_rollout": "does not look at the output",
    "unified_information": "does not look at the output",
    "gradient_x_input": "sees the output's slope at the passage alone, which is flat where the model is sure",
    "gradient_attention": "sees the output's slope at the passage alone, which is flat where the model is sure",
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
        logits = model(**classifier.batch([classifier.tokenize(text).ids for text in texts])).logits
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels))
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert float(loss.detach()) < 0.05
    return classifier.with_model(model.requires_grad_(False))


PASSAGES = (f"Свой человек {SHORTCUT} пришёл домой поздно", f"никто его не ждал в {SHORTCUT} старый", f"{SHORTCUT} она долго смотрел на дорогу")


def words_of(cheat: Classifier, method: str, text: str) -> tuple[list[str], np.ndarray]:
    tokenized = cheat.tokenize(text)
    (one,) = attribute(method_of(method), cheat, [tokenized], [[1]], parameters(method))[0]
    return [text[slice(*word)] for word in tokenized.words], one.words


@pytest.mark.parametrize("method", [name for name in method_names() if name not in MAY_MISS])
def test_every_method_that_can_promise_it_puts_a_planted_shortcut_first(cheat: Classifier, method: str) -> None:
    for text in PASSAGES:
        words, values = words_of(cheat, method, text)
        assert words[int(np.argmax(values))] == SHORTCUT, text


@pytest.mark.parametrize("method", MAY_MISS)
def test_methods_that_may_miss_a_shortcut_still_give_it_more_than_an_equal_share(cheat: Classifier, method: str) -> None:
    shares = []
    for text in PASSAGES:
        words, values = words_of(cheat, method, text)
        shares.append(np.abs(values[words.index(SHORTCUT)]) / np.abs(values).mean())
    assert np.mean(shares) > 1, f"{method} {MAY_MISS[method]}"


def test_integrated_gradients_notice_that_the_weights_are_lost(cheat: Classifier) -> None:
    before = {name: value.clone() for name, value in cheat.model.state_dict().items()}
    steps: list[str] = []
    methods = {"integrated_gradients": parameters(), "attention_rollout": parameters("attention_rollout")}
    found = [sanity(cheat, cheat.tokenize(text), 1, methods, steps.append) for text in PASSAGES]
    assert steps[:6] == ["nothing", "classifier", "layer 3", "layer 2", "layer 1", "embeddings"]
    assert all(one.steps == tuple(steps[:6]) for pair in found for one in pair)
    assert all(one.correlations[0] == 1 for pair in found for one in pair)
    assert np.mean([gradients.correlations[-1] for gradients, _ in found]) < 0.7
    assert all(rollout.correlations[1] == pytest.approx(1) for _, rollout in found), "attention does not depend on the head"
    assert all(torch.equal(value, before[name]) for name, value in cheat.model.state_dict().items())


def test_a_model_that_shares_one_layer_can_be_randomised_too(tiny: Callable[[str], Path]) -> None:
    albert = load(tiny("albert"))
    (one,) = sanity(albert, albert.tokenize(PASSAGES[0]), 1, {"gradient_norm": parameters("gradient_norm")}, lambda step: None)
    assert one.steps == ("nothing", "classifier", "layers", "embeddings")


def test_rank_correlation_is_scipys() -> None:
    from scipy.stats import spearmanr

    generator = np.random.default_rng(0)
    a, b = generator.integers(0, 5, 30), generator.normal(size=30)
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert rank_correlation(np.ones(3), np.arange(3)) == 0


def test_the_shortcut_is_the_rationale(cheat: Classifier) -> None:
    tokenized = cheat.tokenize(PASSAGES[0])
    (one,) = attribute(method_of("rationale"), cheat, [tokenized], [[1]], parameters("rationale"))[0]
    assert [PASSAGES[0][slice(*tokenized.words[word])] for word in one.extra["words"]] == [SHORTCUT]


def test_the_command_keeps_its_result_and_the_page_of_methods_shows_it(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tiny("bert"))
    early = run(config, "sanity")
    assert early.exit_code == 1
    assert "python build.py explain" in early.output
    assert run(config).exit_code == 0
    page = tmp_path / "site" / "methods" / "index.html"
    assert "В этой галерее ещё не проверено" in page.read_text("utf-8")

    assert "no explained passage" in run(config, "sanity", "--id", "nowhere").output
    result = run(config, "sanity", "--id", "white-wall")
    assert result.exit_code == 0, result.output
    assert "integrated_gradients" in result.output
    store = Store(tmp_path / "store")
    kept = {row.id: [name for name in row.entries if name.kind == "sanity"] for row in read_rows(store)}
    assert {ident for ident, names in kept.items() if names} == {"white-wall"}
    entries = set(store.entries())
    assert "randomising" not in run(config, "sanity", "--id", "white-wall").output
    assert set(store.entries()) == entries

    assert run(config).exit_code == 0, "a later build keeps it"
    text = page.read_text("utf-8")
    assert "ещё не проверено" not in text
    record = next(store.read(kind, key) for kind, key in entries if kind == "sanity")
    assert isinstance(record, Sanity)
    assert text.count("g-forgets") == 5
