"""Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365), as Captum defines them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from gallery.classifier import Classifier, Encoded, versions
from gallery.records import Attribution


def integrated_gradients(
    classifier: Classifier, batch: Sequence[Encoded], targets: Sequence[Sequence[int]], parameters: Mapping[str, Any]
) -> list[list[Attribution]]:
    """Integrate the gradient of each target's logit along the straight path from the baseline to the passage.

    parameters: baseline `pad` | `mask` | `zero`, steps (Gauss-Legendre nodes), batch_tokens.
    Cost: `steps` forward and `steps` x targets backward passes a passage.
    """
    return [_one(classifier, encoded, wanted, parameters) for encoded, wanted in zip(batch, targets, strict=True)]


def _one(classifier: Classifier, encoded: Encoded, targets: Sequence[int], parameters: Mapping[str, Any]) -> list[Attribution]:
    steps, kind = parameters["steps"], parameters["baseline"]
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    alphas = torch.tensor((nodes + 1) / 2, dtype=torch.float32, device=classifier.device).to(classifier.dtype)
    inputs = classifier.batch([encoded.ids])
    end = classifier.embed(inputs)
    if kind == "zero":
        start = torch.zeros_like(end)
    else:
        start = classifier.embed(classifier.batch([classifier.baseline_ids(encoded, kind)]))
    total = torch.zeros(len(targets), *end.shape[1:], dtype=torch.float64, device=classifier.device)
    rows = max(1, 4096 // len(encoded.ids))
    with classifier.from_embeddings(inputs) as run:
        for first in range(0, steps, rows):
            points = (start + alphas[first : first + rows, None, None] * (end - start)).requires_grad_(True)
            logits = run(points)
            share = torch.tensor(weights[first : first + rows] / 2, device=classifier.device)
            for index, target in enumerate(targets):
                (gradient,) = torch.autograd.grad(logits[:, target].sum(), points, retain_graph=index + 1 < len(targets))
                total[index] += torch.einsum("s,sth->th", share, gradient.double())
        with torch.no_grad():
            ends = run(torch.cat([start, end])).double().cpu().numpy()
    tokens = (total * (end - start)[0].double()).sum(-1).cpu().numpy()
    shifted = np.exp(ends[0] - ends[0].max())
    results = []
    for index, target in enumerate(targets):
        delta = float(tokens[index].sum() - (ends[1, target] - ends[0, target]))
        results.append(
            Attribution(
                method="integrated_gradients",
                target=target,
                parameters={**parameters, "layer": classifier.layer_name},
                tokens=tokens[index],
                words=encoded.sum_words(tokens[index]),
                output="logit",
                output_value=float(ends[1, target]),
                baseline_value=float(ends[0, target]),
                delta=delta,
                converged=abs(delta) <= 0.01 * max(abs(float(ends[1, target] - ends[0, target])), 0.1),
                steps=steps,
                baseline_probabilities=shifted / shifted.sum(),
                versions=versions(),
            )
        )
    return results
