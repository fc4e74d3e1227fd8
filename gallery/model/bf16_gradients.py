"""Encoder layers whose gradients take their products in bfloat16, for processors that multiply it several times faster than float32.

What a layer says stays in float32: only the way back is rounded, and gradients are linear in what is rounded there.
Rounded on the way forth, it would move the point at which they are taken: integrated gradients of the demo's passages would be
off by 0.5 % of the largest attribution at the median, and by 25 % at worst, where the path is steep.
"""

import ctypes
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from gallery.model.fast_encoder import Encoder, Layer

_CACHED = 256**2
"""Attention weights of a head and several rows that are taken together."""
_LONGEST = 1024
"""Tokens up to which all attention weights are kept for the way back; their number grows with the square."""


def rounded_gradients(encoder: Encoder) -> Encoder:
    """Return the encoder with such layers, all but the last one, whose products are few; costs a copy of the weights in bfloat16."""
    return replace(encoder, layers=[*(RoundedGradients.of(layer) for layer in encoder.layers[:-1]), encoder.layers[-1]])


def keep_memory() -> None:
    """Let this process keep the memory that tensors have left, instead of asking the system for new pages at every layer; glibc alone can."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(ctypes.c_int(-3), ctypes.c_int(2**30))  # M_MMAP_THRESHOLD
        mallopt(ctypes.c_int(-1), ctypes.c_int(2**31 - 1))  # M_TRIM_THRESHOLD


@dataclass(frozen=True)
class RoundedGradients(Layer):
    """A layer that says what it said, whose gradient goes back through its weights in bfloat16."""

    weights: tuple[Tensor, Tensor, Tensor, Tensor]
    """Those of its four maps [out, in], in the order of `Layer`, in bfloat16."""

    @classmethod
    def of(cls, layer: Layer) -> "RoundedGradients":
        """Round a layer's weights."""
        qkv, out, up, down = (linear.weight.bfloat16() for linear in (layer.qkv, layer.out, layer.up, layer.down))
        return cls(**vars(layer), weights=(qkv, out, up, down))

    def __call__(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return [B, T, H] of [B, T, H]; with a mask [B, 1, 1, T], which only batches of several passages have, or in long ones nothing is rounded."""
        if mask is not None or x.shape[1] > _LONGEST:
            return super().__call__(x, mask)
        result: Tensor = _Whole.apply(x, self)
        return result


class _Whole(torch.autograd.Function):
    """A layer in one piece, which keeps for its way back what that needs, and no more: most of it in bfloat16."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: RoundedGradients) -> Tensor:
        rows, length, width = x.shape
        flat = x.reshape(-1, width)
        qkv = layer.qkv(flat).view(rows, length, 3, layer.heads, -1)
        mixed, weights = _attend(qkv)
        attended = layer.out(mixed.view(-1, width)).add_(flat)
        middle, *statistics = _normalise(attended, layer.norm_attention)
        raised = layer.up(middle)
        fed = layer.down(layer.activation(raised)).add_(middle)
        after, *others = _normalise(fed, layer.norm_output)
        ctx.save_for_backward(qkv.bfloat16(), weights, attended, *statistics, raised.bfloat16(), fed, *others)
        ctx.layer = layer
        return after.view(x.shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        layer, width = ctx.layer, gradient.shape[-1]
        w_qkv, w_out, w_up, w_down = layer.weights
        qkv, weights, attended, mean, deviation, raised, fed, other_mean, other_deviation = ctx.saved_tensors
        back = _normalise_back(gradient.reshape(-1, width), fed, other_mean, other_deviation, layer.norm_output)
        with torch.enable_grad():
            before = raised.detach().requires_grad_(True)
            (inner,) = torch.autograd.grad(layer.activation(before), before, back.bfloat16() @ w_down)
        back = _normalise_back(back.add_(inner @ w_up), attended, mean, deviation, layer.norm_attention)
        mixed = (back.bfloat16() @ w_out).view(*qkv.shape[:2], *qkv.shape[3:])
        back.add_(_attend_back(qkv, weights, mixed).view(len(back), -1) @ w_qkv)
        return back.view(gradient.shape), None


def _attend(qkv: Tensor) -> tuple[Tensor, Tensor]:
    """Return [B, T, N, D] mixed values and [B, N, T, T] attention weights, these in bfloat16, of [B, T, 3, N, D]."""
    rows, length, _, heads, size = qkv.shape
    weights = qkv.new_empty(rows, heads, length, length, dtype=torch.bfloat16)
    mixed = qkv.new_empty(rows, length, heads, size)
    for some in _together(rows, length):
        q, k, v = (one.transpose(1, 2).flatten(0, 1) for one in qkv[some].unbind(2))
        scores = torch.bmm(q * size**-0.5, k.transpose(1, 2))
        torch.softmax(scores, -1, out=scores)
        weights[some].flatten(0, 1).copy_(scores)
        mixed[some].transpose(1, 2).copy_(torch.bmm(scores, v).view(-1, heads, length, size))
    return mixed, weights


def _attend_back(qkv: Tensor, weights: Tensor, gradient: Tensor) -> Tensor:
    """Return [B, T, 3, N, D], what goes back to queries, keys and values from [B, T, N, D]; all in bfloat16."""
    rows, length, _, _, size = qkv.shape
    back = torch.empty_like(qkv)
    for some in _together(rows, length):
        q, k, v = (one.transpose(1, 2).flatten(0, 1) for one in qkv[some].unbind(2))
        to_q, to_k, to_v = (one.transpose(1, 2) for one in back[some].unbind(2))
        after, own = gradient[some].transpose(1, 2).flatten(0, 1), weights[some].flatten(0, 1)
        to_v.copy_(torch.bmm(own.transpose(1, 2), after).view(to_v.shape))
        scores = torch.bmm(after, v.transpose(1, 2))
        torch.ops.aten._softmax_backward_data.out(scores, own, -1, torch.bfloat16, grad_input=scores)
        to_q.copy_(torch.bmm(scores, k).mul_(size**-0.5).view(to_q.shape))
        to_k.copy_(torch.bmm(scores.transpose(1, 2), q).mul_(size**-0.5).view(to_k.shape))
    return back


def _together(rows: int, length: int) -> Iterator[slice]:
    """Yield the rows whose attention is taken together: short ones, that the calls be few, and no more than stay in the cache."""
    several = max(1, _CACHED // length**2)
    return (slice(first, first + several) for first in range(0, rows, several))


def _normalise(x: Tensor, norm: nn.LayerNorm) -> tuple[Tensor, Tensor, Tensor]:
    """Return [M, H] normalised, with the means and inverse deviations [M, 1] it was normalised by."""
    result: tuple[Tensor, Tensor, Tensor] = torch.native_layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
    return result


def _normalise_back(gradient: Tensor, x: Tensor, mean: Tensor, deviation: Tensor, norm: nn.LayerNorm) -> Tensor:
    """Return [M, H], what goes back through a normalisation to its input."""
    shape, mask = norm.normalized_shape, [True, False, False]
    result: Tensor = torch.ops.aten.native_layer_norm_backward(gradient, x, shape, mean, deviation, norm.weight, norm.bias, mask)[0]
    return result
