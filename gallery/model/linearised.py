"""A network as a map that is linear in its input: what depends on the passage in any other way is held at its value there.

Held fixed are attention weights, the deviations of LayerNorm and RMSNorm, the slopes y/x of activations, and the gates of gated
units. The rules are about functions of torch, not about architectures: they hold for every model that is written in these functions.
Whether they were all that a model needed is for the caller to check, by what is missing of the output.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gallery.compat.transformers import activation_classes
from gallery.model.hooks import Run

_CONSTANT = {"softmax", "sigmoid", "rsqrt", "sqrt", "reciprocal", "norm", "std", "var", "__rtruediv__", "__rdiv__"}
"""Functions whose results are held fixed: attention weights, gates, denominators."""
_ACTIVATIONS = {"gelu", "silu", "relu", "relu6", "tanh", "leaky_relu", "elu", "celu", "selu", "mish", "hardswish", "hardtanh", "softsign"}
"""Functions of single numbers, 0 at 0."""
_PRODUCTS = {"mul", "multiply", "__mul__", "__rmul__"}
_QUOTIENTS = {"div", "divide", "true_divide", "__truediv__", "__div__"}


class Linear(NamedTuple):
    """A network's outputs as sums: what each token adds, and what the biases add. float64; K outputs, T tokens."""

    tokens: Tensor
    """[K, T]"""
    biases: Tensor
    """[K]"""
    outputs: Tensor
    """[C] all outputs of the network itself, from the same forward pass."""


def slopes(activation: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return activation(x) / x, and near 0 its limit, for a function of single numbers that is 0 at 0."""
    apart = torch.where(x == 0, torch.finfo(x.dtype).eps, x)
    return activation(apart) / apart


def linear_parts(model: nn.Module, run: Run, point: Tensor, targets: Sequence[int], together: int) -> Linear:
    """Return the outputs `targets` of a network, linearised at a point [1, T, H], as sums over tokens and biases.

    run: the network on from the point, see `gallery.model.hooks.resumed`; together: backward passes in one batch.
    The biases' share is the output of the linearised network for zeros: it knows nothing of the tokens' shares.
    Cost: two forward passes, and one backward pass for each target.
    """
    gradients, offsets, outputs = linear_map(model, run, point, targets, together)
    return Linear((gradients.double() * point[0].double()).sum(-1), offsets.double(), outputs.double())


def linear_map(model: nn.Module, run: Run, point: Tensor, targets: Sequence[int], together: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients [K, T, H] and the offsets [K] of the outputs `targets`, linearised at a point [1, T, H], and all outputs [C]."""
    with linearised(model) as network, torch.enable_grad():
        given = point.detach().requires_grad_(True)
        outputs = run(given)[0].float()
        network.repeat()
        offsets = run(torch.zeros_like(given).requires_grad_(True))[0].detach().float()
    gradients = []
    for first in range(0, len(targets), together):
        rows = torch.zeros(len(targets[first : first + together]), len(outputs), device=outputs.device)
        rows[torch.arange(len(rows)), torch.tensor(targets[first : first + together])] = 1.0
        gradients.append(_gradients(outputs, given, rows))
    return torch.cat(gradients), offsets[list(targets)], outputs.detach()


def _gradients(outputs: Tensor, given: Tensor, rows: Tensor) -> Tensor:
    """Return the gradients [K, T, H] of combinations [K, C] of the outputs [C]; zeros where the outputs do not depend on the point [1, T, H]."""
    if not outputs.requires_grad:
        return torch.zeros(len(rows), *given.shape[1:], device=given.device)
    if len(rows) == 1:
        return torch.autograd.grad(outputs, given, rows[0], retain_graph=True)[0]
    return torch.autograd.grad(outputs, given, rows, retain_graph=True, is_grads_batched=True)[0][:, 0]


@contextmanager
def linearised(model: nn.Module) -> Iterator["Linearisation"]:
    """Run everything inside the `with` block under the rules, the model's activation modules among it."""
    network = Linearisation()
    activations = [module for module in model.modules() if _is_activation(module)]
    for module in activations:
        module.forward = partial(network.activate, module.forward)
    try:
        with network:
            yield network
    finally:
        for module in activations:
            del module.forward


@torch.no_grad()
def _is_activation(module: nn.Module) -> bool:
    """Tell whether a module is one of transformers' activations, and 0 at 0."""
    return isinstance(module, activation_classes()) and not bool(module(torch.zeros(1)).any())


class Linearisation(TorchFunctionMode):
    """Rules for functions of torch whose arguments require a gradient; a second run takes what is held fixed from the first."""

    def __init__(self) -> None:
        super().__init__()
        self._fixed: list[Tensor] = []
        self._again: Iterator[Tensor] | None = None
        self._paused = False

    def repeat(self) -> None:
        """Take in the next run what was held fixed in the first."""
        self._again = iter(self._fixed)

    def __torch_function__(self, function: Any, types: Any, arguments: Any = (), named: Mapping[str, Any] | None = None) -> Any:
        """Apply the rule of a function, or the function itself."""
        options = dict(named or {})
        if self._paused or not any(_depends(value) for value in (*arguments, *options.values())):
            return function(*arguments, **options)
        name = getattr(function, "__name__", "")
        call = partial(function, *arguments, **options)
        if name in _CONSTANT:
            return self._held(call)
        if name == "pow":
            exponent = arguments[1] if len(arguments) > 1 else options.get("exponent")
            root = isinstance(exponent, int | float) and (exponent < 0 or exponent != int(exponent))
            return self._held(call) if root else call()
        if name in _ACTIVATIONS:
            return self.activate(lambda x: function(x, *arguments[1:], **options), arguments[0])
        if name in _PRODUCTS and all(map(_depends, arguments[:2])):
            first, second = arguments[:2]
            if hasattr(second, "is_gate") and not hasattr(first, "is_gate"):
                first, second = second, first
            return function(self._held(lambda: first), second) if hasattr(first, "is_gate") else call()
        if name in _QUOTIENTS and _depends(arguments[1]):
            return function(arguments[0], self._held(lambda: arguments[1]), **options)
        rule = _RULES.get(name)
        return call() if rule is None else rule(self._held, function, *arguments, **options)

    def activate(self, activation: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Return an activation's value as x times a fixed slope; it may be the gate of a product that follows."""
        if not _depends(x):
            return activation(x)
        value = x * self._held(lambda: slopes(activation, x.detach()))
        value.is_gate = True  # type: ignore[attr-defined]
        return value

    def _held(self, compute: Callable[[], Tensor]) -> Tensor:
        """Return a value that is held fixed: of this run, or of the first."""
        if self._again is not None:
            return next(self._again)
        self._paused = True
        try:
            value = compute().detach()
        finally:
            self._paused = False
        self._fixed.append(value)
        return value


def _depends(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


Held = Callable[[Callable[[], Tensor]], Tensor]


def _layer_norm(
    held: Held, function: Any, x: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    axes = tuple(range(-len(normalized_shape), 0))
    centred = x - x.mean(axes, keepdim=True)
    result = centred * held(lambda: (centred.square().mean(axes, keepdim=True) + eps).rsqrt())
    result = result if weight is None else result * weight
    return result if bias is None else result + bias


def _rms_norm(held: Held, function: Any, x: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    axes = tuple(range(-len(normalized_shape), 0))
    least = torch.finfo(x.dtype).eps if eps is None else eps
    result = x * held(lambda: (x.square().mean(axes, keepdim=True) + least).rsqrt())
    return result if weight is None else result * weight


def _attention(held: Held, function: Any, query: Tensor, key: Tensor, value: Tensor, *arguments: Any, **options: Any) -> Any:
    return function(held(lambda: query), held(lambda: key), value, *arguments, **options)


_RULES: dict[str, Callable[..., Any]] = {"layer_norm": _layer_norm, "rms_norm": _rms_norm, "scaled_dot_product_attention": _attention}
"""Name -> the rule, called as rule(held, function, *arguments, **options)."""
