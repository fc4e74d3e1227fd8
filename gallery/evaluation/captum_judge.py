"""The same attributions by Captum's own classes, on the plain transformers model: no fast encoder, no bfloat16, nothing of our engine.

Captum (Kokhlikyan et al. 2020, arXiv:2009.07896) is what people trust. Each function returns Captum's numbers of one passage, or of
one window of it, for one class.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from captum.attr import FeatureAblation, IntegratedGradients, LayerGradientXActivation, LayerIntegratedGradients, Saliency
from torch import Tensor, nn

from gallery.attribution.erasure import spread_words
from gallery.attribution.method import Parameters
from gallery.attribution.methods.other_baseline import second_baseline
from gallery.attribution.outputs import class_outputs
from gallery.model.classifier import Classifier
from gallery.model.hooks import repeated, resumed
from gallery.model.layers import encoder_layers
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array

ROW_TOKENS = 512
"""Tokens of the rows that Captum runs together on a CPU: longer batches leave its caches. `batch_tokens` elsewhere."""
FEWEST = 16
"""Steps of the first integral, at least."""
MOST = 1024
"""Steps of the last integral, at most."""
MOVED = 0.005
"""An integral is taken for Captum's result when doubling its steps moves it by at most this share of the largest contribution."""

Distance = Callable[[Array, Array], float]
"""Returns how far two results [K, T] are apart, as a share of the largest contribution of the second."""


@dataclass(frozen=True)
class Judgement:
    """Captum's numbers of one passage or window for one class."""

    tokens: Array
    """[K, T] float64: K = 1, or the number of layers for a method that explains each layer."""
    steps: int
    """Steps of the integral; 0 for methods without one."""
    moved: float
    """How far the last doubling of the steps moved the result, as a share of the largest contribution; 0 without doubling."""


Judge = Callable[[Classifier, Tokenized, int, Parameters, int, Distance], Judgement]
"""(classifier, passage or window, class, parameters of the method, steps that our engine took, distance) -> Captum's numbers."""


def integrated_gradients(classifier: Classifier, tokenized: Tokenized, target: int, parameters: Parameters, steps: int, distance: Distance) -> Judgement:
    """Return `LayerIntegratedGradients`; for the baseline of zeros, which no tokens give, `IntegratedGradients` of the embeddings."""
    if parameters["baseline"] == "zero":
        return _settled(lambda count: _from_zero(classifier, tokenized, target, parameters, count)[None], parameters, steps, distance)
    return _settled(lambda count: _integral(classifier, classifier.layer, tokenized, target, parameters, count)[None], parameters, steps, distance)


def other_baseline(classifier: Classifier, tokenized: Tokenized, target: int, parameters: Parameters, steps: int, distance: Distance) -> Judgement:
    """Return `LayerIntegratedGradients` from the second baseline."""
    second = {**parameters, "baseline": second_baseline(parameters["baseline"])}
    return integrated_gradients(classifier, tokenized, target, second, steps, distance)


def layer_integrated_gradients(classifier: Classifier, tokenized: Tokenized, target: int, parameters: Parameters, steps: int, distance: Distance) -> Judgement:
    """Return `LayerIntegratedGradients` of each encoder layer; all layers have the same number of steps."""
    layers = list(encoder_layers(classifier))

    def integrals(count: int) -> Array:
        return np.stack([_integral(classifier, layer, tokenized, target, parameters, count) for layer in layers])

    return _settled(integrals, parameters, steps // len(layers), distance)


def gradient_x_input(classifier: Classifier, tokenized: Tokenized, target: int, parameters: Parameters, steps: int, distance: Distance) -> Judgement:
    """Return `LayerGradientXActivation`, which is `InputXGradient` at the output of a layer."""
    explainer = LayerGradientXActivation(_outputs_of_ids(classifier, parameters), classifier.layer)
    return _once(explainer.attribute(_ids(classifier, tokenized.ids), target=target)[0].sum(-1))


def gradient_norm(classifier: Classifier, tokenized: Tokenized, target: int, parameters: Parameters, steps: int, distance: Distance) -> Judgement:
    """Return the norm of each token's gradient by `Saliency`."""
    ids = _ids(classifier, tokenized.ids)
    point = classifier.embed(_inputs(classifier, ids)).requires_grad_(True)
    with _from_embeddings(classifier, ids, parameters) as outputs:
        return _once(Saliency(outputs).attribute(point, target=target, abs=False)[0].norm(dim=-1))


def occlusion(classifier: Classifier, tokenized: Tokenized, target: int, parameters: Parameters, steps: int, distance: Distance) -> Judgement:
    """Return `FeatureAblation`, of which `Occlusion` is the case of equal windows, with all pieces of a word as one feature."""
    owner = np.array(tokenized.token_words)
    features = torch.tensor(np.where(owner >= 0, owner, owner.max(initial=-1) + 1), device=classifier.device)[None]
    blank = _ids(classifier, classifier.baseline_ids(tokenized, parameters["erase"]))
    explainer = FeatureAblation(_outputs_of_ids(classifier, parameters))
    rows = max(1, classifier.batch_tokens // len(tokenized.ids))
    with torch.no_grad():
        tokens = explainer.attribute(_ids(classifier, tokenized.ids), blank, target=target, feature_mask=features, perturbations_per_eval=rows)[0]
    words = np.zeros(len(tokenized.words))
    words[owner[owner >= 0]] = tokens.double().cpu().numpy()[owner >= 0]
    return Judgement(spread_words(tokenized, words)[None], 0, 0.0)


JUDGES: Mapping[str, Judge] = {
    "integrated_gradients": integrated_gradients,
    "gradient_x_input": gradient_x_input,
    "gradient_norm": gradient_norm,
    "occlusion": occlusion,
    "other_baseline": other_baseline,
    "layer_integrated_gradients": layer_integrated_gradients,
}
"""Method -> Captum's numbers, for every method whose declaration names a class of Captum with the same definition."""


def _settled(integral: Callable[[int], Array], parameters: Parameters, steps: int, distance: Distance) -> Judgement:
    """Return the integral with the configured number of steps, or with steps doubled until it moves no more.

    The first integral has as many steps as our engine took: with half of them, most paths are still too coarse to compare.
    """
    if parameters["n_steps"] is not None:
        return Judgement(integral(parameters["n_steps"]), parameters["n_steps"], 0.0)
    count = max(FEWEST, steps)
    tokens, moved = integral(count), np.inf
    while moved > MOVED and 2 * count <= MOST:
        count *= 2
        earlier, tokens = tokens, integral(count)
        moved = distance(earlier, tokens)
    return Judgement(tokens, count, float(moved))


def _integral(classifier: Classifier, layer: nn.Module, tokenized: Tokenized, target: int, parameters: Parameters, steps: int) -> Array:
    explainer = LayerIntegratedGradients(_outputs_of_ids(classifier, parameters), layer)
    start = _ids(classifier, classifier.baseline_ids(tokenized, parameters["baseline"]))
    rows = _rows(classifier, tokenized)
    return _array(explainer.attribute(_ids(classifier, tokenized.ids), start, target=target, n_steps=steps, internal_batch_size=rows)[0].sum(-1))


def _from_zero(classifier: Classifier, tokenized: Tokenized, target: int, parameters: Parameters, steps: int) -> Array:
    ids = _ids(classifier, tokenized.ids)
    point = classifier.embed(_inputs(classifier, ids))
    with _from_embeddings(classifier, ids, parameters) as outputs:
        explainer = IntegratedGradients(outputs)
        return _array(explainer.attribute(point, target=target, n_steps=steps, internal_batch_size=_rows(classifier, tokenized))[0].sum(-1))


def _rows(classifier: Classifier, tokenized: Tokenized) -> int:
    tokens = ROW_TOKENS if classifier.device.type == "cpu" else classifier.batch_tokens
    return max(1, tokens // len(tokenized.ids))


def _outputs_of_ids(classifier: Classifier, parameters: Parameters) -> Callable[[Tensor], Tensor]:
    return lambda ids: class_outputs(classifier.model(**_inputs(classifier, ids)).logits.float(), parameters["output"])


@contextmanager
def _from_embeddings(classifier: Classifier, ids: Tensor, parameters: Parameters) -> Iterator[Callable[[Tensor], Tensor]]:
    """Give a function that returns the outputs [B, C] of embeddings [B, T, H], by the model's own forward pass."""
    with resumed(classifier.model, classifier.layer, _inputs(classifier, ids)) as run:
        yield lambda points: class_outputs(run(points).float(), parameters["output"])


def _inputs(classifier: Classifier, ids: Tensor) -> dict[str, Tensor]:
    """Return the model's inputs for rows of ids of one length, with whatever else its tokenizer gives for a text of that length."""
    return repeated(classifier.batch(ids[:1].tolist()), len(ids)) | {"input_ids": ids}


def _ids(classifier: Classifier, ids: tuple[int, ...]) -> Tensor:
    return torch.tensor([ids], device=classifier.device)


def _once(tokens: Tensor) -> Judgement:
    return Judgement(_array(tokens)[None], 0, 0.0)


def _array(tokens: Tensor) -> Array:
    result: Array = tokens.detach().double().cpu().numpy()
    return result
