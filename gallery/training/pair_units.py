"""Fits the feed-forward units that stand for an additive model's pairs in the network (see room.Units).

A hundred thousand pairs do not fit into a network of 28 million parameters as they are. A code for every piece and two
thousand units over the codes of two neighbours come close to what the frequent ones say.
"""

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gallery.training.additive import Additive
from gallery.training.room import Units

Ids = NDArray[np.int64]


class _Network(nn.Module):
    def __init__(self, vocabulary: int, classes: int, code: int, units: int, silent: Tensor) -> None:
        super().__init__()
        self.codes = nn.Parameter(torch.randn(vocabulary, code) * 0.5)
        self.inner = nn.Parameter(torch.randn(units, 2 * code) * 2 / math.sqrt(2 * code))
        self.bias = nn.Parameter(torch.zeros(units))
        self.out = nn.Parameter(torch.randn(classes, units) * 0.02)
        self.register_buffer("speaks", torch.ones(vocabulary, 1))
        self.speaks: Tensor
        self.speaks[silent] = 0

    def units(self) -> Units:
        # A LayerNorm subtracts one number from all dimensions; weights that add up to zero do not notice.
        return Units(self.codes * self.speaks, self.inner - self.inner.mean(1, keepdim=True), self.bias, self.out)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return what pairs say, [N, C], their codes read with 6 % noise: a LayerNorm leaves their size so uncertain."""
        now = self.units()
        states = torch.cat([now.codes[left], now.codes[right]], 1) * torch.exp(0.06 * torch.randn(len(left), 1))
        with torch.autocast("cpu", torch.bfloat16):
            said = (nn.functional.gelu(states @ now.inner.T + now.bias) - nn.functional.gelu(now.bias)) @ now.out.T
        return said.float()


class _Pairs:
    """The pairs of an additive model as targets: drawn one by one, or read off crops."""

    def __init__(self, model: Additive, silent: list[int]) -> None:
        self.vocabulary, self.classes = model.pieces.shape
        self.keys, self.silent = model.keys, silent
        chance = model.mass.astype(np.float64) ** 0.75
        chance /= chance.sum()
        self.scale = float(np.sqrt((chance[:, None] * model.pairs**2).sum() / self.classes))
        self.target = torch.from_numpy(model.pairs / self.scale)
        self.edges = np.cumsum(chance)

    def drawn(self, draw: np.random.Generator, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return left and right ids and targets of pairs drawn by mass ^0.75; one in sixteen is unknown and says nothing."""
        rows = np.searchsorted(self.edges, draw.random(size)).clip(0, len(self.edges) - 1)
        left, right = self.keys[rows] // self.vocabulary, self.keys[rows] % self.vocabulary
        target = self.target[torch.from_numpy(rows)].clone()
        some = size // 16
        right[:some] = draw.permutation(right[:some])
        left[: some // 4] = right[some // 4 : some // 2] = self.silent[0]
        unknown = ~np.isin(left[:some] * self.vocabulary + right[:some], self.keys)
        target[:some][torch.from_numpy(unknown)] = 0
        known = torch.from_numpy(np.concatenate([unknown, np.ones(size - some, bool)]))
        return torch.from_numpy(left)[known], torch.from_numpy(right)[known], target[known]

    def in_crop(self, ids: Ids) -> tuple[Tensor, Tensor, Tensor]:
        """Return left and right ids and targets of every pair of neighbours in a crop."""
        left, right = ids[:-1], ids[1:]
        keys = left * self.vocabulary + right
        at = np.searchsorted(self.keys, keys).clip(0, len(self.keys) - 1)
        known = (self.keys[at] == keys) & (left > 3) & (right > 3)
        return torch.from_numpy(left), torch.from_numpy(right), self.target[torch.from_numpy(at)] * torch.from_numpy(known).float()[:, None]


def learn_units(
    model: Additive,
    silent: list[int],
    crops: list[Ids],
    state: Path,
    *,
    code: int = 48,
    units: int = 1936,
    steps: int = 1500,
    batch: int = 4096,
    seed: int = 0,
) -> tuple[Units, float]:
    """Return units that say what the model's pairs say, and the scale that they are divided by.

    silent are the ids of special tokens, whose code is zero. For half of the steps single pairs are fitted; then the
    sums over crops as well, since errors that all tokens of a passage share add up. state is a file from which a killed
    run goes on.
    """
    torch.manual_seed(seed)
    pairs = _Pairs(model, silent)
    network = _Network(pairs.vocabulary, pairs.classes, code, units, torch.tensor(silent))
    parameters = [{"params": [part], "lr": 1e-2 if part is network.codes else 2e-3} for part in network.parameters()]
    optimiser = torch.optim.Adam(parameters, betas=(0.9, 0.98))
    peaks = [group["lr"] for group in optimiser.param_groups]
    first, single, summed = 0, 1.0, math.nan
    if state.exists():
        saved = torch.load(state, weights_only=True)
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        first, single = saved["step"], saved["single"]
    for step in range(first, steps):
        draw = np.random.default_rng((seed, step))
        torch.manual_seed(seed + step)
        for group, peak in zip(optimiser.param_groups, peaks, strict=True):
            group["lr"] = peak * min(1.0, (step + 1) / 30) * 0.5 * (1 + math.cos(math.pi * step / steps))
        if step < steps // 2:
            left, right, target = pairs.drawn(draw, batch)
            error = (network(left, right) - target).square().mean()
            loss = error
        else:
            chosen = [crops[row] for row in draw.integers(len(crops), size=max(1, batch // 256))]
            left, right, target = (torch.cat(parts) for parts in zip(*map(pairs.in_crop, chosen), strict=True))
            wrong = network(left, right) - target
            wrong = wrong - wrong.mean(1, keepdim=True)
            error = wrong.square().mean()
            sums = torch.stack([part.sum(0) / math.sqrt(len(part)) for part in wrong.split([len(ids) - 1 for ids in chosen])])
            loss = error + sums.square().mean()
            summed = float(sums.detach().square().mean())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        single += 0.03 * (float(error.detach()) - single)
        if step % 50 == 49 or step == steps - 1:
            print(f"pairs: step {step + 1}/{steps}, unexplained {single:.3f}, of sums {summed:.3f}", flush=True)
            kept = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1, "single": single}
            torch.save(kept, state.with_suffix(".next"))
            state.with_suffix(".next").replace(state)
    with torch.no_grad():
        found = network.units()
    return Units(found.codes, found.inner, found.bias.detach(), found.out.detach()), pairs.scale
