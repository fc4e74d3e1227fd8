"""Canaries: each fails, and says what to do, when a new transformers runs attention otherwise than gallery/compat/transformers.py expects."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gallery.compat.transformers import activation_classes, attention_by, attention_of, register_attention, sdpa_attention, sdpa_mask, use_attention
from gallery.model.classifier import Classifier
from tests.support.classifiers import TEXT, load

ADAPT = "Adapt gallery/compat/transformers.py, and what registers functions with it: gallery/attention/capture.py, heads.py, reach.py."


def inputs(classifier: Classifier) -> dict[str, Tensor]:
    return classifier.batch([classifier.tokenize(TEXT).ids, classifier.tokenize("дом").ids])


def test_a_registered_function_computes_every_layer(tiny: Callable[[str], Path]) -> None:
    classifier = load(tiny("bert"))
    batch = inputs(classifier)
    with torch.no_grad():
        expected = classifier.model(**batch).logits
    seen: list[tuple[Any, ...]] = []

    def attention(module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **rest: Any) -> Any:
        seen.append((query.shape, attention_mask, rest.get("scaling")))
        return sdpa_attention(module, query, key, value, attention_mask, **rest)

    register_attention("gallery-canary", attention, sdpa_mask)
    with torch.no_grad(), attention_by(classifier.model, "gallery-canary"):
        logits = classifier.model(**batch).logits
    assert len(seen) == classifier.card.layers, f"AttentionInterface: the function ran {len(seen)} times in {classifier.card.layers} layers. {ADAPT}"
    rows, length = batch["input_ids"].shape
    for shape, mask, scaling in seen:
        assert tuple(shape) == (rows, classifier.card.heads, length, 8), f"queries are no longer [B, H, T, d] but {tuple(shape)}. {ADAPT}"
        assert mask is not None, f"AttentionMaskInterface: a padded batch got no mask. {ADAPT}"
        assert scaling, f"the scaling of the scores is no longer an argument. {ADAPT}"
    assert torch.equal(logits, expected), f"sdpa by the registry is not the model's own sdpa. {ADAPT}"


def test_a_mask_function_is_asked_by_position(tiny: Callable[[str], Path]) -> None:
    classifier = load(tiny("modernbert"))
    seen: list[dict[str, Any]] = []

    def mask(*arguments: Any, **named: Any) -> Any:
        seen.append(named)
        return sdpa_mask(*arguments, **named)

    register_attention("gallery-canary-mask", sdpa_attention, mask)
    with torch.no_grad(), attention_by(classifier.model, "gallery-canary-mask"):
        classifier.model(**classifier.batch([classifier.tokenize(TEXT).ids]))
    assert seen, f"AttentionMaskInterface: the mask function was never called. {ADAPT}"
    for named in seen:
        assert {"q_length", "kv_length", "mask_function"} <= named.keys(), f"a mask function gets {sorted(named)} now. {ADAPT}"


def test_a_model_returns_to_its_former_attention(tiny: Callable[[str], Path]) -> None:
    model = load(tiny("bert")).model
    assert attention_of(model) == "sdpa", f"a model's default attention is {attention_of(model)}, not sdpa. {ADAPT}"
    with attention_by(model, "eager"):
        assert attention_of(model) == "eager", f"set_attn_implementation no longer sets config._attn_implementation. {ADAPT}"
    assert attention_of(model) == "sdpa"
    use_attention(model, "eager")
    assert attention_of(model) == "eager"


def test_eager_attention_returns_weights_and_sdpa_does_not(tiny: Callable[[str], Path]) -> None:
    """gallery/attention/eager.py exists because of this; when sdpa returns weights too, it can go."""
    classifier = load(tiny("bert"))
    batch = classifier.batch([classifier.tokenize(TEXT).ids])
    with torch.no_grad():
        assert not classifier.model(**batch, output_attentions=True).attentions, "sdpa returns weights now: gallery/attention/eager.py need not switch to eager"
        with attention_by(classifier.model, "eager"):
            layers = classifier.model(**batch, output_attentions=True).attentions
    assert len(layers) == classifier.card.layers, f"eager attention returns no weights. {ADAPT}"


def test_activations_that_are_written_out_are_known() -> None:
    """GPT-2's GELU is a formula of five functions, which the linearised network must see as one."""
    from transformers.activations import GELUTanh, NewGELUActivation, QuickGELUActivation

    told = "Adapt activation_classes, and gallery/model/linearised.py, which treats each of them as one function."
    assert {NewGELUActivation, QuickGELUActivation, GELUTanh} <= set(activation_classes()), told
