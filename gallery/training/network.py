"""The classifier's first state: the base model with room for evidence and a mean-pooled start."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification

from gallery.compat.transformers import register_attention


def plain_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """Return softmax(q kᵀ) v, [B, T, H, D], for crops of equal length, which need no mask.

    On a CPU the backward pass of sdpa is several times slower than these two products.
    """
    batch, heads, length, size = query.shape
    scaled = (query * (scaling or size**-0.5)).flatten(0, 1)
    weights = torch.bmm(scaled, key.flatten(0, 1).transpose(1, 2)).softmax(-1)
    mixed = torch.bmm(weights.to(value.dtype), value.flatten(0, 1))
    return mixed.view(batch, heads, length, size).transpose(1, 2).contiguous(), None


PLAIN = "gallery_plain"
register_attention(PLAIN, plain_attention)


def begin(base: Path, names: list[str], table: Tensor, ids: Tensor) -> tuple[Any, list[int]]:
    """Return the model to start from, and the dimensions that carry evidence.

    One dimension an author, those with the smallest LayerNorm gains, carries the table [V, C] of what each piece says
    through all layers: nothing reads or writes it until training finds a use. The last layer starts as the mean over
    the passage, as the base was trained with mean pooling. ids [B, T] set the scales.
    """
    model: Any = AutoModelForSequenceClassification.from_pretrained(
        base,
        num_labels=len(names),
        id2label=dict(enumerate(names)),
        label2id={name: number for number, name in enumerate(names)},
        dtype=torch.float32,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    norms = [module for module in model.bert.modules() if isinstance(module, nn.LayerNorm)]
    gains = torch.stack([norm.weight.abs() for norm in norms]).mean(0)
    room = sorted(gains.argsort()[: len(names)].tolist())
    with torch.no_grad():
        _clear_room(model.bert, room, table)
        _pool_by_mean(model.bert, room)
        _set_scales(model, norms, room, ids)
    return model, room


def _clear_room(bert: Any, room: list[int], table: Tensor) -> None:
    """Fill the room of the word embeddings with the table and keep every other part out of it."""
    for layer in bert.encoder.layer:
        own = layer.attention.self
        for reader in (own.query, own.key, own.value, layer.intermediate.dense):
            reader.weight[:, room] = 0
        for writer in (layer.attention.output.dense, layer.output.dense):
            writer.weight[room] = 0
            writer.bias[room] = 0
    bert.embeddings.position_embeddings.weight[:, room] = 0
    bert.embeddings.token_type_embeddings.weight[:, room] = 0
    bert.embeddings.word_embeddings.weight[:, room] = table


def _pool_by_mean(bert: Any, room: list[int]) -> None:
    """Make the last layer add the mean over the passage to each token, and the pooler nearly linear."""
    last, size = bert.encoder.layer[-1], bert.config.hidden_size
    # Queries of zero look at every token alike; the keys stay, so that the queries have something to learn from.
    for silent in (last.attention.self.query, last.output.dense):
        silent.weight.zero_()
        silent.bias.zero_()
    for same in (last.attention.self.value, last.attention.output.dense):
        same.weight.copy_(torch.eye(size))
        same.bias.zero_()
    # Evidence averages out over a passage; enlarged, it still reaches the classifier beside the other features.
    last.attention.output.dense.weight[room, room] = 8.0
    bert.pooler.dense.weight.copy_(torch.eye(size) * 0.25)
    bert.pooler.dense.bias.zero_()


def _set_scales(model: Any, norms: list[nn.LayerNorm], room: list[int], ids: Tensor) -> None:
    """Run ids [B, T] through the model once, setting what depends on the size of its states."""

    def keep_scale(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        # A LayerNorm divides by the spread of the token; the gain gives the evidence its scale back.
        norm.weight[room] = inputs[0].std(-1).mean()  # type: ignore[operator]
        norm.bias[room] = 0  # type: ignore[operator]

    def centre(linear: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        # What all passages have in common says nothing about the author and would fill the LayerNorm.
        linear.bias.copy_(-linear.weight.diag() * inputs[0].mean((0, 1)))  # type: ignore[operator]

    hooks = [norm.register_forward_pre_hook(keep_scale) for norm in norms]
    hooks.append(model.bert.encoder.layer[-1].attention.output.dense.register_forward_pre_hook(centre))
    model.eval()(ids)
    for hook in hooks:
        hook.remove()


def embed(model: Any, room: list[int], tables: Tensor, ids: Tensor, folds: Tensor) -> Tensor:
    """Return word embeddings [B, T, H] whose evidence comes from each crop's own fold.

    tables [F, V, C]; ids [B, T]; folds [B].
    """
    words: Tensor = model.bert.embeddings.word_embeddings(ids).clone()
    words[..., room] = tables[folds[:, None], ids]
    return words


def probe(model: Any, room: list[int], features: Tensor, target: Tensor, decay: float = 1e-6) -> None:
    """Fit the classifier on the evidence among pooled features [N, H] towards target [N, C] by L-BFGS.

    A linear probe before fine-tuning (Kumar et al. 2022, arXiv:2202.10054); the other features start at zero weight,
    because on so few crops they would tell works apart.
    """
    evidence = features[:, room]
    weight = torch.zeros(len(room), target.shape[1], requires_grad=True)
    bias = torch.zeros(target.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = functional.cross_entropy(evidence @ weight + bias, target) + decay * weight.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.weight[:, room] = weight.T.to(model.device)
        model.classifier.bias.copy_(bias)
