"""Puts evidence of pieces and of pairs of neighbours into a trained classifier, where its own parts leave room.

The hidden dimensions with the smallest LayerNorm gains are emptied and given to three streams that the rest of the
network neither reads nor writes: evidence (one dimension a class), a code of the piece itself, and a code of the piece
before it. The word embeddings carry what each piece says and its code. One head of layer 1 copies the code of the
piece before; additional units of the feed-forward layers read both codes and add what the pair says; one head of
the last layer takes the mean of the evidence over the passage. All of it is ordinary BERT weights.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification

from gallery.training.room import Room, Units, centre

#: Size of a code and of a stored position relative to the trunk's states, small enough not to disturb its LayerNorms.
CODE, POSITION = 0.25, 0.015
#: Factor of the room in the embeddings, whose states are smaller than a layer's; the first LayerNorm takes it back.
EMBEDDED = 0.2
#: Nats between the piece before and any other piece, for the head that copies it, where both have the usual scale.
SHARPNESS = 60.0


def extend(trunk: Any, names: list[str], units: int, forget: tuple[str, ...] = ()) -> Any:
    """Return a copy of the classifier with these classes and that many additional feed-forward units a layer.

    A class of the same name keeps its weights; a new one, or one to forget, gets the mean of all, which makes it say
    nothing of its own. The additional units start at zero.
    """
    old: Any = trunk.config
    own = [old.id2label[number] for number in range(old.num_labels)]
    settings = {key: value for key, value in old.to_dict().items() if key not in ("id2label", "label2id", "num_labels", "architectures", "dtype")}
    settings |= {"intermediate_size": old.intermediate_size + units, "id2label": dict(enumerate(names))}
    model: Any = BertForSequenceClassification(BertConfig(**settings, label2id={name: number for number, name in enumerate(names)}))
    with torch.no_grad():
        source = trunk.state_dict()
        for key, value in model.state_dict().items():
            if key.startswith("classifier"):
                mean = source[key].mean(0)
                value.copy_(torch.stack([source[key][own.index(name)] if name in own and name not in forget else mean for name in names]))
            elif value.shape == source[key].shape:
                value.copy_(source[key])
            else:
                value.zero_()
                value[tuple(slice(size) for size in source[key].shape)] = source[key]
    return model.eval()


def make_room(model: Any, classes: int, code: int) -> Room:
    """Empty the dimensions with the smallest LayerNorm gains, none that an earlier room took, and return them."""
    bert = model.bert
    norms = [module for module in bert.modules() if isinstance(module, nn.LayerNorm)]
    # Nothing reads an earlier room in the first layer, and its gains are set and not learned.
    free = bert.encoder.layer[0].attention.self.query.weight.abs().amax(0) > 0
    gains = torch.stack([norm.weight.abs() for norm in norms[: len(norms) // 2]]).mean(0)
    chosen = [int(number) for number in gains.argsort() if bool(free[number])][: classes + 2 * code]
    room = Room(chosen[:classes], chosen[classes : classes + code], chosen[classes + code :])
    every = room.all()
    with torch.no_grad():
        for layer in bert.encoder.layer:
            attention = layer.attention.self
            for reader in (attention.query, attention.key, attention.value, layer.intermediate.dense):
                reader.weight[:, every] = 0
            for writer in (layer.attention.output.dense, layer.output.dense):
                writer.weight[every] = 0
                writer.bias[every] = 0
        for table in (bert.embeddings.word_embeddings, bert.embeddings.position_embeddings, bert.embeddings.token_type_embeddings):
            table.weight[:, every] = 0
        bert.pooler.dense.weight[:, every] = 0
        bert.pooler.dense.weight[every] = 0
        bert.pooler.dense.bias[every] = 0
        model.classifier.weight[:, every] = 0
    return room


def keep_scale(model: Any, room: Room, ids: Tensor) -> None:
    """Run ids [B, T] through the model once and set the room's gains so that a LayerNorm leaves its scale as it is.

    The first one takes back EMBEDDED as well.
    """

    def hook(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        scale = 1 / EMBEDDED if norm is model.bert.embeddings.LayerNorm else 1.0
        norm.weight[room.all()] = scale / (1 / inputs[0].std(-1, unbiased=False)).mean()  # type: ignore[operator]
        norm.bias[room.all()] = 0  # type: ignore[operator]

    hooks = [module.register_forward_pre_hook(hook) for module in model.bert.modules() if isinstance(module, nn.LayerNorm)]
    with torch.no_grad():
        model.eval().bert(ids)
    for one in hooks:
        one.remove()


def graft(model: Any, room: Room, table: Tensor, units: Units, shrink: float, passages: list[Tensor]) -> None:
    """Write the evidence of pieces, table [V, C], and of pairs, units, into the room.

    passages are ids [B, T] of several lengths; the first of them set the scales.

    The pooled evidence is Σ e / (T + shrink) over a passage of T tokens: an attention sink on the first token that
    weighs as much as shrink tokens makes the classifier surer of longer passages.
    """
    bert, ids = model.bert, passages[0]
    frequencies = _frequencies(len(room.before) // 4 - 1, bert.config.max_position_embeddings)
    with torch.no_grad():
        words, positions = bert.embeddings.word_embeddings.weight, bert.embeddings.position_embeddings.weight
        # The first LayerNorm divides a piece by its own spread, which is four times larger for rare pieces.
        spread = (words + positions.mean(0) + bert.embeddings.token_type_embeddings.weight[0]).std(1, keepdim=True)
        spread = EMBEDDED * spread / spread.mean()
        words[:, room.evidence] = table * spread
        words[:, room.own] = units.codes * CODE * spread
        _store_positions(positions, room, frequencies)
        for embedding in (words, positions, bert.embeddings.token_type_embeddings.weight):
            # It also takes the mean of all dimensions away, from the room too.
            embedding[:, room.all()] += embedding.sum(1, keepdim=True) / (embedding.shape[1] - len(room.all()))
        _copy_piece_before(bert, room, frequencies)
        _spread_units(bert, room, units)
        keep_scale(model, room, ids)
        _pool_evidence(model, room, shrink, ids)
        keep_scale(model, room, ids)
        centre(model, room, table, units, shrink, passages)


def _frequencies(number: int, positions: int) -> Tensor:
    """Return frequencies whose cosines, summed, tell an offset of 0 best from all others: the best of random draws."""
    draw = np.random.default_rng(0)
    offsets = np.arange(1, positions)[:, None]
    best, margin = np.linspace(0.1, 3, number), 0.0
    for turn in range(6000):
        drawn = draw.uniform(0.01, math.pi, number) if turn < 2000 else (best + draw.normal(0, 0.03, number)).clip(0.005, math.pi)
        found = float((1 - np.cos(offsets * drawn)).sum(1).min())
        if found > margin:
            best, margin = drawn, found
    return torch.tensor(np.sort(best), dtype=torch.float32)


def _store_positions(positions: Tensor, room: Room, frequencies: Tensor) -> None:
    """Write cosines and sines of the position, a one, and a one for the first token alone.

    Each is the difference of two dimensions, which no mean can shift.
    """
    angle = torch.arange(len(positions))[:, None] * frequencies
    first = (torch.arange(len(positions)) == 0).float()[:, None]
    values = torch.cat([angle.cos(), angle.sin(), torch.ones(len(positions), 1), first], 1) * (POSITION / 2 * EMBEDDED)
    size = values.shape[1]
    positions[:, room.before[:size]] = values
    positions[:, room.before[size : 2 * size]] = -values


def _weakest_heads(layer: Any, number: int) -> list[int]:
    """Return the heads whose values reach the output least."""
    attention = layer.attention.self
    heads, size = attention.num_attention_heads, attention.attention_head_size
    values = attention.value.weight.view(heads, size, -1)
    outputs = layer.attention.output.dense.weight.view(-1, heads, size).transpose(0, 1)
    strength = torch.bmm(outputs, values).flatten(1).norm(dim=1)
    return [int(head) for head in strength.argsort()[:number]]


def _empty_head(layer: Any, head: int) -> slice:
    """Zero a head and return its rows."""
    attention = layer.attention.self
    size = attention.attention_head_size
    rows = slice(head * size, (head + 1) * size)
    for part in (attention.query, attention.key, attention.value):
        part.weight[rows] = 0
        part.bias[rows] = 0
    layer.attention.output.dense.weight[:, rows] = 0
    return rows


def _copy_piece_before(bert: Any, room: Room, frequencies: Tensor) -> None:
    """Make heads of layer 1 attend to the token before and copy its code."""
    layer = bert.encoder.layer[0]
    attention, size = layer.attention.self, layer.attention.self.attention_head_size
    number = len(frequencies)
    values = 2 * number + 2
    plus, minus = room.before[:values], room.before[values : 2 * values]
    # The score of the token d places before is (sum cos(w (d - 1)) - threshold) times both tokens' scales. Half-way
    # between the piece before and the next best, the threshold makes all other scores negative whatever the scales.
    offsets = torch.arange(1, len(bert.embeddings.position_embeddings.weight))[:, None]
    margin = float((1 - (offsets * frequencies).cos()).sum(1).min())
    factor = math.sqrt(SHARPNESS / margin * math.sqrt(size)) / POSITION
    # The key of token j says j + 1: cos(w j + w) and sin(w j + w).
    turned = torch.zeros(values, values)
    cosine, sine = slice(number), slice(number, 2 * number)
    turned[cosine, cosine], turned[cosine, sine] = frequencies.cos().diag(), -frequencies.sin().diag()
    turned[sine, cosine], turned[sine, sine] = frequencies.sin().diag(), frequencies.cos().diag()
    turned[-2, -2] = margin / 2 - number
    # The first token has none before it and looks at itself.
    turned[-1, -1] = 4 * number
    heads = _weakest_heads(layer, math.ceil(len(room.own) / size))
    for turn, head in enumerate(heads):
        rows = _empty_head(layer, head)
        at = rows.start
        for part, weight in ((attention.query, torch.eye(values)), (attention.key, turned)):
            part.weight[at : at + values, plus] = weight * factor
            part.weight[at : at + values, minus] = -weight * factor
        for row, dimension in enumerate(range(turn * size, min((turn + 1) * size, len(room.own)))):
            attention.value.weight[at + row, room.own[dimension]] = 1
            layer.attention.output.dense.weight[room.before[dimension], at + row] = 1


def _spread_units(bert: Any, room: Room, units: Units) -> None:
    """Give every layer but the last its share of the units, in the feed-forward rows that extend() added."""
    layers = bert.encoder.layer[:-1]
    each = math.ceil(len(units.bias) / len(layers))
    for number, layer in enumerate(layers):
        mine = slice(number * each, min((number + 1) * each, len(units.bias)))
        size = mine.stop - mine.start
        rows = slice(layer.intermediate.dense.out_features - each, layer.intermediate.dense.out_features - each + size)
        code = len(room.own)
        layer.intermediate.dense.weight[rows, room.before] = units.inner[mine, :code] / CODE
        layer.intermediate.dense.weight[rows, room.own] = units.inner[mine, code:] / CODE
        layer.intermediate.dense.bias[rows] = units.bias[mine]
        layer.output.dense.weight[room.evidence, rows] = units.out[:, mine]
        layer.output.dense.bias[room.evidence] = -(units.out[:, mine] @ nn.functional.gelu(units.bias[mine]))


def _pool_evidence(model: Any, room: Room, shrink: float, ids: Tensor, gain: float = 4.0) -> None:
    """Make the weakest head of the last layer the mean of the evidence, and let the pooler pass it on."""
    bert = model.bert
    layer = bert.encoder.layer[-1]
    rows = _empty_head(layer, _weakest_heads(layer, 1)[0])
    attention = layer.attention.self
    weight, bias = _first_token(model, ids)
    attention.query.bias[rows.start] = math.sqrt(attention.attention_head_size)
    attention.key.weight[rows.start] = weight * math.log(shrink)
    attention.key.bias[rows.start] = bias * math.log(shrink)
    for row, dimension in enumerate(room.evidence):
        attention.value.weight[rows.start + row, dimension] = 1
        layer.attention.output.dense.weight[dimension, rows.start + row] = gain
    bert.pooler.dense.weight[room.evidence, room.evidence] = 1


def _first_token(model: Any, ids: Tensor) -> tuple[Tensor, float]:
    """Return a linear function of the last layer's input that is 1 on the first token and about 0 on the others."""
    caught: list[Tensor] = []
    hook = model.bert.encoder.layer[-1].register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
    model.bert(ids)
    hook.remove()
    first, others, last = caught[0][:, 0], caught[0][:, 1:-1].flatten(0, 1), caught[0][:, -1]
    centre = others.mean(0)
    apart = first.mean(0) - centre
    # The last token, `</s>`, is alike the first one and must weigh as an ordinary one.
    spread = torch.cov(others.T) + 10 * torch.cov((first - first.mean(0)).T) + 10 * (last - centre).T @ (last - centre) / len(last)
    direction = torch.linalg.solve(spread + 1e-4 * spread.diag().mean() * torch.eye(len(spread)), apart)
    direction = direction / (direction @ apart)
    return direction, -float((direction @ centre).detach())
