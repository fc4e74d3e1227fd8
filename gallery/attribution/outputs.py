"""The output that is explained, and the record of methods that promise no completeness."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gallery.model.classifier import Classifier, versions
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array, Attribution


def class_outputs(logits: Tensor, output: str) -> Tensor:
    """Return each class's output [..., C] from logits [..., C]: its `logit`, its `probability`, or its `log-odds` against all others.

    `sigmoid` is the probability of a class that is judged by itself; the log-odds of such a class are its logit.
    """
    if output == "logit":
        return logits
    if output == "probability":
        return logits.softmax(-1)
    if output == "sigmoid":
        return logits.sigmoid()
    if output != "log-odds":
        raise ValueError(f"output {output!r} is none of logit, probability, sigmoid and log-odds")
    own = torch.eye(logits.shape[-1], dtype=torch.bool, device=logits.device)
    others = logits.unsqueeze(-2).masked_fill(own, -torch.inf).logsumexp(-1)
    return logits - others


def output_values(logits: Array, output: str) -> Array:
    """Return each class's output [..., C], float64, from logits [..., C] in numpy; see `class_outputs`."""
    result: Array = class_outputs(torch.from_numpy(np.asarray(logits, np.float64)), output).numpy()
    return result


def used_parameters(classifier: Classifier, parameters: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Return the parameters as a record keeps them: with the module that is explained, and the filler where it is not the one that was asked for."""
    asked = [parameters[name] for name in ("baseline", "erase") if parameters.get(name) in ("pad", "mask")]
    other = next((filler for name in asked if (filler := classifier.filler(name)) != name), None)
    return {**parameters, "at": at, **({} if other is None else {"filler": other})}


def plain_attribution(
    classifier: Classifier,
    tokenized: Tokenized,
    method: str,
    target: int,
    parameters: Mapping[str, Any],
    tokens: Array,
    output_value: float,
    passes: int,
    extra: Mapping[str, Any] | None = None,
    layers: Array | None = None,
) -> Attribution:
    """Return the record of a method that promises no completeness, and has neither baseline nor delta."""
    return Attribution(
        method=method,
        target=target,
        parameters=used_parameters(classifier, parameters, classifier.layer_name),
        tokens=tokens,
        words=tokenized.sum_words(tokens),
        output=parameters.get("output", "logit"),
        output_value=output_value,
        baseline_value=None,
        delta=None,
        converged=None,
        steps=passes,
        baseline_probabilities=np.zeros(0),
        versions=versions(),
        extra=dict(extra or {}),
        layers=np.zeros((0, 0)) if layers is None else layers,
    )
