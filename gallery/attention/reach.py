"""How far to either side a token attends: read from a model's masks, and attention within it."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

_ROWS = 256
"""Rows of a mask, or of a local layer, that are computed together."""


class NoProductError(Exception):
    """A model's scores are not queries times keys within a reach, so its weights must be stored."""


def reach_mask(q_length: int, kv_length: int, mask_function: Any, use_vmap: bool = False, device: Any = "cpu", **rest: Any) -> Tensor | None:
    """Return a layer's reach as a tensor [1], instead of a mask [T, T]; None where tokens attend to all others, padding apart.

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

    reach = int(attends(0, 1).sum()) - 1
    for start in range(0, q_length, _ROWS):
        end = start + _ROWS
        if not torch.equal(attends(start, end), (position[start:end, None] - position).abs() <= reach):
            raise NoProductError
    return None if reach == kv_length - 1 else torch.tensor([reach])


def reach_in(mask: Tensor | None, row: int, length: int) -> int | None:
    """Return the reach of a passage of `length` tokens, from the result of `reach_mask` or from a mask that the model made itself.

    Raises NoProductError where a token attends to anything but its neighbourhood.
    """
    if mask is None:
        return None
    if mask.shape == (1,):
        return int(mask) if int(mask) < length - 1 else None
    attends = mask[min(row, len(mask) - 1), 0, :, :length]
    attends = attends[:length] if attends.shape[0] > 1 else attends.expand(length, -1)  # a single row hides padding alone, and holds for all
    attends = attends if attends.dtype == torch.bool else attends > torch.finfo(attends.dtype).min / 2
    if bool(attends.all()):
        return None
    reach = int(attends[0].sum()) - 1
    position = torch.arange(length, device=mask.device)
    for start in range(0, length, _ROWS):
        if not torch.equal(attends[start : start + _ROWS], (position[start : start + _ROWS, None] - position).abs() <= reach):
            raise NoProductError
    return reach


def attend_within(query: Tensor, key: Tensor, value: Tensor, scaling: float, reach: int | None) -> Tensor:
    """Return the mixed values [H, T, d] of queries, keys and values [H, T, d]; a local layer goes a few rows at a time."""
    if reach is None:
        return scaled_dot_product_attention(query[None], key[None], value[None], scale=scaling)[0]
    tokens = query.shape[1]
    position = torch.arange(tokens, device=query.device)
    parts = []
    for start in range(0, tokens, _ROWS):
        end = min(tokens, start + _ROWS)
        near = slice(max(0, start - reach), min(tokens, end + reach))
        attends = (position[start:end, None] - position[near]).abs() <= reach
        parts.append(scaled_dot_product_attention(query[None, :, start:end], key[None, :, near], value[None, :, near], attends, scale=scaling)[0])
    return torch.cat(parts, dim=1)
