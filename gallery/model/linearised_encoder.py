"""The fast encoder, linearised at one passage by hand: its backward pass has no softmax, no deviation and no gradient of queries and keys.

The same quantities are held fixed as in `gallery.model.linearised`. Of a layer's twelve products ten remain on the way back, and all
classes share each of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gallery.compat.torch import layer_norm, linear
from gallery.model.fast_encoder import FastEncoder, Layer
from gallery.model.linearised import Linear, linear_map, slopes

_LONGEST = 1024
"""Longest passage, in tokens, whose attention weights are kept for the backward pass, which else computes them again; they grow with its square."""


@torch.no_grad()
def encoder_parts(encoder: FastEncoder, point: Tensor, targets: Sequence[int], together: int) -> Linear:
    """Return the logits `targets` of embeddings [1, T, H], linearised there, as sums over tokens and biases.

    together: backward passes in one batch. The biases' share is counted bias by bias on the way back, apart from the tokens' shares.
    Cost: one forward pass, and for each target one backward pass.
    """
    states = encoder.project(point)[0]
    offset = encoder.project(torch.zeros_like(point[:, :1]))[0]
    start, layers = states - offset, []
    for layer in encoder.layers[:-1]:
        fixed, states = _whole(layer, states)
        layers.append(fixed)
    last, row = _first_row(encoder.layers[-1], states)
    gradients, offsets, outputs = linear_map(nn.Identity(), encoder.head, row[None], targets, together)
    tokens, biases = [], offsets.double()
    for first in range(0, len(targets), together):
        count = len(gradients[first : first + together])
        gradient, carried = last.backward(gradients[first : first + together].flatten(0, 1), count)
        for fixed in reversed(layers):
            gradient, more = fixed.backward(gradient, count)
            carried += more
        gradient = gradient.view(count, *start.shape)
        biases[first : first + together] += carried + (gradient.sum(1).double() @ offset[0].double())
        tokens.append((gradient.double() * start.double()).sum(-1))
    return Linear(torch.cat(tokens), biases, outputs.double())


@dataclass(frozen=True)
class _Fixed:
    """What a layer holds fixed at a passage of T tokens, of which it computes R rows: all, or the first alone."""

    layer: Layer
    weights: Callable[[], Tensor]
    """Gives the attention weights [N, R, T]."""
    attention_scale: Tensor
    """[R, 1] inverse deviations of the first LayerNorm."""
    slopes: Tensor
    """[R, F]"""
    output_scale: Tensor
    """[R, 1] inverse deviations of the second LayerNorm."""
    mix: Callable[[Layer, Tensor, Tensor, int], tuple[Tensor, Tensor]]
    """The backward pass of attention: gradient [K·R, H] of the mixed values -> gradient [K·T, H] of the states, and the biases' share [K]."""

    def backward(self, gradient: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Return the gradient [K·T, H] of the layer's input from that of its output [K·R, H], and what its biases add to the K outputs, float64."""
        layer, rows = self.layer, len(self.slopes)
        biases = torch.zeros(count, dtype=torch.float64, device=gradient.device)

        def carry(gradient: Tensor, bias: Tensor) -> None:
            biases.add_((gradient @ bias).view(count, -1).double().sum(1))

        def normed(gradient: Tensor, norm: nn.LayerNorm, scale: Tensor) -> Tensor:
            carry(gradient, norm.bias)
            weighted = gradient * norm.weight
            return weighted.sub_(weighted.mean(-1, keepdim=True)).view(count, rows, -1).mul_(scale).view(gradient.shape)

        gradient = normed(gradient, layer.norm_output, self.output_scale)
        carry(gradient, layer.down.bias)
        raised = linear(gradient, layer.down.weight.t(), None)
        raised.view(count, rows, -1).mul_(self.slopes)
        carry(raised, layer.up.bias)
        gradient = normed(gradient.add_(linear(raised, layer.up.weight.t(), None)), layer.norm_attention, self.attention_scale)
        carry(gradient, layer.out.bias)
        states_gradient, more = self.mix(layer, self.weights(), linear(gradient, layer.out.weight.t(), None), count)
        states_gradient.view(count, -1, gradient.shape[-1])[:, :rows].add_(gradient.view(count, rows, -1))
        return states_gradient, biases.add_(more)


def _whole(layer: Layer, states: Tensor) -> tuple[_Fixed, Tensor]:
    """Return what a layer holds fixed for states [T, H], and its output [T, H]."""
    length, width = states.shape
    q, k, v = layer.qkv(states).view(length, 3, layer.heads, -1).permute(1, 2, 0, 3).unbind(0)
    scale = q.shape[-1] ** -0.5

    def weights() -> Tensor:
        scores = torch.bmm(q * scale, k.transpose(1, 2))
        return torch.softmax(scores, -1, out=scores)

    kept = weights()
    mixed = torch.bmm(kept, v).transpose(0, 1).reshape(length, width)
    return _fed(layer, states, mixed, (lambda: kept) if length <= _LONGEST else weights, _mix_whole)


def _mix_whole(layer: Layer, weights: Tensor, gradient: Tensor, count: int) -> tuple[Tensor, Tensor]:
    heads, length, _ = weights.shape
    width = gradient.shape[-1]
    values = layer.qkv.weight[2 * width :]
    by_head = gradient.view(count, length, heads, -1).permute(2, 1, 0, 3).reshape(heads, length, -1)
    mixed = torch.bmm(weights.transpose(1, 2), by_head).view(heads, length, count, -1).permute(2, 1, 0, 3).reshape(count * length, width)
    return linear(mixed, values.t(), None), (mixed @ layer.qkv.bias[2 * width :]).view(count, -1).double().sum(1)


def _first_row(layer: Layer, states: Tensor) -> tuple[_Fixed, Tensor]:
    """Return what a layer holds fixed for states [T, H], and the first row [1, H] of its output; see `Layer.first_row`."""
    width = states.shape[-1]
    size = width // layer.heads
    q = layer.qkv.weight[:width] @ states[0] + layer.qkv.bias[:width]
    keys, values = (layer.qkv.weight[part * width :][:width].view(layer.heads, size, width) for part in (1, 2))
    weights = ((torch.bmm(q.view(layer.heads, 1, size), keys)[:, 0] @ states.t()) * size**-0.5).softmax(-1)[:, None]
    mixed = torch.bmm(values, (weights[:, 0] @ states)[..., None]).view(1, width) + layer.qkv.bias[2 * width :]
    return _fed(layer, states[:1], mixed, lambda: weights, _mix_first_row)


def _mix_first_row(layer: Layer, weights: Tensor, gradient: Tensor, count: int) -> tuple[Tensor, Tensor]:
    heads, _, length = weights.shape
    width = gradient.shape[-1]
    values = layer.qkv.weight[2 * width :].view(heads, -1, width)
    means = torch.bmm(gradient.view(count, heads, -1).transpose(0, 1), values)  # [N, K, H]
    states = torch.einsum("nt,nkh->kth", weights[:, 0], means).reshape(count * length, width)
    return states, (gradient @ layer.qkv.bias[2 * width :]).double()


def _fed(
    layer: Layer, x: Tensor, mixed: Tensor, weights: Callable[[], Tensor], mix: Callable[[Layer, Tensor, Tensor, int], tuple[Tensor, Tensor]]
) -> tuple[_Fixed, Tensor]:
    """Return what a layer holds fixed, and its output [R, H], from rows x [R, H] of its input and their mixed values [R, H]."""
    middle, _, attention_scale = layer_norm(layer.out(mixed) + x, layer.norm_attention)
    raised = layer.up(middle)
    fixed_slopes = slopes(layer.activation, raised)
    after, _, output_scale = layer_norm(layer.down(raised * fixed_slopes) + middle, layer.norm_output)
    return _Fixed(layer, weights, attention_scale, fixed_slopes, output_scale, mix), after
