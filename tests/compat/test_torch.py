"""Canaries: each fails, and says what to do, when a new torch no longer does what gallery/compat/torch.py takes from it."""

from collections.abc import Callable
from typing import TypeVar

import pytest
import torch
import torch.nn.functional as functional
from torch import nn

from gallery.compat import torch as compat

Result = TypeVar("Result")
ADVICE = "torch {version} has no {name} as gallery/compat/torch.py calls it: {error}. {remedy}"


def called(name: str, remedy: str, call: Callable[[], Result]) -> Result:
    """Return what a private operation returns, or fail with what to do."""
    try:
        return call()
    except Exception as error:
        pytest.fail(ADVICE.format(version=torch.__version__, name=name, error=error, remedy=remedy))


def test_onednn_multiplies_as_the_default_library_does() -> None:
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this torch is built without oneDNN, and gallery does not use it then")
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(shape, generator=generator) for shape in ((2, 5, 8), (6, 8), (6,)))
    remedy = "Let `linear` return torch.nn.functional.linear always: the same numbers, slower on AMD."
    for own_bias in (bias, None):
        ours = called("torch.ops.mkldnn._linear_pointwise", remedy, lambda own_bias=own_bias: compat.onednn_linear(x, weight, own_bias))  # type: ignore[misc]
        assert torch.allclose(ours, functional.linear(x, weight, own_bias), atol=1e-5), f"oneDNN's product is not X Wᵀ + b. {remedy}"


def test_the_backward_pass_of_softmax_is_autograds() -> None:
    generator = torch.Generator().manual_seed(0)
    scores, gradient = (torch.randn(3, 7, 7, generator=generator) for _ in range(2))
    scores.requires_grad_(True)
    weights = scores.softmax(-1)
    (expected,) = torch.autograd.grad(weights, scores, gradient)
    remedy = "Replace `softmax_backward` by weights * (gradient - (gradient * weights).sum(-1, keepdim=True))."
    buffer = gradient.bfloat16()
    ours = called("torch.ops.aten._softmax_backward_data.out", remedy, lambda: compat.softmax_backward(buffer, weights.detach().bfloat16()))
    assert torch.allclose(ours.float(), expected, atol=0.02), f"the result is not the gradient of the scores. {remedy}"
    assert ours.data_ptr() == buffer.data_ptr(), f"the result no longer overwrites its input, which costs memory. {remedy}"


def test_the_backward_pass_of_layer_norm_is_autograds() -> None:
    generator = torch.Generator().manual_seed(0)
    x, gradient = (torch.randn(4, 8, generator=generator) for _ in range(2))
    norm = nn.LayerNorm(8)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(8, generator=generator))
    (expected,) = torch.autograd.grad(norm(x.requires_grad_(True)), x, gradient)
    remedy = "Compute mean and inverse deviation with torch.var_mean, and the gradient by torch.autograd.grad through the LayerNorm."
    y, mean, inverse_deviation = called("torch.native_layer_norm", remedy, lambda: compat.layer_norm(x.detach(), norm))
    assert torch.allclose(y, norm(x), atol=1e-6)
    ours = called("torch.ops.aten.native_layer_norm_backward", remedy, lambda: compat.layer_norm_backward(gradient, x.detach(), mean, inverse_deviation, norm))
    assert torch.allclose(ours, expected, atol=1e-5), f"the result is not the gradient of the input. {remedy}"


def test_torch_reports_the_processor() -> None:
    remedy = "Read the processor's name and flags elsewhere in gallery/compat/torch.py, or all products stay in float32 by the default library."
    abilities = called("torch.cpu.get_capabilities", remedy, torch.cpu.get_capabilities)
    assert "cpu_name" in abilities, f"no cpu_name among {sorted(abilities)}. {remedy}"
    if torch.backends.cpu.get_cpu_capability() != "DEFAULT" and abilities.get("architecture") == "x86_64":
        assert {"avx512_bf16", "amx_bf16"} <= abilities.keys(), f"no avx512_bf16 and amx_bf16 among {sorted(abilities)}. {remedy}"


def test_tf32_is_allowed_and_forbidden() -> None:
    before = torch.get_float32_matmul_precision()
    try:
        for allowed, expected in ((True, "high"), (False, "highest")):
            compat.allow_tf32(allowed)
            assert torch.get_float32_matmul_precision() == expected, "set the precision of float32 products otherwise in `allow_tf32`"
    finally:
        torch.set_float32_matmul_precision(before)
