"""Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365), as Captum defines them, in as few steps as the passage needs."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from gallery.attribution.integration import Integral, integrate
from gallery.attribution.outputs import Parameters, baseline_probabilities, output_values
from gallery.attribution.path import Path, Point, make_path, walk
from gallery.model.classifier import Classifier, versions
from gallery.model.tokenized import Tokenized
from gallery.store.records import Attribution

_ROUNDED_STEPS = 96
"""Points after which a path that does not converge is begun again without rounding, which may be what keeps it from it."""


def integrated_gradients(
    classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters
) -> list[list[Attribution]]:
    """Integrate the gradient of each target's output along the straight path from the baseline to the passage.

    parameters: baseline `pad` | `mask` | `zero`; output `logit` | `probability` | `log-odds`; n_steps, a fixed number of
    Gauss-Legendre nodes as in Captum, or None for as many as `delta_tolerance` asks for, up to `max_steps`; products `auto`,
    which rounds the gradients of the latter to bfloat16 where that is faster, or `float32`.
    Cost: one forward pass and one backward pass per target at each step; 20 to 60 steps for most passages.
    """
    paths = [make_path(classifier, tokenized, parameters["baseline"]) for tokenized in batch]
    rounds = parameters["n_steps"] is None and parameters["products"] == "auto" and classifier.gradient_encoder is not None
    few = {**parameters, "max_steps": min(parameters["max_steps"], _ROUNDED_STEPS)}
    rough = integrate(classifier, paths, targets, few, partial(classifier.from_embeddings, rounded=True)) if rounds else [[] for _ in paths]
    rounded = [{one.target: one for one in integrals if one.converged} for integrals in rough]
    left = [[target for target in wanted if target not in known] for wanted, known in zip(targets, rounded, strict=True)]
    exact = [{one.target: one for one in integrals} for integrals in integrate(classifier, paths, left, parameters, classifier.from_embeddings)]
    return [
        [
            _record(classifier, tokenized, known[target], _rounding(classifier, path, known[target], parameters), parameters)
            if target in known
            else _record(classifier, tokenized, true[target], None, parameters)
            for target in wanted
        ]
        for tokenized, path, wanted, known, true in zip(batch, paths, targets, rounded, exact, strict=True)
    ]


def _rounding(classifier: Classifier, path: Path, found: Integral, parameters: Parameters) -> float:
    """Return what rounding changed in the gradient where it is steepest, as a share of the largest value there; one forward and one backward pass."""
    steepest = int(np.abs(found.values).max(1).argmax())
    point = Point(0, float(found.nodes[steepest]), (found.target,))
    exact = walk(classifier, [path], [point], parameters["output"], classifier.from_embeddings)[0].values[0]
    return float(np.abs(found.values[steepest] - exact).max() / max(np.abs(exact).max(), np.finfo(np.float32).tiny))


def _record(classifier: Classifier, tokenized: Tokenized, found: Integral, rounding: float | None, parameters: Parameters) -> Attribution:
    outputs = output_values(found.logits, parameters["output"])[:, found.target]
    return Attribution(
        method="integrated_gradients",
        target=found.target,
        parameters={**parameters, "at": classifier.layer_name},
        tokens=found.totals,
        words=tokenized.sum_words(found.totals),
        output=parameters["output"],
        output_value=float(outputs[-1]),
        baseline_value=float(outputs[0]),
        delta=found.delta,
        converged=found.converged,
        steps=found.steps,
        baseline_probabilities=baseline_probabilities(found.logits[0]),
        versions=versions(),
        extra={
            "error": found.error,
            "rounding": rounding,
            "path": [[float(node), float(value)] for node, value in zip(found.nodes, outputs, strict=True)],
        },
    )
