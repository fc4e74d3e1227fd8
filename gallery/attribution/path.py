"""Straight paths through embedding space, and the gradients of a classifier's outputs along them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gallery.classifier import Classifier, Encoded, versions
from gallery.records import Array, Attribution

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Path:
    """One passage's path: start and end [T, H] embeddings, and the K classes whose outputs are followed."""

    ids: tuple[int, ...]
    start: Tensor
    end: Tensor
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Walk:
    """What was found at N nodes of a path."""

    values: Array
    """[N, K, T] float64: each token's part of the derivative of the output along the path."""
    logits: Array
    """[N, C] float64."""


def make_path(classifier: Classifier, encoded: Encoded, targets: Sequence[int], baseline: str) -> Path:
    """Return the path from a passage's baseline to the passage; baseline `pad`, `mask` or `zero` (embeddings of 0)."""
    end = classifier.embed(classifier.batch([encoded.ids]))[0]
    if baseline == "zero":
        return Path(encoded.ids, torch.zeros_like(end), end, tuple(targets))
    start = classifier.embed(classifier.batch([classifier.baseline_ids(encoded, baseline)]))[0]
    return Path(encoded.ids, start, end, tuple(targets))


def class_outputs(logits: Tensor, output: str) -> Tensor:
    """Return [..., C] what is explained of each class: its `logit`, its `probability`, or its `log-odds` against all others."""
    if output == "logit":
        return logits
    if output == "probability":
        return logits.softmax(-1)
    if output != "log-odds":
        raise ValueError(f"output {output!r} is none of logit, probability and log-odds")
    own = torch.eye(logits.shape[-1], dtype=torch.bool, device=logits.device)
    others = logits.unsqueeze(-2).masked_fill(own, -torch.inf).logsumexp(-1)
    return logits - others


def output_values(logits: Array, output: str) -> Array:
    """Return [..., C] the same of logits in numpy, in float64."""
    result: Array = class_outputs(torch.from_numpy(np.asarray(logits, np.float64)), output).numpy()
    return result


RunFrom = Callable[[Mapping[str, Tensor]], AbstractContextManager[Callable[[Tensor], Tensor]]]
"""Gives, for the inputs of a batch, a function from points [B, T, H] of the paths' space to logits [B, C]."""


def walk(classifier: Classifier, paths: Sequence[Path], nodes: Sequence[Array], output: str, run_from: RunFrom) -> list[Walk]:
    """Take gradients at the nodes of each path.

    Rows of `classifier.batch_tokens` tokens go through the model together, with one backward pass per target. On a CPU
    a passage is never mixed with others, so its numbers do not depend on its company; on a GPU
    short ones share a batch. Results leave the device once, at the end.
    """
    places = [(p, i) for p in range(len(paths)) for i in range(len(nodes[p]))]
    found: list[list[tuple[Tensor, Tensor]]] = [[] for _ in paths]
    for rows in _chunks(classifier, paths, places):
        for (p, _), values, logits in zip(rows, *_gradients(classifier, paths, nodes, rows, output, run_from), strict=True):
            length, targets = len(paths[p].ids), len(paths[p].targets)
            found[p].append((values[:targets, :length], logits))
    return [
        Walk(
            torch.stack([values for values, _ in one]).cpu().numpy(),
            torch.stack([logits for _, logits in one]).cpu().numpy(),
        )
        for one in found
    ]


def mixes(device: torch.device) -> bool:
    """Whether passages share a batch on a device: one passage alone fills a CPU, but not a GPU."""
    return device.type != "cpu"


def _chunks(classifier: Classifier, paths: Sequence[Path], places: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Split (path, node) pairs into rows that fit the memory, alike in length, and on a CPU of one passage."""
    alone = not mixes(classifier.device)
    chunk: list[tuple[int, int]] = []
    for place in sorted(places, key=lambda place: (len(paths[place[0]].ids), place)):
        length = len(paths[place[0]].ids)
        if chunk and ((len(chunk) + 1) * length > classifier.batch_tokens or (alone and place[0] != chunk[0][0])):
            yield chunk
            chunk = []
        chunk.append(place)
    if chunk:
        yield chunk


def _gradients(
    classifier: Classifier, paths: Sequence[Path], nodes: Sequence[Array], rows: Sequence[tuple[int, int]], output: str, run_from: RunFrom
) -> tuple[Tensor, Tensor]:
    """Return [B, K, T] tokens' parts of the derivative, and [B, C] logits, both float64, for rows of (path, node)."""
    owners = [paths[p] for p, _ in rows]
    longest, most = max(len(path.ids) for path in owners), max(len(path.targets) for path in owners)
    alphas = torch.tensor([nodes[p][i] for p, i in rows], dtype=torch.float32, device=classifier.device)[:, None, None]
    start = torch.stack([_padded(path.start, longest) for path in owners]) if len({id(o) for o in owners}) > 1 else owners[0].start[None]
    end = torch.stack([_padded(path.end, longest) for path in owners]) if start.shape[0] > 1 else owners[0].end[None]
    change = end - start
    points = (start + alphas * change).to(classifier.dtype).requires_grad_(True)
    wanted = torch.tensor([[path.targets[min(k, len(path.targets) - 1)] for k in range(most)] for path in owners], device=classifier.device)
    with torch.enable_grad(), run_from(classifier.batch([path.ids for path in owners])) as run:
        logits = run(points)
        chosen = class_outputs(logits.float(), output).gather(1, wanted)
        values = []
        for k in range(most):
            (gradient,) = torch.autograd.grad(chosen[:, k].sum(), points, retain_graph=k + 1 < most)
            values.append((gradient.float() * change).sum(-1, dtype=torch.float64))
    return torch.stack(values, 1), logits.detach().double()


def _padded(embeddings: Tensor, length: int) -> Tensor:
    return torch.nn.functional.pad(embeddings, (0, 0, 0, length - embeddings.shape[0]))


@torch.no_grad()
def end_logits(classifier: Classifier, path: Path, run_from: RunFrom) -> Array:
    """Return [2, C] float64 logits at the start and the end of a path; one forward pass of two rows."""
    with run_from(classifier.batch([path.ids, path.ids])) as run:
        result: Array = run(torch.stack([path.start, path.end]).to(classifier.dtype)).double().cpu().numpy()
    return result


def baseline_probabilities(logits: Array) -> Array:
    """Return [C] what the model says to the baseline, from its logits."""
    shifted = np.exp(logits - logits.max())
    result: Array = shifted / shifted.sum()
    return result


def plain_attribution(
    classifier: Classifier,
    encoded: Encoded,
    method: str,
    target: int,
    parameters: Mapping[str, Any],
    tokens: Array,
    output_value: float,
    passes: int,
    extra: Mapping[str, Any] | None = None,
    layers: Array | None = None,
) -> Attribution:
    """Return the record of a method that promises no completeness: no baseline, no delta."""
    return Attribution(
        method=method,
        target=target,
        parameters={**parameters, "at": classifier.layer_name},
        tokens=tokens,
        words=encoded.sum_words(tokens),
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
