"""How far a token attends to either side: read from a model's masks, and attention within it."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

_ROWS = 256
"""Rows of a mask, or of a local layer, that are computed together."""


class NoProductError(Exception):
    """A model's scores are not queries times keys within a reach, so its weights must be stored."""


class Reach(NamedTuple):
    """The tokens that a token attends to: all to either side, or as many as given here; after is 0 where attention is causal."""

    before: int | None = None
    after: int | None = None

    def allows(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Return whether tokens attend to tokens, bool [R, C], for positions [R] and [C]."""
        ahead = columns - rows[:, None]
        allowed = torch.ones_like(ahead, dtype=torch.bool)
        if self.before is not None:
            allowed &= ahead >= -self.before
        if self.after is not None:
            allowed &= ahead <= self.after
        return allowed

    def within(self, length: int) -> "Reach":
        """Return the same reach in a passage of `length` tokens: None where no token is out of reach."""
        return Reach(*(None if side is None or side >= length - 1 > 0 else side for side in self))


def reach_mask(q_length: int, kv_length: int, mask_function: Any, use_vmap: bool = False, device: Any = "cpu", **rest: Any) -> Tensor | None:
    """Return a layer's reach as a tensor [2], -1 for no limit, instead of a mask [T, T]; None where tokens attend to all others, padding apart.

    A mask function in the sense of `gallery.compat.transformers.register_attention`. Raises NoProductError where a token
    attends to anything but its neighbourhood.
    """
    position = torch.arange(kv_length, device=device)
    zero = torch.zeros((), dtype=torch.long, device=device)
    if use_vmap or q_length != kv_length:
        raise NoProductError

    def attends(start: int, end: int) -> Tensor:
        rows: Tensor = mask_function(zero, zero, position[start:end, None], position[None]).expand(len(position[start:end]), kv_length)
        return rows

    reach = _reach_of(attends, kv_length, position)
    return None if reach == Reach() else torch.tensor([-1 if side is None else side for side in reach])


def reach_in(mask: Tensor | None, row: int, length: int, causal: bool = False) -> Reach:
    """Return the reach of a passage of `length` tokens, from the result of `reach_mask` or from a mask that the model made itself.

    causal: whether attention without a mask is causal. Raises NoProductError where a token attends to anything but its neighbourhood.
    """
    if mask is None:
        return Reach(after=0) if causal else Reach()
    if mask.shape == (2,):
        return Reach(*(None if side < 0 else side for side in mask.tolist())).within(length)
    attends = mask[min(row, len(mask) - 1), 0, :, :length]
    attends = attends[:length] if attends.shape[0] > 1 else attends.expand(length, -1)  # a single row hides padding alone, and holds for all
    attends = attends if attends.dtype == torch.bool else attends > torch.finfo(attends.dtype).min / 2
    return _reach_of(lambda start, end: attends[start:end], length, torch.arange(length, device=mask.device))


def _reach_of(attends: Any, length: int, position: Tensor) -> Reach:
    """Return the reach by which all rows attend; attends(start, end) returns rows [R, T] of a mask."""
    after, before = int(attends(0, 1).sum()) - 1, int(attends(length - 1, length).sum()) - 1
    reach = Reach(before, after).within(length)
    if reach.after not in (0, reach.before):
        raise NoProductError
    for start in range(0, length, _ROWS):
        end = start + _ROWS
        if not torch.equal(attends(start, end), reach.allows(position[start:end], position)):
            raise NoProductError
    return reach


def attend_within(query: Tensor, key: Tensor, value: Tensor, scaling: float, reach: Reach) -> Tensor:
    """Return the mixed values [H, T, d] of queries, keys and values [H, T, d]; a layer of limited reach goes a few rows at a time."""
    if reach == Reach():
        return scaled_dot_product_attention(query[None], key[None], value[None], scale=scaling)[0]
    tokens = query.shape[1]
    position = torch.arange(tokens, device=query.device)
    parts = []
    for start in range(0, tokens, _ROWS):
        end = min(tokens, start + _ROWS)
        first = 0 if reach.before is None else max(0, start - reach.before)
        last = tokens if reach.after is None else min(tokens, end + reach.after)
        near = slice(first, last)
        allowed = reach.allows(position[start:end], position[near])
        parts.append(scaled_dot_product_attention(query[None, :, start:end], key[None, :, near], value[None, :, near], allowed, scale=scaling)[0])
    return torch.cat(parts, dim=1)
