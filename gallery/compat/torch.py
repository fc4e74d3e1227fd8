"""Undocumented parts of torch: oneDNN's matrix product, kernels of backward passes, the processor's abilities; and the switch for TF32."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn


def _processor() -> Mapping[str, Any]:
    """Return the processor's name and abilities; empty for a torch that does not report them."""
    abilities: Mapping[str, Any] = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return abilities


@cache
def onednn_is_faster() -> bool:
    """Tell whether oneDNN multiplies float32 matrices faster than torch's default library: on every processor but Intel's, which have MKL."""
    return torch.backends.mkldnn.is_available() and "Intel" not in _processor().get("cpu_name", "")


def bfloat16_is_fast(device: torch.device) -> bool:
    """Tell whether a device multiplies bfloat16 in hardware, several times faster than float32."""
    if device.type == "cpu":
        return bool(_processor().get("amx_bf16") or _processor().get("avx512_bf16"))
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return [..., out] x Wᵀ + b of x [..., in], weight [out, in] and bias [out]; by oneDNN where that is faster."""
    if x.device.type == "cpu" and x.dtype == torch.float32 and onednn_is_faster():
        return onednn_linear(x, weight, bias)
    return functional.linear(x, weight, bias)


def onednn_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return x Wᵀ + b in float32 by oneDNN, also where torch would choose another library."""
    result: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return result


def softmax_backward(gradient: Tensor, weights: Tensor) -> Tensor:
    """Return the gradient of the scores, from that of the weights, of a softmax over the last axis that gave `weights`.

    Both bfloat16, of the same shape; the result overwrites `gradient`.
    """
    torch.ops.aten._softmax_backward_data.out(gradient, weights, -1, torch.bfloat16, grad_input=gradient)
    return gradient


def layer_norm(x: Tensor, norm: nn.LayerNorm) -> tuple[Tensor, Tensor, Tensor]:
    """Return [M, H] normalised, the means [M, 1], and the inverse standard deviations [M, 1]."""
    result: tuple[Tensor, Tensor, Tensor] = torch.native_layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
    return result


def layer_norm_backward(gradient: Tensor, x: Tensor, mean: Tensor, inverse_deviation: Tensor, norm: nn.LayerNorm) -> Tensor:
    """Return the gradient [M, H] of the input x of `layer_norm`, from that of its output."""
    outputs = torch.ops.aten.native_layer_norm_backward(
        gradient, x, norm.normalized_shape, mean, inverse_deviation, norm.weight, norm.bias, [True, False, False]
    )
    result: Tensor = outputs[0]
    return result


def allow_tf32(allowed: bool) -> None:
    """Let CUDA devices round float32 products to TF32, or forbid it; for the whole process."""
    torch.set_float32_matmul_precision("high" if allowed else "highest")
