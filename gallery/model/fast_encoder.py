"""BERT-like encoders from their embeddings on, in fewer and faster matrix products than the model's own forward pass.

The arithmetic is the model's own, rearranged. Queries, keys and values come from one product. No weight gets a gradient. The
last layer computes the first row alone, which is all that the classifier reads. In float32, oneDNN multiplies where it is
faster than torch's default library.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from gallery.compat.torch import linear
from gallery.model.hooks import outputs_of

_BERT_LIKE = {"bert", "roberta", "xlm-roberta", "camembert", "electra"}
TOLERANCE = 1e-4
"""Largest difference between a logit of the fast encoder and the model's own, as a share of the largest logit."""
_SHORT_TOLERANCE = 0.05
"""The same for a model in float16 or bfloat16."""


class _FrozenLinear(torch.autograd.Function):
    """x Wᵀ + b, whose backward pass gives the gradient of x alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.weight = weight
        return linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return linear(gradient.contiguous(), ctx.weight.t(), None), None, None


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
        result: Tensor = _FrozenLinear.apply(x.to(self.weight.dtype), self.weight, self.bias)
        return result

    def in_bf16(self) -> "Linear":
        """Return the same map with its weights in bfloat16; its inputs are rounded to bfloat16 too."""
        return Linear(self.weight.bfloat16(), self.bias.bfloat16())


@dataclass(frozen=True)
class Layer:
    """An encoder layer: attention with its LayerNorm, then a feed-forward network of two maps with its own."""

    qkv: Linear
    out: Linear
    up: Linear
    down: Linear
    norm_attention: nn.LayerNorm
    norm_output: nn.LayerNorm
    activation: Callable[[Tensor], Tensor]
    heads: int

    def __call__(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return the layer's output [B, T, H] for states [B, T, H]; mask [B, 1, 1, T] is added to the attention scores."""
        rows, length, width = x.shape
        q, k, v = self.qkv(x).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=None if mask is None else mask.to(q.dtype))
        return self._feed_forward(x, mixed.transpose(1, 2).reshape(rows, length, width))

    def in_bf16(self) -> "Layer":
        """Return the layer with its matrix products in bfloat16; sums and LayerNorms stay as they are."""
        return replace(self, qkv=self.qkv.in_bf16(), out=self.out.in_bf16(), up=self.up.in_bf16(), down=self.down.in_bf16())

    def first_row(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return [B, 1, H], the first row of the layer's output for states [B, T, H], without forming keys or values.

        A head's score q·(W_k h + b_k) is (q W_k)·h up to a constant of the row, which softmax drops. The mean of
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
        return self._feed_forward(first, mixed)[:, None]

    def _feed_forward(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = self.norm_attention(self.out(mixed) + x)
        after: Tensor = self.norm_output(self.down(self.activation(self.up(x))) + x)
        return after


@dataclass(frozen=True)
class FastEncoder:
    """A classifier from the output of its embedding module on, rearranged for speed."""

    project: Callable[[Tensor], Tensor]
    layers: Sequence[Layer]
    head: Callable[[Tensor], Tensor]

    def __call__(self, points: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return logits [B, C] of embeddings [B, T, H]; attention_mask [B, T] or [1, T], None for passages without padding."""
        return self.run_from(self.project(points), attention_mask, 0)

    def run_from(self, states: Tensor, attention_mask: Tensor | None, first: int) -> Tensor:
        """Return logits [B, C] of states [B, T, H] that enter layer `first`, counted from 0; behind the last layer, the head alone runs."""
        mask = None if attention_mask is None else torch.where(attention_mask.bool(), 0.0, torch.finfo(states.dtype).min).to(states.dtype)[:, None, None]
        if first == len(self.layers):
            return self.head(states)
        for layer in self.layers[first:-1]:
            states = layer(states, mask)
        return self.head(self.layers[-1].first_row(states, mask))

    def in_bf16(self) -> "FastEncoder":
        """Return the encoder with its matrix products in bfloat16, but for the few of the last layer."""
        return replace(self, layers=[*(layer.in_bf16() for layer in self.layers[:-1]), self.layers[-1]])

    def state_after(self, points: Tensor, layer: int) -> Tensor:
        """Return the output [B, T, H] of a layer, counted from 0, for embeddings of passages without padding."""
        states = self.project(points)
        for each in self.layers[: layer + 1]:
            states = each(states, None)
        return states


def padding_of(inputs: Mapping[str, Tensor]) -> Tensor | None:
    """Return the attention mask [B, T] of a batch, None where nothing is padded."""
    mask = inputs["attention_mask"]
    return None if bool(mask.all()) else mask


def fast_encoder_of(model: Any) -> tuple[FastEncoder | None, str]:
    """Return a model's fast encoder and "", or None and the reason why the model has none.

    The reason is an architecture that this module does not know, or logits that are not the model's own.
    Cost: a copy of the query, key and value weights, and a short forward pass of either form.
    """
    encoder = _rearranged(model)
    if encoder is None:
        return None, f"no fast form of the architecture {model.config.model_type} is known"
    difference, largest = _difference(encoder, model)
    tolerance = TOLERANCE if model.dtype == torch.float32 else _SHORT_TOLERANCE
    if difference <= tolerance * max(largest, 1.0):
        return encoder, ""
    return None, f"the logits of its fast form differ from its own by {difference:.2g}"


def _rearranged(model: Any) -> FastEncoder | None:
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
    return FastEncoder(getattr(base, "embeddings_project", None) or nn.Identity(), layers, head)


@torch.no_grad()
def _difference(encoder: FastEncoder, model: Any) -> tuple[float, float]:
    """Return the largest difference between a logit of the encoder and the model's own, and the model's largest logit.

    An unusual configuration, such as another position of the LayerNorms, shows here.
    """
    ids = torch.arange(12, device=model.device).view(2, 6) % model.config.vocab_size
    mask = torch.tensor([[1] * 6, [1] * 4 + [0] * 2], device=model.device)
    with outputs_of([model.base_model.embeddings]) as embeddings:
        own = model(input_ids=ids, attention_mask=mask).logits.float()
    return float((encoder(embeddings[0], mask).float() - own).abs().max()), float(own.abs().max())
