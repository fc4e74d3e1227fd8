"""What is caught of a model's attention, against the model's own eager attention."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from gallery.attention.capture import attend
from gallery.attention.derived import FULL, SUMMARY
from gallery.attention.encoding import Reader, attention_files
from gallery.attention.layer import QueryKeyLayer
from gallery.compat.transformers import attention_of
from gallery.config import AttentionSettings
from gallery.model.classifier import Classifier
from gallery.store.record_files import decode, encode
from gallery.store.records import Array
from tests.support.classifiers import load
from tests.support.models import ARCHITECTURES, SENTENCES

Folder = Callable[[str], Path]
EXACT = AttentionSettings(precision="exact")


def eager(classifier: Classifier, text: str) -> Array:
    """[layers, heads, T, T] as transformers computes them."""
    classifier.model.set_attn_implementation("eager")
    with torch.no_grad():
        layers = classifier.model(**classifier.batch([classifier.tokenize(text).ids]), output_attentions=True).attentions
    result: Array = torch.cat(layers).numpy()
    return result


def read(classifier: Classifier, texts: list[str], settings: AttentionSettings) -> list[Reader]:
    """Take passages all the way to files and read those."""
    batch = [classifier.tokenize(text) for text in texts]
    records = attend(classifier, batch, settings)
    kept = [decode(encode(record), "attention") for record in records]
    return [Reader(attention_files(p, a)) for p, a in zip(classifier.predict(batch), kept, strict=True)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_layer_of_every_architecture_is_what_eager_attention_computes(architecture: str, tiny: Folder) -> None:
    classifier = load(tiny(architecture))
    # Unlike lengths: the shorter one is padded, and its padding must not show.
    texts = [SENTENCES[0], " ".join(SENTENCES[:2])[:90]]
    exact = read(classifier, texts, EXACT)
    rough = read(classifier, texts, AttentionSettings())
    for text, near, far in zip(texts, exact, rough, strict=True):
        wanted = eager(classifier, text)
        assert near.index["kind"] == ("weights" if architecture == "deberta-v2" else "products")
        for layer, weights in enumerate(wanted):
            assert np.abs(near.weights(layer) - weights).max() < (2e-3 if near.index["kind"] == "products" else 5e-3)
            counted = weights > 0.25 / weights.shape[-1]
            errors = np.abs(far.weights(layer) - weights)[counted] / weights[counted]
            assert np.median(errors) < 0.01
            assert np.percentile(errors, 99) < 0.05


def test_local_layers_of_modernbert_keep_their_window(tiny: Folder) -> None:
    (reader,) = read(load(tiny("modernbert")), [SENTENCES[0]], EXACT)
    assert set(reader.index["windows"]) == {None, 4}


def test_the_model_attends_afterwards_as_before(tiny: Folder) -> None:
    classifier = load(tiny("bert"))
    before = attention_of(classifier.model)
    logits = classifier.logits([classifier.tokenize(SENTENCES[0]).ids])
    attend(classifier, [classifier.tokenize(SENTENCES[0])], EXACT)
    assert attention_of(classifier.model) == before
    assert torch.equal(logits, classifier.logits([classifier.tokenize(SENTENCES[0]).ids]))


def test_mean_and_rollout_are_those_of_all_heads(tiny: Folder) -> None:
    classifier = load(tiny("bert"))
    (reader,) = read(classifier, [SENTENCES[0]], EXACT)
    wanted = eager(classifier, SENTENCES[0])
    assert np.allclose(reader.stored("mean"), wanted.mean(axis=(0, 1)), rtol=5e-3, atol=1e-6)
    rolled = np.eye(wanted.shape[-1])
    for layer in wanted:
        rolled = (layer.mean(axis=0) + np.eye(len(rolled))) / 2 @ rolled
    assert np.allclose(reader.stored("rollout"), rolled, rtol=5e-3, atol=1e-6)


def test_a_summary_says_what_share_goes_where(tiny: Folder) -> None:
    classifier = load(tiny("bert"))
    tokenized = classifier.tokenize(SENTENCES[0])
    (record,) = attend(classifier, [tokenized], EXACT)
    weights = eager(classifier, SENTENCES[0])
    words = np.array(tokenized.token_words)
    inside = words >= 0
    near = {name: record.summary[..., SUMMARY.index(name)] for name in SUMMARY}
    for name, step in (("previous", -1), ("next", 1), ("self", 0)):
        goal = (words[None] == words[:, None] + step) & inside[None]
        assert np.allclose(near[name], (weights * goal).sum(-1)[..., inside].mean(-1), atol=1e-4)
    assert np.allclose(near["first"], weights[..., inside, 0].mean(-1), atol=1e-4)
    assert np.allclose(near["separator"], weights[..., inside, -1].mean(-1), atol=1e-4)
    marks = np.array([w >= 0 and tokenized.text[slice(*tokenized.words[w])] in ",." for w in tokenized.token_words])
    assert np.allclose(near["punctuation"], weights[..., inside, :][..., marks].sum(-1).mean(-1), atol=1e-4)
    assert (near["spread"] <= 1.0001).all()


def test_the_same_passage_gives_the_same_bytes(tiny: Folder) -> None:
    classifier = load(tiny("bert"))
    tokenized = classifier.tokenize(SENTENCES[1])
    assert encode(attend(classifier, [tokenized], EXACT)[0]) == encode(attend(classifier, [tokenized], EXACT)[0])


def test_a_long_passage_is_gone_through_a_few_rows_at_a_time(tiny: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = load(tiny("modernbert"))
    tokenized = classifier.tokenize(" ".join(SENTENCES))
    (whole,) = attend(classifier, [tokenized], EXACT)
    monkeypatch.setattr("gallery.attention.layer._AT_ONCE", 700)
    monkeypatch.setattr("gallery.attention.derived.FULL", 10)
    (piecewise,) = attend(classifier, [tokenized], EXACT)
    assert np.allclose(whole.summary, piecewise.summary, atol=1e-5)
    assert piecewise.mean.size == piecewise.rollout.size == 0
    assert len(tokenized.ids) < FULL


def test_queries_and_keys_that_do_not_multiply_back_are_not_used(tiny: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = load(tiny("bert"))
    rows = QueryKeyLayer.rows
    monkeypatch.setattr(QueryKeyLayer, "rows", lambda self: ((start, part.roll(1, -1)) for start, part in rows(self)))
    (reader,) = read(classifier, [SENTENCES[0]], EXACT)
    assert reader.index["kind"] == "weights"
    assert all(np.abs(reader.weights(number) - weights).max() < 5e-3 for number, weights in enumerate(eager(classifier, SENTENCES[0])))
