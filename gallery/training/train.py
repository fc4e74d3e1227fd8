"""Fine-tunes the demo classifier: which of the authors wrote this passage of Russian prose."""

import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification

from gallery.compat.transformers import use_attention
from gallery.training.corpus import AUTHORS, Work, read_corpus
from gallery.training.crops import Sampler
from gallery.training.evaluation import LENGTHS, best_temperature, figures, fold_temperature, measure
from gallery.training.evidence import Experts, learn_experts
from gallery.training.network import PLAIN, begin, embed, probe
from gallery.training.typography import normalise_typography


def train(
    base: Path,
    corpus: Path,
    out: Path,
    *,
    table: Path | None = None,
    authors: dict[str, str] | None = None,
    steps: int = 2000,
    minutes: float | None = None,
    batch_tokens: int = 2048,
    lengths: tuple[int, ...] = (64, 128, 192, 256, 384, 508),
    learning_rate: float = 1.5e-4,
    head_learning_rate: float = 1e-3,
    frozen: int = 6,
    trust: float = 0.6,
    folds: int = 4,
    expert_crops: int = 3000,
    average: float = 0.99,
    test_crops: int = 50,
    checkpoint_every: int = 100,
    seed: int = 0,
    device: str = "auto",
    stop_after: int | None = None,
) -> None:
    """Fine-tune base into an author classifier on corpus and write it, with figures.json, to out.

    base is a BERT directory with tokenizer.json; corpus holds <folder>/<work>.txt; authors maps folders to the names
    that readers see (default: AUTHORS); table is a CSV of author, work, role, in which `reference` keeps a work for
    the test. A step is a batch of some batch_tokens tokens in crops of one of lengths; training ends after steps, or
    after minutes if they pass first. The target is trust times the linear teacher's probabilities and the rest the
    true author. The embeddings and the frozen lowest layers stay as they are; what is kept is the running mean of the
    weights (average is its decay). out/checkpoint lets a killed run go on where it was; stop_after ends a run early
    as if killed. Same seed, same steps, same threads: same weights, unless minutes decide.
    """
    torch.manual_seed(seed)
    where = pick_device(device)
    authors = AUTHORS if authors is None else authors
    names = list(authors.values())
    state = out / "checkpoint"
    state.mkdir(parents=True, exist_ok=True)
    normalise_typography(base, out)
    works = read_corpus(corpus, table, Tokenizer.from_file(str(out / "tokenizer.json")), authors, folds)
    training = [work for work in works if work.role == "train"]
    dev = [work for work in works if work.role == "dev"]
    experts = _experts(state / "experts.pt", training, base, folds, expert_crops, seed, len(names))
    sampler = Sampler(training, len(names), seed + 1)
    tables = torch.from_numpy(experts.tables).to(where)
    model, room = begin(base, names, tables[-1].cpu(), _batch(sampler, experts, 0, 4096, 126)[0])
    model.to(where)
    # Crops of a batch have one length, so there is no padding and no mask to honour.
    use_attention(model, PLAIN if where.type == "cpu" else "sdpa")

    def pooled(ids: Tensor, folds_of: Tensor) -> Tensor:
        words = embed(model, room, tables, ids.to(where), folds_of.to(where))
        with torch.autocast(where.type, torch.bfloat16, enabled=where.type != "mps"):
            return model.bert(inputs_embeds=words).pooler_output.float()  # type: ignore[no-any-return]

    def target_of(truth: Tensor, taught: Tensor) -> Tensor:
        return (trust * taught + (1 - trust) * functional.one_hot(truth, len(names))).to(where)

    checkpoint = state / "last.pt"
    if not checkpoint.exists():
        batches = [_batch(sampler, experts, i, 4096, length) for i, length in enumerate((126, 254, 508) * 3)]
        with torch.no_grad():
            features = torch.cat([pooled(ids, folds_of) for ids, folds_of, _, _ in batches])
        with torch.enable_grad():
            probe(model, room, features.cpu(), torch.cat([target_of(*batch[2:]).cpu() for batch in batches]))
        _report("probe", model, dev, len(names), where)
    optimiser = torch.optim.AdamW(_groups(model, frozen, learning_rate, head_learning_rate), betas=(0.9, 0.98))
    mean = {key: value.detach().clone() for key, value in model.state_dict().items()}
    step, seen, spent, running = 0, 0, 0.0, math.nan
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=where, weights_only=False)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        sampler.rng.bit_generator.state = saved["rng"]
        mean, step, seen, spent = saved["mean"], saved["step"], saved["seen"], saved["spent"]
    begun = time.monotonic() - spent

    while step < steps and (minutes is None or time.monotonic() - begun < 60 * minutes):
        length = int(sampler.rng.choice(lengths))
        ids, folds_of, truth, taught = _batch(sampler, experts, step, batch_tokens, length)
        done = step / steps if minutes is None else min(1.0, (time.monotonic() - begun) / (60 * minutes))
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * min(1.0, (step + 1) / 30) * 0.5 * (1 + math.cos(math.pi * done))
        model.train()
        loss = functional.cross_entropy(model.classifier(pooled(ids, folds_of)), target_of(truth, taught))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step, seen = step + 1, seen + ids.numel()
        now = float(loss.detach())
        running = now if math.isnan(running) else 0.98 * running + 0.02 * now
        # Early on the mean forgets faster, or it would remember the start for hundreds of steps.
        for key, value in model.state_dict().items():
            mean[key].lerp_(value, 1 - min(average, step / (step + 10)))
        if step % 20 == 0:
            rate = seen / (time.monotonic() - begun)
            print(f"step {step}/{steps} loss {running:.4f} {rate:.0f} tokens/s", flush=True)
        if step % checkpoint_every == 0 or step == stop_after:
            saved = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "mean": mean, "step": step}
            saved |= {"rng": sampler.rng.bit_generator.state, "seen": seen, "spent": time.monotonic() - begun}
            torch.save(saved, state / "next.pt")
            (state / "next.pt").replace(checkpoint)
        if step == stop_after:
            return
    model.load_state_dict(mean)
    options = {"steps": step, "tokens": seen, "batch_tokens": batch_tokens, "lengths": list(lengths), "seed": seed}
    options |= {"learning_rate": learning_rate, "head_learning_rate": head_learning_rate, "frozen": frozen}
    options |= {"trust": trust, "folds": folds, "expert_crops": expert_crops, "average": average}
    _finish(model, works, names, out, where, test_crops, options)


def pick_device(name: str) -> torch.device:
    """Return the device of that name; "auto" is CUDA, then MPS, then the CPU."""
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")


def _experts(path: Path, training: list[Work], base: Path, folds: int, crops: int, seed: int, authors: int) -> Experts:
    """Return the linear experts, learned once and kept beside the checkpoints."""
    if path.exists():
        kept: Experts = torch.load(path, weights_only=False)
        return kept
    vocabulary = json.loads((base / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    experts = learn_experts(Sampler(training, authors, seed), vocabulary, folds, crops)
    torch.save(experts, path)
    return experts


def _batch(sampler: Sampler, experts: Experts, step: int, tokens: int, length: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return ids [B, T], folds [B], authors [B] and the teacher's probabilities [B, C], authors in turn."""
    size = max(2, tokens // (length + 2))
    authors = [(step * size + row) % len(sampler.works) for row in range(size)]
    crops = [sampler.crop(author, length) for author in authors]
    # A work shorter than the crop is repeated to its length, so that the batch stays one rectangle.
    ids = np.stack([np.concatenate([[0], np.resize(sampler.disguised(crop), length), [2]]) for crop in crops])
    folds = [int(crop.work.fold[crop.start]) for crop in crops]
    taught = experts.probabilities([crop.masked() for crop in crops], folds, length)
    return torch.from_numpy(ids), torch.tensor(folds), torch.tensor(authors), torch.from_numpy(taught)


def _groups(model: Any, frozen: int, learning_rate: float, head: float) -> list[dict[str, Any]]:
    """Return optimiser groups: the embeddings and lowest layers frozen, a faster head, no decay of norms and biases."""
    for part in (model.bert.embeddings, *model.bert.encoder.layer[:frozen]):
        part.requires_grad_(False)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            rate = head if "classifier" in name or "pooler" in name else learning_rate
            groups.setdefault((rate, 0.01 if parameter.ndim > 1 else 0.0), []).append(parameter)
    return [
        {"params": chosen, "peak": rate, "lr": rate, "weight_decay": decay}
        for (rate, decay), chosen in groups.items()
    ]  # fmt: skip


def _report(title: str, model: Any, works: list[Work], authors: int, device: torch.device) -> None:
    """Print top-1, top-3 and ECE on a few crops of works."""
    for length, (logits, truth) in measure(model, works, authors, dict(zip(LENGTHS, (20, 10, 5), strict=True)), device).items():
        found = figures(logits, truth)
        print(f"dev {title} {length}: top1 {found['top1']} top3 {found['top3']} ece {found['ece']}", flush=True)


def _finish(
    model: Any,
    works: list[Work],
    names: list[str],
    out: Path,
    device: torch.device,
    crops: int,
    options: dict[str, Any],
) -> None:
    """Fold the temperature in, write fp16 weights in shards under 20 MB, and measure on the test works.

    The written directory is loaded again for the measurement, so that figures.json tells of the files that ship.
    """
    sides = {role: [work for work in works if work.role == role] for role in ("train", "dev", "test")}
    few = dict.fromkeys(LENGTHS, max(1, crops // 2))
    temperature = best_temperature(list(measure(model, sides["dev"], len(names), few, device).values()))
    fold_temperature(model.classifier, temperature)
    use_attention(model, "sdpa")
    model.half().save_pretrained(out, max_shard_size="18MB")
    for path in out.glob("*.safetensors"):
        path.chmod(0o644)
    written: Any = AutoModelForSequenceClassification.from_pretrained(out, dtype=torch.float32).to(device)
    lengths = {
        str(length): figures(logits, truth)
        for length, (logits, truth) in measure(written, sides["test"], len(names), dict.fromkeys(LENGTHS, crops), device).items()
    }
    for length, found in lengths.items():
        print(f"test {length}: top1 {found['top1']} top3 {found['top3']} ece {found['ece']}", flush=True)
    split = {role: [f"{names[work.author]}: {work.title}" for work in group] for role, group in sides.items()}
    result = {
        "labels": names,
        "temperature": round(temperature, 4),
        "lengths": lengths,
        "options": options,
        "split": split,
    }
    (out / "figures.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
