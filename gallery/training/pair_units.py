"""Fits the feed-forward units that stand for an additive model's pairs in the network (see graft.Units).

A hundred thousand pairs do not fit into a network of 28 million parameters as they are. A code for every piece and two
thousand units over the codes of two neighbours come close to what the frequent ones say.
"""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gallery.training.additive import Additive
from gallery.training.graft import Units


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


def learn_units(
    model: Additive, silent: list[int], state: Path, *, code: int = 48, units: int = 1936, steps: int = 800, batch: int = 4096, seed: int = 0
) -> tuple[Units, float]:
    """Return units that say what the model's pairs say, and the scale that they are divided by.

    silent are the ids of special tokens, to which the code is zero and nothing is said. A pair is drawn by its mass in
    training ^0.75, and one batch in eight holds random pairs, which say nothing. Codes are read with 8 % noise, since a
    LayerNorm leaves their size so uncertain. state is a file from which a killed run goes on.
    """
    torch.manual_seed(seed)
    vocabulary, classes = model.pieces.shape
    chance = model.mass.astype(np.float64) ** 0.75
    chance /= chance.sum()
    scale = float(np.sqrt((chance[:, None] * model.pairs**2).sum() / classes))
    target = torch.from_numpy(model.pairs / scale)
    left, right = torch.from_numpy(model.keys // vocabulary), torch.from_numpy(model.keys % vocabulary)
    frequent = np.bincount(model.keys // vocabulary, model.mass, vocabulary) + 1e-9 * model.mass.sum()
    network = _Network(vocabulary, classes, code, units, torch.tensor(silent))
    rates = {id(network.codes): 1e-2}
    optimiser = torch.optim.Adam([{"params": [part], "lr": rates.get(id(part), 2e-3)} for part in network.parameters()], betas=(0.9, 0.98))
    peaks = [group["lr"] for group in optimiser.param_groups]
    first, running = 0, 1.0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        first, running = saved["step"], saved["running"]
    edges, piece_edges = np.cumsum(chance), np.cumsum(frequent / frequent.sum())
    for step in range(first, steps):
        draw = np.random.default_rng((seed, step))
        rows = torch.from_numpy(np.searchsorted(edges, draw.random(batch - batch // 8)).clip(0, len(edges) - 1))
        others = torch.from_numpy(np.searchsorted(piece_edges, draw.random((2, batch // 8))).clip(0, vocabulary - 1))
        # Special tokens say nothing, on either side.
        others[0, : batch // 32] = others[1, batch // 32 : batch // 16] = silent[0]
        known = np.isin((others[0] * vocabulary + others[1]).numpy(), model.keys)
        others = others[:, torch.from_numpy(~known)]
        pairs = torch.cat([left[rows], others[0]]), torch.cat([right[rows], others[1]])
        wanted = torch.cat([target[rows], torch.zeros(others.shape[1], classes)])
        for group, peak in zip(optimiser.param_groups, peaks, strict=True):
            group["lr"] = peak * min(1.0, (step + 1) / 30) * 0.5 * (1 + math.cos(math.pi * step / steps))
        now = network.units()
        states = torch.cat([now.codes[pairs[0]], now.codes[pairs[1]]], 1) * torch.exp(0.08 * torch.randn(len(wanted), 1))
        with torch.autocast("cpu", torch.bfloat16):
            said = (nn.functional.gelu(states @ now.inner.T + now.bias) - nn.functional.gelu(now.bias)) @ now.out.T
        error = (said.float() - wanted).square().mean()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        running += 0.03 * (float(error.detach()) - running)
        if step % 50 == 49 or step == steps - 1:
            print(f"pairs: step {step + 1}/{steps}, unexplained {running:.3f}", flush=True)
            torch.save({"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1, "running": running}, state.with_suffix(".next"))
            state.with_suffix(".next").replace(state)
    with torch.no_grad():
        found = network.units()
    return Units(found.codes, found.inner.detach(), found.bias.detach(), found.out.detach()), scale
