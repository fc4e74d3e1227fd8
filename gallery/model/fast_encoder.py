"""The encoders of the BERT family from their embeddings on, in the fewest and fastest matrix products.

The same arithmetic as the model's own forward, rearranged: one product for queries, keys and values; no
gradient of any weight; of the last layer only the first row, which is all that the classifier reads; in
float32 through oneDNN where the processor is not Intel's, on which MKL is slower.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

_BERT_LIKE = {"bert", "roberta", "xlm-roberta", "camembert", "electra"}
TOLERANCE = 1e-4
"""Largest difference of a logit from the model's own, relative to the largest logit, before it is given up."""


@cache
def _onednn() -> bool:
    """Whether oneDNN multiplies float32 faster here than the default library."""
    return torch.backends.mkldnn.is_available() and "Intel" not in _processor().get("cpu_name", "")


def _processor() -> Mapping[str, Any]:
    """Return what torch knows of the processor; nothing before it learned to tell."""
    found: Mapping[str, Any] = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return found


def _multiply(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """X W^T + b, by oneDNN where that is faster."""
    if x.device.type == "cpu" and x.dtype == torch.float32 and _onednn():
        result: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return result
    return functional.linear(x, weight, bias)


class _Product(torch.autograd.Function):
    """x W^T + b, whose backward gives the gradient of x alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.weight = weight
        return _multiply(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _multiply(gradient.contiguous(), ctx.weight.t(), None), None, None


@dataclass(frozen=True)
class Linear:
    """A frozen affine map; weight [out, in], bias [out]."""

    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, *modules: Any) -> "Linear":
        """Join the maps of several modules that read the same input."""
        if len(modules) == 1:
            return cls(modules[0].weight.detach(), modules[0].bias.detach())
        return cls(torch.cat([m.weight.detach() for m in modules]), torch.cat([m.bias.detach() for m in modules]))

    def __call__(self, x: Tensor) -> Tensor:
        """Map [..., in] to [..., out]."""
        result: Tensor = _Product.apply(x.to(self.weight.dtype), self.weight, self.bias)
        return result

    def rounded(self) -> "Linear":
        """Return the same map with its weights in bfloat16, to which its inputs are rounded as well."""
        return Linear(self.weight.bfloat16(), self.bias.bfloat16())


@dataclass(frozen=True)
class Layer:
    """One encoder layer: attention and its normalisation, then two maps and theirs."""

    qkv: Linear
    out: Linear
    up: Linear
    down: Linear
    norm_attention: nn.LayerNorm
    norm_output: nn.LayerNorm
    activation: Callable[[Tensor], Tensor]
    heads: int

    def __call__(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return [B, T, H] of [B, T, H]; mask [B, 1, 1, T] is added to the attention scores."""
        rows, length, width = x.shape
        q, k, v = self.qkv(x).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=None if mask is None else mask.to(q.dtype))
        return self._forward_part(x, mixed.transpose(1, 2).reshape(rows, length, width))

    def rounded(self) -> "Layer":
        """Return the layer with its products in bfloat16; sums and normalisations stay as they are."""
        return replace(self, qkv=self.qkv.rounded(), out=self.out.rounded(), up=self.up.rounded(), down=self.down.rounded())

    def first_row(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return [B, 1, H], the first row of what the layer gives for [B, T, H]; keys and values are never formed.

        A head's score q·(W_k h + b_k) is (q W_k)·h up to a constant of the row, which softmax drops; and the mean of
        W_v h + b_v under weights that add up to 1 is W_v (mean of h) + b_v.
        """
        rows, _, width = x.shape
        size = width // self.heads
        first = x[:, 0]
        q = functional.linear(first, self.qkv.weight[:width], self.qkv.bias[:width]).view(rows, self.heads, size)
        wk, wv = self.qkv.weight[width : 2 * width].view(self.heads, size, width), self.qkv.weight[2 * width :].view(self.heads, size, width)
        scores = torch.matmul(torch.einsum("bnd,ndh->bnh", q, wk), x.transpose(1, 2)) * size**-0.5
        if mask is not None:
            scores = scores + mask[:, 0]
        mean = torch.matmul(scores.softmax(-1), x)
        mixed = torch.einsum("bnh,ndh->bnd", mean, wv).reshape(rows, width) + self.qkv.bias[2 * width :]
        return self._forward_part(first, mixed)[:, None]

    def _forward_part(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = self.norm_attention(self.out(mixed) + x)
        after: Tensor = self.norm_output(self.down(self.activation(self.up(x))) + x)
        return after


@dataclass(frozen=True)
class Encoder:
    """A classifier from the output of its embedding module on."""

    project: Callable[[Tensor], Tensor]
    layers: Sequence[Layer]
    head: Callable[[Tensor], Tensor]

    def __call__(self, points: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return [B, C] logits of embeddings [B, T, H]; attention_mask [B, T] or [1, T], None where nothing is padded."""
        return self.onwards(self.project(points), attention_mask, 0)

    def onwards(self, states: Tensor, attention_mask: Tensor | None, first: int) -> Tensor:
        """Return [B, C] logits of states [B, T, H] that enter layer `first`, counted from 0; after the last, the head alone runs."""
        mask = None if attention_mask is None else torch.where(attention_mask.bool(), 0.0, torch.finfo(states.dtype).min).to(states.dtype)[:, None, None]
        if first == len(self.layers):
            return self.head(states)
        for layer in self.layers[first:-1]:
            states = layer(states, mask)
        return self.head(self.layers[-1].first_row(states, mask))

    def rounded(self) -> "Encoder":
        """Return the encoder with its products in bfloat16, all but the last layer's few."""
        return replace(self, layers=[*(layer.rounded() for layer in self.layers[:-1]), self.layers[-1]])

    def state_after(self, points: Tensor, layer: int) -> Tensor:
        """Return [B, T, H] the output of a layer, counted from 0, for embeddings of passages without padding."""
        states = self.project(points)
        for one in self.layers[: layer + 1]:
            states = one(states, None)
        return states


def rounds_fast(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware, several times faster than float32."""
    if device.type == "cpu":
        return bool(_processor().get("amx_bf16") or _processor().get("avx512_bf16"))
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def encoder_of(model: Any) -> Encoder | None:
    """Return a model's rearranged encoder, or None where its architecture is another one or its logits do not agree with it.

    Costs one copy of the query, key and value weights, and one short forward pass of each form to compare them.
    """
    config, base = model.config, model.base_model
    kind = config.model_type
    if kind in _BERT_LIKE and not getattr(config, "is_decoder", False):
        layers = [
            Layer(
                qkv=Linear.of(layer.attention.self.query, layer.attention.self.key, layer.attention.self.value),
                out=Linear.of(layer.attention.output.dense),
                up=Linear.of(layer.intermediate.dense),
                down=Linear.of(layer.output.dense),
                norm_attention=layer.attention.output.LayerNorm,
                norm_output=layer.output.LayerNorm,
                activation=layer.intermediate.intermediate_act_fn,
                heads=config.num_attention_heads,
            )
            for layer in base.encoder.layer
        ]
        pooler = getattr(base, "pooler", None)
        head = (lambda x: model.classifier(pooler(x))) if pooler is not None else model.classifier
    elif kind == "distilbert":
        layers = [
            Layer(
                qkv=Linear.of(layer.attention.q_lin, layer.attention.k_lin, layer.attention.v_lin),
                out=Linear.of(layer.attention.out_lin),
                up=Linear.of(layer.ffn.lin1),
                down=Linear.of(layer.ffn.lin2),
                norm_attention=layer.sa_layer_norm,
                norm_output=layer.output_layer_norm,
                activation=layer.ffn.activation,
                heads=config.n_heads,
            )
            for layer in base.transformer.layer
        ]
        head = lambda x: model.classifier(functional.relu(model.pre_classifier(x[:, 0])))  # noqa: E731
    else:
        return None
    encoder = Encoder(getattr(base, "embeddings_project", None) or nn.Identity(), layers, head)
    return encoder if _agrees(encoder, model) else None


@torch.no_grad()
def _agrees(encoder: Encoder, model: Any) -> bool:
    """Whether it gives the model's own logits; an unusual config would show here."""
    ids = torch.arange(12, device=model.device).view(2, 6) % model.config.vocab_size
    mask = torch.tensor([[1] * 6, [1] * 4 + [0] * 2], device=model.device)
    caught: list[Tensor] = []
    handle = model.base_model.embeddings.register_forward_hook(lambda module, args, output: caught.append(output))
    try:
        own = model(input_ids=ids, attention_mask=mask).logits.float()
    finally:
        handle.remove()
    difference = (encoder(caught[0], mask).float() - own).abs().max()
    return bool(difference <= (TOLERANCE if own.dtype == model.dtype else 0.05) * own.abs().max().clamp(min=1.0))
