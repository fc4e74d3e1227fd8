"""Straight paths through the space of embeddings or hidden states, and gradients of a classifier's outputs along them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gallery.attribution.outputs import class_outputs
from gallery.model.classifier import Classifier
from gallery.model.hooks import RunFrom
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array


@dataclass(frozen=True)
class Path:
    """The path of one passage, from start to end [T, H]."""

    ids: tuple[int, ...]
    start: Tensor
    end: Tensor


@dataclass(frozen=True)
class Point:
    """A point of a path at which gradients of some classes are needed."""

    path: int
    """Index of the path."""
    node: float
    """From 0, the start, to 1, the end."""
    targets: tuple[int, ...]


@dataclass(frozen=True)
class PointGradients:
    """Gradients and logits at a point."""

    values: Array
    """[targets, T] float64: the tokens' parts of the derivative of the output along the path."""
    logits: Array
    """[C] float64."""


def make_path(classifier: Classifier, tokenized: Tokenized, baseline: str) -> Path:
    """Return the path from a passage's baseline to the passage; baseline `pad`, `mask` or `zero` (embeddings of 0)."""
    end = classifier.embed(classifier.batch([tokenized.ids]))[0]
    if baseline == "zero":
        return Path(tokenized.ids, torch.zeros_like(end), end)
    return Path(tokenized.ids, classifier.embed(classifier.batch([classifier.baseline_ids(tokenized, baseline)]))[0], end)


def walk(classifier: Classifier, paths: Sequence[Path], points: Sequence[Point], output: str, run_from: RunFrom) -> list[PointGradients]:
    """Return the gradients at points of paths, in the order of the points.

    Up to `classifier.batch_tokens` tokens go through the model together, with one backward pass per target. On a CPU each
    passage has batches of its own, so that its numbers do not depend on other passages; on a GPU short passages share a batch.
    Results leave the device once, at the end.
    """
    results: dict[Point, tuple[Tensor, Tensor]] = {}
    for rows in _chunks(classifier, paths, points):
        for row, values, logits in zip(rows, *_gradients(classifier, paths, rows, output, run_from), strict=True):
            results[row] = (values[: len(row.targets), : len(paths[row.path].ids)], logits)
    return [PointGradients(results[point][0].cpu().numpy(), results[point][1].cpu().numpy()) for point in points]


def mixes(device: torch.device) -> bool:
    """Tell whether passages share a batch on a device: a single passage occupies a CPU, but not a GPU."""
    return device.type != "cpu"


def _chunks(classifier: Classifier, paths: Sequence[Path], points: Sequence[Point]) -> Iterator[list[Point]]:
    """Yield batches of points of like length; on a CPU, points of the same passage and targets."""
    alone = not mixes(classifier.device)
    chunk: list[Point] = []
    for point in sorted(points, key=lambda point: (len(paths[point.path].ids), point.path, point.targets, point.node)):
        full = (len(chunk) + 1) * len(paths[point.path].ids) > classifier.batch_tokens
        if chunk and (full or (alone and (point.path, point.targets) != (chunk[0].path, chunk[0].targets))):
            yield chunk
            chunk = []
        chunk.append(point)
    if chunk:
        yield chunk


def _gradients(classifier: Classifier, paths: Sequence[Path], rows: Sequence[Point], output: str, run_from: RunFrom) -> tuple[Tensor, Tensor]:
    """Return the tokens' parts of the derivative [B, K, T] for K targets, and logits [B, C], both float64."""
    owners = [paths[row.path] for row in rows]
    longest, most = max(len(path.ids) for path in owners), max(len(row.targets) for row in rows)
    nodes = torch.tensor([row.node for row in rows], dtype=torch.float32, device=classifier.device)[:, None, None]
    if len({row.path for row in rows}) == 1:
        start, end = owners[0].start[None], owners[0].end[None]
    else:
        start, end = (torch.stack([_padded(side, longest) for side in sides]) for sides in zip(*((p.start, p.end) for p in owners), strict=True))
    change = end - start
    points = (start + nodes * change).to(classifier.dtype).requires_grad_(True)
    columns = torch.tensor([[row.targets[min(k, len(row.targets) - 1)] for k in range(most)] for row in rows], device=classifier.device)
    with torch.enable_grad(), run_from(classifier.batch([path.ids for path in owners])) as run:
        logits = run(points)
        chosen = class_outputs(logits.float(), output).gather(1, columns)
        values = []
        for k in range(most):
            (gradient,) = torch.autograd.grad(chosen[:, k].sum(), points, retain_graph=k + 1 < most)
            values.append((gradient.float() * change).sum(-1, dtype=torch.float64))
    return torch.stack(values, 1), logits.detach().double()


def _padded(embeddings: Tensor, length: int) -> Tensor:
    return torch.nn.functional.pad(embeddings, (0, 0, 0, length - embeddings.shape[0]))


@torch.no_grad()
def end_logits(classifier: Classifier, path: Path, run_from: RunFrom) -> Array:
    """Return float64 logits [2, C] at the start and the end of a path; one forward pass of two rows."""
    with run_from(classifier.batch([path.ids, path.ids])) as run:
        result: Array = run(torch.stack([path.start, path.end]).to(classifier.dtype)).double().cpu().numpy()
    return result
