"""A model run in part gives the numbers of the whole."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gallery.model.classifier import Classifier
from gallery.model.hooks import output_of, outputs_of, resumed
from gallery.model.layers import encoder_layers, from_layer, hidden_states, state_after
from tests.support.classifiers import TEXT, load
from tests.support.models import ARCHITECTURES

Tiny = Callable[[str], Path]


@pytest.fixture(scope="module")
def bert(tiny: Tiny) -> Classifier:
    return load(tiny("bert"))


def test_a_forward_pass_ends_at_the_module_that_is_asked(bert: Classifier) -> None:
    inputs = bert.batch([bert.tokenize(TEXT).ids])
    layers = encoder_layers(bert)
    with torch.no_grad(), outputs_of(layers) as outputs:
        state = output_of(layers[0], lambda: bert.model(**inputs))
    assert len(outputs) == 1, "the layers above never ran"
    assert torch.equal(outputs[0], state)


def test_an_error_in_the_model_is_not_taken_for_the_end(bert: Classifier) -> None:
    with pytest.raises(ZeroDivisionError):
        output_of(bert.layer, lambda: 1 / 0)
    assert not bert.layer._forward_hooks, "no hook is left"


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name != "albert"])
@pytest.mark.parametrize("fast", [True, False])
def test_every_layers_output_leads_to_the_models_logits(tiny: Tiny, architecture: str, fast: bool) -> None:
    classifier = load(tiny(architecture))
    if fast and classifier.fast_encoder is None:
        pytest.skip("no fast form")
    if not fast:
        classifier = load(tiny(architecture), layer="words")
    ids = classifier.tokenize(TEXT).ids
    inputs = classifier.batch([ids])
    with torch.no_grad():
        logits = classifier.model(**inputs).logits
        embeddings = classifier.embed(inputs)
        for number, state in enumerate(hidden_states(classifier, ids)):
            torch.testing.assert_close(state_after(classifier, inputs, embeddings, number)[0], state, atol=1e-4, rtol=1e-4)
            with from_layer(classifier, number, inputs) as run:
                torch.testing.assert_close(run(torch.stack([state, state])), logits.expand(2, -1), atol=1e-4, rtol=1e-4)


def test_a_model_runs_on_from_the_embeddings_of_another_passage(bert: Classifier) -> None:
    inputs, other = (bert.batch([bert.tokenize(text).ids]) for text in ("дом рано", "рано дом"))
    with torch.no_grad():
        own_logits, other_logits = (bert.model(**batch).logits for batch in (inputs, other))
        embeddings = bert.embed(other)
        with resumed(bert.model, bert.layer, inputs) as run:
            torch.testing.assert_close(run(embeddings), other_logits)
        torch.testing.assert_close(bert.model(**inputs).logits, own_logits, msg="and afterwards from its own")
    assert not torch.allclose(own_logits, other_logits)
