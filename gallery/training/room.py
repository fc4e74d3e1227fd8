"""The room that evidence is given in a network: its dimensions, the units that fill it, and its mean."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Units:
    """What pairs of neighbours say, as a small network: out · (gelu(inner · [left, right] + bias) - gelu(bias)).

    left and right are the codes of two pieces. codes [V, D], zero for special tokens; inner [U, 2D]; bias [U];
    out [C, U]. Two special tokens say exactly nothing.
    """

    codes: Tensor
    inner: Tensor
    bias: Tensor
    out: Tensor

    def __call__(self, left: Tensor, right: Tensor) -> Tensor:
        """Return what each pair of ids [N] says, [N, C]."""
        return self.read(torch.cat([self.codes[left], self.codes[right]], 1))

    def read(self, codes: Tensor) -> Tensor:
        """Return what pairs of codes [N, 2D] say, [N, C]."""
        active = nn.functional.gelu(codes @ self.inner.T + self.bias)
        return (active - nn.functional.gelu(self.bias)) @ self.out.T


@dataclass(frozen=True)
class Room:
    """Hidden dimensions given away: one a class, and one a code dimension twice."""

    evidence: list[int]
    own: list[int]
    before: list[int]

    def all(self) -> list[int]:
        """Return every dimension given away."""
        return [*self.evidence, *self.own, *self.before]


def centre(model: Any, room: Room, table: Tensor, units: Units, shrink: float, passages: list[Tensor]) -> None:
    """Take out what the network adds to every token's evidence, and to every passage's, whatever the text.

    LayerNorms move codes a little, the units answer to that, and a mean over many tokens adds it up. So passages of
    several lengths tell apart what grows with the length and what does not.
    """
    found = [_pooled_excess(model, room, table, units, shrink, ids) for ids in passages]
    design = torch.tensor([[slope * ids.shape[1] / (ids.shape[1] + shrink), 1.0] for (_, slope, _), ids in zip(found, passages, strict=True)])
    growing = torch.linalg.lstsq(design, torch.stack([excess for excess, _, _ in found])).solution[0] if len(passages) > 1 else 0 * found[0][0]
    model.bert.encoder.layer[-2].output.dense.bias[room.evidence] -= growing * found[0][2]
    excess = torch.stack([_pooled_excess(model, room, table, units, shrink, ids)[0] for ids in passages])
    model.bert.pooler.dense.bias[room.evidence] -= excess.mean(0)


def _pooled_excess(model: Any, room: Room, table: Tensor, units: Units, shrink: float, ids: Tensor) -> tuple[Tensor, float, float]:
    """Return what is too much in the pooler's evidence [C], the factor of the rest, and that of the tokens' evidence."""
    left = torch.cat([ids[:, :1], ids[:, :-1]], 1)
    said = table[ids] + torch.stack([units(one, other) for one, other in zip(left, ids, strict=True)])
    said = (said - said.mean(-1, keepdim=True))[:, 1:]
    caught: list[Tensor] = []
    hooks = [
        model.bert.encoder.layer[-1].register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0][:, 1:, room.evidence])),
        model.bert.pooler.dense.register_forward_hook(lambda _, inputs, output: caught.append(output[:, room.evidence])),
    ]
    model.bert(ids)
    for hook in hooks:
        hook.remove()
    tokens, pooled = (one - one.mean(-1, keepdim=True) for one in caught)
    wanted = said.sum(1) / (ids.shape[1] + shrink)
    slope = _slope(pooled - pooled.mean(0), wanted - wanted.mean(0))
    return pooled.mean(0) - slope * wanted.mean(0), slope, _slope(tokens, said)


def _slope(values: Tensor, wanted: Tensor) -> float:
    """Return the factor of wanted that comes nearest to values."""
    return float((values * wanted).sum() / wanted.square().sum().clamp(min=1e-9))
