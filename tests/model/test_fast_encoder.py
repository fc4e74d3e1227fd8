"""The fast encoder: which models have it, and what is said of those that have none."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gallery.model.fast_encoder import fast_encoder_of
from tests.support.classifiers import TEXT, load
from tests.support.galleries import make_gallery, run

Tiny = Callable[[str], Path]


@pytest.mark.parametrize(("architecture", "fast"), [("bert", True), ("distilbert", True), ("modernbert", False), ("albert", False), ("deberta-v2", False)])
def test_an_architecture_without_a_fast_form_is_named_once(tiny: Tiny, architecture: str, fast: bool) -> None:
    classifier = load(tiny(architecture))
    assert (classifier.fast_encoder is not None) == fast
    assert classifier.card.fast is fast
    assert len(classifier.notes) == (0 if fast else 1)
    for note in classifier.notes:
        assert note.startswith(f"{tiny(architecture)}: the model's own forward pass computes everything")
        assert note.endswith(f"no fast form of the architecture {architecture} is known.")


def test_a_form_with_other_logits_is_given_up(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a configuration moves the LayerNorms: the arithmetic is not the model's."""
    classifier = load(tiny("bert"))
    monkeypatch.setattr("gallery.model.fast_encoder.Layer.first_row", lambda layer, x, mask: x[:, :1])
    encoder, reason = fast_encoder_of(classifier.model)
    assert encoder is None
    assert reason.startswith("the logits of its fast form differ from its own by ")
    assert float(reason.rpartition(" ")[2]) > 1e-4
    assert load(tiny("bert")).notes[0].endswith(f": {reason}.")


def test_attributions_at_the_word_embeddings_try_no_fast_form(tiny: Tiny) -> None:
    classifier = load(tiny("bert"), layer="words")
    assert (classifier.fast_encoder, classifier.card.fast, classifier.notes) == (None, None, ())


def test_other_weights_have_a_fast_encoder_of_their_own(tiny: Tiny) -> None:
    classifier = load(tiny("bert"))
    ids = classifier.tokenize(TEXT).ids
    with torch.no_grad():
        classifier.model.bert.encoder.layer[0].attention.self.value.weight.mul_(0.5)
    own = classifier.model(**classifier.batch([ids])).logits
    assert not torch.allclose(classifier.logits([ids]), own, atol=1e-3), "the fast encoder holds copies of weights"
    torch.testing.assert_close(classifier.with_model(classifier.model).logits([ids]), own, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("architecture", "said"), [("bert", False), ("modernbert", True)])
def test_the_page_of_the_model_says_so(tiny: Tiny, tmp_path: Path, architecture: str, said: bool) -> None:
    config = make_gallery(
        tmp_path, tiny(architecture), language="en", settings="    methods: [gradient_x_input]\n    bertviz_tokens: 0\n    random_orders: 0\n"
    )
    assert run(config).exit_code == 0
    page = (tmp_path / "site" / "model" / "index.html").read_text("utf-8")
    assert ("own forward pass computes everything" in page) == said
