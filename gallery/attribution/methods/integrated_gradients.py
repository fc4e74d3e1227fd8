"""Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365), as Captum defines them, in as few steps as the passage needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from gallery.methods import Method
from gallery.softmax import probabilities_of
from gallery.store.records import Attribution

if TYPE_CHECKING:
    from gallery.attribution.integration import Integral
    from gallery.attribution.method import Parameters
    from gallery.attribution.path import Path
    from gallery.model.classifier import Classifier
    from gallery.model.tokenized import Tokenized


_BF16_STEPS = 96
"""After this many steps without convergence, start again in float32: rounding may be what prevents it."""


def integrated_gradients(
    classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters
) -> list[list[Attribution]]:
    """Return the integral of each target's gradient along the straight path from the baseline to the passage.

    parameters: baseline `pad` | `mask` | `zero`; output `logit` | `probability` | `log-odds`; n_steps, a fixed number of
    Gauss-Legendre nodes as in Captum, or None for as many as `delta_tolerance` needs, up to `max_steps`; products `auto`,
    which without n_steps computes the backward passes in bfloat16 where that is faster, or `float32`.
    """
    from gallery.attribution.integration import integrate
    from gallery.attribution.path import make_path

    paths = [make_path(classifier, tokenized, parameters["baseline"]) for tokenized in batch]
    bf16 = _in_bf16(classifier, paths, targets, parameters)
    remaining = [[target for target in own_targets if target not in done] for own_targets, done in zip(targets, bf16, strict=True)]
    exact = [_by_target(integrals) for integrals in integrate(classifier, paths, remaining, parameters, classifier.from_embeddings)]
    results = []
    for tokenized, path, own_targets, own_bf16, own_exact in zip(batch, paths, targets, bf16, exact, strict=True):
        attributions = []
        for target in own_targets:
            if target in own_bf16:
                rounding = _rounding(classifier, path, own_bf16[target], parameters)
                attributions.append(_record(classifier, tokenized, own_bf16[target], rounding, parameters))
            else:
                attributions.append(_record(classifier, tokenized, own_exact[target], None, parameters))
        results.append(attributions)
    return results


def _in_bf16(classifier: Classifier, paths: Sequence[Path], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[dict[int, Integral]]:
    """Return, for each path, the integrals by target that converge with backward passes in bfloat16; none where float32 is asked for or as fast."""
    from gallery.attribution.integration import integrate

    if parameters["n_steps"] is not None or parameters["products"] != "auto" or classifier.bf16_gradient_encoder is None:
        return [{} for _ in paths]
    limited = {**parameters, "max_steps": min(parameters["max_steps"], _BF16_STEPS)}
    integrals = integrate(classifier, paths, targets, limited, partial(classifier.from_embeddings, bf16=True))
    return [_by_target(integral for integral in own if integral.converged) for own in integrals]


def _by_target(integrals: Iterable[Integral]) -> dict[int, Integral]:
    return {integral.target: integral for integral in integrals}


def _rounding(classifier: Classifier, path: Path, integral: Integral, parameters: Parameters) -> float:
    """Return the largest error by bfloat16 where the gradient is steepest, as a share of the largest value there.

    Cost: one forward and one backward pass.
    """
    from gallery.attribution.path import Point, walk

    steepest = int(np.abs(integral.values).max(1).argmax())
    point = Point(0, float(integral.nodes[steepest]), (integral.target,))
    exact = walk(classifier, [path], [point], parameters["output"], classifier.from_embeddings)[0].values[0]
    return float(np.abs(integral.values[steepest] - exact).max() / max(np.abs(exact).max(), np.finfo(np.float32).tiny))


def _record(classifier: Classifier, tokenized: Tokenized, integral: Integral, rounding: float | None, parameters: Parameters) -> Attribution:
    from gallery.attribution.outputs import output_values, used_parameters
    from gallery.model.classifier import versions

    outputs = output_values(integral.logits, parameters["output"])[:, integral.target]
    return Attribution(
        method=INTEGRATED_GRADIENTS.name,
        target=integral.target,
        parameters=used_parameters(classifier, parameters, classifier.layer_name),
        tokens=integral.totals,
        words=tokenized.sum_words(integral.totals),
        output=parameters["output"],
        output_value=float(outputs[-1]),
        baseline_value=float(outputs[0]),
        delta=integral.delta,
        converged=integral.converged,
        steps=integral.steps,
        baseline_probabilities=probabilities_of(integral.logits[0], classifier.card.problem),
        versions=versions(),
        extra={
            "error": integral.error,
            "rounding": rounding,
            "path": [[float(node), float(value)] for node, value in zip(integral.nodes, outputs, strict=True)],
        },
    )


INTEGRATED_GRADIENTS = Method(
    name="integrated_gradients",
    title="integrated gradients",
    question="what gathers on the way from an empty text to this one",
    compute=integrated_gradients,
    order=1,
    settings=("baseline", "output", "n_steps", "delta_tolerance", "max_steps", "products"),
    version=2,
    complete=True,
    forward="N",
    backward="N·T",
    captum="LayerIntegratedGradients",
)
