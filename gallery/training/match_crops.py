"""Brings the units, and what single pieces say, nearer to the additive model's verdict on whole crops.

Single pairs that are a little wrong add up over a passage. What counts in the end is the distribution over the authors.
"""

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from gallery.training.additive import SHRINK, Additive, Tiles
from gallery.training.room import Units

#: Divisor of the logits whose distributions are compared, so that unlikely authors count too.
SOFTNESS = 1.5


def match_crops(
    units: Units, model: Additive, scale: float, silent: list[int], tiles: Tiles, state: Path, *, steps: int = 2500, tokens: int = 4064, seed: int = 31
) -> tuple[Units, Tensor]:
    """Return the units refined, and the change [V, C] of what single pieces say, both divided by scale.

    silent are the ids of special tokens, which keep saying nothing. state is a file from which a killed run goes on.
    """
    pieces, pairs = torch.from_numpy(model.pieces) / scale, torch.from_numpy(model.pairs) / scale
    vocabulary, classes = pieces.shape
    speaks = torch.ones(vocabulary, 1)
    speaks[silent] = 0
    parts = [nn.Parameter(part.clone()) for part in (units.codes, units.inner, units.bias, units.out, torch.zeros(vocabulary, classes))]
    codes, inner, bias, out, change = parts
    peaks = [1e-3, 2.5e-4, 2.5e-4, 2.5e-4, 1e-3]
    optimiser = torch.optim.Adam([{"params": [part], "lr": peak} for part, peak in zip(parts, peaks, strict=True)], betas=(0.9, 0.99))
    first = 0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        optimiser.load_state_dict(saved["optimiser"])
        first = saved["step"]
        with torch.no_grad():
            for part, kept in zip(parts, saved["parts"], strict=True):
                part.copy_(kept)

    def now() -> Units:
        # A LayerNorm subtracts one number from all dimensions; weights that add up to zero do not notice.
        return Units(codes * speaks, inner - inner.mean(1, keepdim=True), bias, out)

    for step in range(first, steps):
        draw = np.random.default_rng((seed, step))
        torch.manual_seed(seed + step)
        for group, peak in zip(optimiser.param_groups, peaks, strict=True):
            group["lr"] = peak * min(1.0, (step + 1) / 40) * 0.5 * (1 + math.cos(math.pi * step / steps))
        length = int(draw.choice((62, 126, 254, 508)))
        chosen = draw.choice(len(tiles.ids), size=max(2, tokens // length), p=tiles.weight / tiles.weight.sum())
        ids = torch.from_numpy(np.stack([np.resize(tiles.ids[row], length) for row in chosen])).long()
        left = torch.cat([torch.zeros(len(ids), 1, dtype=torch.long), ids[:, :-1]], 1)
        keys = (left * vocabulary + ids).numpy()
        at = np.searchsorted(model.keys, keys).clip(0, len(model.keys) - 1)
        known = torch.from_numpy(model.keys[at] == keys) & (left > 3) & (ids > 3)
        speaking = speaks[ids]
        target = pairs[torch.from_numpy(at)] * known[..., None] + pieces[ids] * speaking
        # A LayerNorm leaves the size of a token's codes uncertain by some 6 %.
        refined, noise = now(), torch.exp(0.06 * torch.randn(ids.numel(), 1))
        read = torch.cat([refined.codes[left.flatten()], refined.codes[ids.flatten()]], 1) * noise
        said = refined.read(read).view(*ids.shape, classes)
        wrong = said + (pieces + change)[ids] * speaking - target
        wrong = wrong - wrong.mean(-1, keepdim=True)
        wanted = target.sum(1) * scale / (length + SHRINK)
        got = wanted + wrong.sum(1) * scale / (length + SHRINK)
        said_of_crops, asked_of_crops = (functional.log_softmax(logits / SOFTNESS, -1) for logits in (got, wanted))
        apart = functional.kl_div(said_of_crops, asked_of_crops, log_target=True, reduction="batchmean")
        loss = 0.3 * wrong.square().mean() + 0.6 * wrong.sum(1).square().mean() / length + 3 * apart
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 50 == 49 or step == steps - 1:
            print(f"crops: step {step + 1}/{steps}, divergence {float(apart.detach()):.4f}", flush=True)
            kept = {"parts": [part.detach() for part in parts], "optimiser": optimiser.state_dict(), "step": step + 1}
            torch.save(kept, state.with_suffix(".next"))
            state.with_suffix(".next").replace(state)
    with torch.no_grad():
        return Units(*(part.detach() for part in (now().codes, now().inner, bias, out))), (change * speaks).detach()
