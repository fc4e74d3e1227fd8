"""Norm-based attention: the paper's formula with the model's own modules, in the store, in the site's files and in the explorer."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from gallery.attention.encoding import decode_weights
from gallery.attention.norms import norm_attention
from gallery.compat.transformers import attention_by
from tests.support.classifiers import TEXT, load
from tests.support.galleries import make_gallery, run

Tiny = Callable[[str], Path]
SETTINGS = "    methods: [gradient_x_input]\n    random_orders: 0\n    bertviz_tokens: 0\n"


def test_the_numbers_are_the_papers_with_the_models_own_weights_and_modules(tiny: Tiny) -> None:
    """Word by word: the sum over the heads of α times (x W_V + b_V) W_O, whose length is taken."""
    classifier = load(tiny("bert"))
    tokenized = classifier.tokenize(TEXT)
    with attention_by(classifier.model, "eager"), torch.no_grad():
        answer = classifier.model(**classifier.batch([tokenized.ids]), output_attentions=True, output_hidden_states=True)
    for number, ours in enumerate(norm_attention(classifier, tokenized)):
        layer, state, weights = classifier.model.bert.encoder.layer[number], answer.hidden_states[number][0], answer.attentions[number][0].numpy()
        values = layer.attention.self.value(state).numpy()
        out = layer.attention.output.dense.weight.numpy()
        expected = np.zeros(ours.shape)
        for i in range(len(expected)):
            for j in range(len(expected)):
                arriving = np.concatenate([weights[head, i, j] * values[j, 8 * head : 8 * head + 8] for head in range(4)])
                expected[i, j] = np.linalg.norm(out @ arriving)
        np.testing.assert_allclose(ours, expected / expected.sum(1, keepdims=True), atol=1e-5)


def test_the_site_carries_them_only_where_they_are_asked_for(tiny: Tiny, tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tiny("bert"), settings=SETTINGS)
    assert run(config).exit_code == 0
    folder = tmp_path / "site" / "data" / "white-wall" / "attention"
    assert not list(folder.glob("norms*"))
    assert "norms" not in json.loads((folder / "index.json").read_text("utf-8"))
    plan = run(config, "explain", "--plan", "--attention-norms").output
    assert "norms: null → True" in plan
    assert run(config, "build", "--attention-norms").exit_code == 0
    index = json.loads((folder / "index.json").read_text("utf-8"))
    assert index["norms"] == ["norms-00.bin", "norms-01.bin", "norms-02.bin"]
    classifier = load(tiny("bert"))
    text = index["text"]
    [first, *_] = norm_attention(classifier, classifier.tokenize(text))
    stored = decode_weights((folder / "norms-00.bin").read_bytes(), len(index["tokens"]))[0]
    np.testing.assert_allclose(stored, first, atol=0.02 * float(first.max()))


@pytest.mark.parametrize("architecture", ["deberta-v2"])
def test_an_architecture_whose_maps_are_not_known_is_refused_by_name(tiny: Tiny, tmp_path: Path, architecture: str) -> None:
    config = make_gallery(tmp_path, tiny(architecture), settings=SETTINGS + "    attention: {norms: true}\n")
    refused = run(config)
    assert refused.exit_code == 1
    assert "extra.gallery.attention.norms" in refused.output
    assert architecture in refused.output
