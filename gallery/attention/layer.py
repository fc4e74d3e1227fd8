"""The attention of one layer of one passage, as queries and keys or as weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from gallery.attention.reach import Reach
from gallery.model.nonfinite import nonfinite_in

_AT_ONCE = 1_000_000
"""Attention weights of a layer that are held at once."""


@dataclass(frozen=True)
class QueryKeyLayer:
    """One layer's queries and keys [H, T, d] after any rotation, float32."""

    queries: Tensor
    keys: Tensor
    scaling: float
    reach: Reach
    """How far a token attends to either side."""

    def parts(self) -> dict[str, Tensor]:
        """Return its tensors by name."""
        return {"queries": self.queries, "keys": self.keys}

    def rows(self) -> Iterator[tuple[int, Tensor]]:
        """Yield the weights a few rows at a time: the number of the first row, and [H, R, T]."""
        return ((start, scores.softmax(dim=-1)) for start, scores in self._scores())

    def sums(self) -> Tensor:
        """Return [H, T], the logarithm of the sum of exponentials of each token's scores against centred keys."""
        moved = (self.queries @ self.keys.mean(dim=1)[:, :, None])[..., 0] * self.scaling
        sums = torch.empty_like(moved)
        for start, scores in self._scores():
            sums[:, start : start + scores.shape[1]] = scores.logsumexp(dim=-1)
        return sums - moved

    def _scores(self) -> Iterator[tuple[int, Tensor]]:
        heads, tokens, _ = self.queries.shape
        step = max(1, _AT_ONCE // (heads * tokens))
        position = torch.arange(tokens, device=self.queries.device)
        for start in range(0, tokens, step):
            scores = self.queries[:, start : start + step] @ self.keys.transpose(1, 2) * self.scaling
            if self.reach != Reach():
                scores.masked_fill_(~self.reach.allows(position[start : start + step], position), -torch.inf)
            yield start, scores


@dataclass(frozen=True)
class WeightLayer:
    """One layer's weights [H, T, T], for a model whose scores are not the product of queries and keys alone."""

    weights: Tensor

    def parts(self) -> dict[str, Tensor]:
        """Return its tensor by name."""
        return {"weights": self.weights}

    def rows(self) -> Iterator[tuple[int, Tensor]]:
        """Yield all rows at once."""
        yield 0, self.weights


Layer = QueryKeyLayer | WeightLayer


def is_causal(layer: Layer) -> bool:
    """Tell whether a layer of queries and keys attends to no later token."""
    return isinstance(layer, QueryKeyLayer) and layer.reach.after == 0


class Receiver(Protocol):
    """Takes the layers of one passage in order, as the model runs."""

    def add(self, number: int, layer: Layer) -> None:
        """Take a layer, counted from 0."""


def refuse_nonfinite(number: int, layers: int, layer: Layer) -> None:
    """Raise FloatingPointError, naming the layer as pages number it, where it holds NaN or infinity."""
    for name, part in layer.parts().items():
        if value := nonfinite_in(part):
            raise FloatingPointError(f"{value} among the {name} of attention in layer {number + 1} of {layers}")
