"""Fine-tunes the upper layers of a classifier beside an additive model, so that they learn what it does not know.

The network's logits are added to those of the additive model that has not seen the crop's work, and the sum is trained:
what pieces and pairs of pieces say already costs the network nothing to leave out.
"""

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from gallery.compat.transformers import use_attention
from gallery.training.additive import Additive, Ids, fit_additive, tile
from gallery.training.corpus import Work
from gallery.training.crops import UNK, Sampler, erase_words
from gallery.training.network import PLAIN
from gallery.training.room import Room

#: Tokens of the training crops, special tokens apart.
LENGTHS = (62, 126, 254, 508)
#: Share of the crops of which a random share of the words is masked, and the factor of the additive model's logits.
ERASED, TRUST = 0.3, 0.8
#: Factor of the classifier that training starts from: beside the additive model it has less to say.
START = 0.4


def tune(
    model: Any,
    room: Room,
    sampler: Sampler,
    folds: list[Additive],
    mask: int,
    state: Path,
    *,
    minutes: float,
    frozen: int = 6,
    tokens: int = 2048,
    lengths: tuple[int, ...] = LENGTHS,
) -> None:
    """Train the layers above `frozen`, the pooler and the classifier for so many minutes, and keep the running mean of the weights.

    folds[n] is fitted without the crops of fold n. The room stays empty. In a share ERASED of the crops a random share of the words
    is the mask token (Hase et al. 2021, arXiv:2106.00786). state is a file from which a killed run goes on.
    """
    use_attention(model, PLAIN)
    for part in (model.bert.embeddings, *model.bert.encoder.layer[:frozen]):
        part.requires_grad_(False)
    with torch.no_grad():
        model.classifier.weight.mul_(START)
        model.classifier.bias.mul_(START)
    learned = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    optimiser = torch.optim.AdamW([_group(name, parameter) for name, parameter in learned.items()], betas=(0.9, 0.98))
    mean = {name: parameter.detach().clone() for name, parameter in learned.items()}
    step, spent = 0, 0.0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        mean, step, spent = saved["mean"], saved["step"], saved["spent"]
        sampler.rng = np.random.default_rng(step)
    begun = written = time.monotonic()
    while (done := (spent + time.monotonic() - begun) / (60 * minutes)) < 1:
        ids, offset, truth = _batch(sampler, folds, mask, int(sampler.rng.choice(lengths)), tokens)
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * min(1.0, (step + 1) / 30) * 0.5 * (1 + math.cos(math.pi * done))
        model.train()
        loss = functional.cross_entropy(model.classifier(_pooled(model.bert, ids, frozen)) + offset, truth)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(list(learned.values()), 1.0)
        optimiser.step()
        step += 1
        with torch.no_grad():
            empty(model, room, frozen)
            for name, parameter in learned.items():
                mean[name].lerp_(parameter, 1 - min(0.98, step / (step + 10)))
        if step % 20 == 0:
            print(f"tune: step {step}, loss {float(loss.detach()):.3f}, {done:.0%} of the time", flush=True)
        if time.monotonic() - written > 240:
            written = time.monotonic()
            kept = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "mean": mean, "step": step}
            torch.save({**kept, "spent": spent + written - begun}, state.with_suffix(".next"))
            state.with_suffix(".next").replace(state)
    with torch.no_grad():
        for name, parameter in learned.items():
            parameter.copy_(mean[name])
        empty(model, room, frozen)
    use_attention(model.eval(), "sdpa")


def empty(model: Any, room: Room, frozen: int = 0) -> None:
    """Keep the room out of the layers above `frozen`, the pooler and the classifier."""
    every = room.all()
    for layer in model.bert.encoder.layer[frozen:]:
        attention = layer.attention.self
        for reader in (attention.query, attention.key, attention.value, layer.intermediate.dense):
            reader.weight[:, every] = 0
        for writer in (layer.attention.output.dense, layer.output.dense):
            writer.weight[every] = 0
            writer.bias[every] = 0
    model.bert.pooler.dense.weight[:, every] = 0
    model.bert.pooler.dense.weight[every] = 0
    model.bert.pooler.dense.bias[every] = 0
    model.classifier.weight[:, every] = 0


def _group(name: str, parameter: nn.Parameter) -> dict[str, Any]:
    """Return an optimiser group: a faster head, no decay of norms and biases."""
    rate = 1e-3 if "classifier" in name else 3e-4 if "pooler" in name else 1e-4
    return {"params": [parameter], "lr": rate, "peak": rate, "weight_decay": 0.01 if parameter.ndim > 1 else 0.0}


def _pooled(bert: Any, ids: Tensor, frozen: int) -> Tensor:
    """Return the pooled state [B, H]; no gradient goes below the frozen layers."""
    with torch.autocast(ids.device.type, torch.bfloat16):
        with torch.no_grad():
            states = bert.embeddings(ids)
            for layer in bert.encoder.layer[:frozen]:
                states = layer(states)
        for layer in bert.encoder.layer[frozen:]:
            states = layer(states)
        return bert.pooler(states).float()  # type: ignore[no-any-return]


def _batch(sampler: Sampler, folds: list[Additive], mask: int, length: int, tokens: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return ids [B, T] with special tokens, the additive models' logits [B, C] and authors [B] of crops of that length."""
    authors = sampler.rng.integers(len(sampler.works), size=max(2, tokens // (length + 2)))
    rows: list[Ids] = []
    offsets = []
    for author in authors:
        crop = sampler.crop(int(author), length)
        seen, known = sampler.disguised(crop), crop.masked()
        if sampler.rng.random() < ERASED:
            gone = erase_words(crop, np.zeros_like(seen), float(sampler.rng.random()), 1, sampler.rng) == 1
            seen, known = np.where(gone, mask, seen), np.where(gone, UNK, known)
        # A work shorter than the crop is repeated to its length, so that the batch stays one rectangle.
        rows.append(np.concatenate([[0], np.resize(seen, length), [2]]))
        offsets.append(TRUST * folds[int(crop.work.fold[crop.start])].logits([known])[0])
    return torch.from_numpy(np.stack(rows)).long(), torch.from_numpy(np.stack(offsets)), torch.from_numpy(authors)


def fit_folds(works: list[Work], vocabulary: int, classes: int, folds: int, least: int, iterations: int = 45) -> list[Additive]:
    """Return an additive model for each fold, fitted without the tokens of that fold."""
    fitted = []
    for fold in range(folds):
        others = []
        for work in works:
            kept = work.fold != fold
            if kept.any():
                others.append(work if kept.all() else replace(work, ids=work.ids[kept], name=work.name[kept]))
        fitted.append(fit_additive(tile(others, 0), vocabulary, classes, least=least, iterations=iterations))
    return fitted
