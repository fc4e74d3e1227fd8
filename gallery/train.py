"""Fine-tunes the demo classifier: which of the authors wrote this passage of Russian prose."""

import json
import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AttentionInterface, AutoModelForSequenceClassification

from gallery import evaluation
from gallery.corpus import AUTHORS, Work, read_corpus
from gallery.evidence import Expert, decide, fit, piece_table

#: What the edition decides and not the author, as (pattern, replacement) in the tokenizer's own normaliser.
#: Every replacement is at most one character longer than what it replaces, which keeps offsets exact.
TYPOGRAPHY = [
    ("[\u00ad\u200b\u200c\u200d\ufeff\u0300\u0301\u0308*_]", ""),
    ("ё", "е"),
    ("Ё", "Е"),
    ("[«»„“”‟″]", '"'),
    ("[‘’‚‛′`´]", "'"),
    ("…", "..."),
    (r"\.{4,}", "..."),
    (r"\s+", " "),
    ("[–―−‒]|--+|(?<![^ ])-(?![^ ])", "—"),
    (" {2,}", " "),
]
UNK, START, END = 3, 0, 2
LENGTHS = (64, 96, 128, 192, 256, 384, 508)


def normalise_typography(source: Path, target: Path) -> None:
    """Write tokenizer.json with TYPOGRAPHY before the tokenizer's own normaliser."""
    data = json.loads(source.read_text(encoding="utf-8"))
    own = data["normalizer"]
    steps = [{"type": "NFC"}]
    steps += [{"type": "Replace", "pattern": {"Regex": p}, "content": c} for p, c in TYPOGRAPHY]  # type: ignore[dict-item]
    steps += own["normalizers"] if own and own["type"] == "Sequence" else [own] if own else []
    data["normalizer"] = {"type": "Sequence", "normalizers": steps}
    target.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


class Sampler:
    """Draws crops: authors in turn, works by length^0.35, any word may begin a crop."""

    def __init__(self, works: list[Work], authors: int, seed: int, power: float = 0.35) -> None:
        self.rng = np.random.default_rng(seed)
        self.works = [[work for work in works if work.author == author] for author in range(authors)]
        self.weights = []
        for group in self.works:
            size = np.array([float(len(work.ids)) ** power for work in group])
            self.weights.append(size / size.sum())
        named = [(work.ids[work.name], np.isin(np.flatnonzero(work.name), work.starts)) for work in works]
        ids, begins = (np.concatenate(column) for column in zip(*named, strict=True))
        self.names = [ids[~begins], ids[begins]]

    def crop(self, author: int, length: int, fold: int | None = None) -> tuple[Work, int, int]:
        """Return (work, start, end) of a crop of at most length tokens, outside the fold if one is given."""
        while True:
            work = self.works[author][self.rng.choice(len(self.works[author]), p=self.weights[author])]
            fits = work.starts[work.starts <= max(0, len(work.ids) - length)]
            start = int(self.rng.choice(fits)) if len(fits) else 0
            if fold is None or work.fold[start] != fold:
                return work, start, min(start + length, len(work.ids))

    def masked(self, work: Work, start: int, end: int) -> NDArray[np.int64]:
        """Return the crop's ids with every name unknown."""
        return np.where(work.name[start:end], UNK, work.ids[start:end])

    def disguised(self, work: Work, start: int, end: int) -> NDArray[np.int64]:
        """Return the crop's ids with names left, unknown, or put together from pieces of other works' names."""
        choice = self.rng.random()
        if choice < 0.2 or not all(map(len, self.names)):
            return work.ids[start:end]
        if choice < 0.5:
            return self.masked(work, start, end)
        ids = work.ids[start:end].copy()
        begins = np.isin(np.arange(start, end), work.starts)
        for kind in (0, 1):
            at = np.flatnonzero(work.name[start:end] & (begins == kind))
            ids[at] = self.rng.choice(self.names[kind], len(at))
        return ids


@dataclass(frozen=True)
class Experts:
    """Out-of-fold linear models: tables [folds + 1, V, C] (the last has seen all folds), teachers, sharpness."""

    tables: Tensor
    teachers: list[Expert]
    sharpness: tuple[float, float]

    def probabilities(self, crops: list[NDArray[np.int64]], folds: list[int], length: int) -> Tensor:
        """Return what the teacher that has not seen each crop thinks of it, [B, C]."""
        out = np.zeros((len(crops), self.tables.shape[2]), np.float32)
        for fold in set(folds):
            at = [i for i, f in enumerate(folds) if f == fold]
            out[at] = decide(self.teachers[fold], [crops[i] for i in at], self.tables.shape[1])
        slope, offset = self.sharpness
        return (torch.from_numpy(out) * math.exp(slope * math.log(length) + offset)).softmax(-1)


def learn_experts(sampler: Sampler, vocabulary: int, folds: int, crops: int) -> Experts:
    """Fit the linear models for every fold on that many crops an author, and measure how sure they may be."""
    authors = len(sampler.works)
    labels = np.repeat(np.arange(authors), crops)
    tables, teachers, unseen = [], [], []
    for fold in range(folds + 1):
        drawn = [sampler.masked(*sampler.crop(int(a), 256, fold)) for a in labels]
        table = piece_table(fit(drawn, labels, vocabulary, pairs=False), vocabulary)
        common = np.concatenate(drawn)
        tables.append(torch.from_numpy(table / (table[common].std() + 1e-9)))
        if fold < folds:
            teachers.append(fit(drawn, labels, vocabulary, pairs=True))
            unseen.append([(w, s, e) for w, s, e in (sampler.crop(int(a), 508) for a in labels[::4]) if w.fold[s] == fold])
        print(f"experts: fold {fold + 1} of {folds + 1}", flush=True)
    best = []
    for length in (64, 254, 508):
        decisions, truth = [], []
        for fold, spans in enumerate(unseen):
            decisions.append(decide(teachers[fold], [sampler.masked(w, s, min(e, s + length)) for w, s, e in spans], vocabulary))
            truth += [w.author for w, _, _ in spans]
        values, target = torch.from_numpy(np.concatenate(decisions)), torch.tensor(truth)
        grid = np.linspace(-1, 4, 60)
        losses = [float(F.cross_entropy(values * math.exp(g), target)) for g in grid]
        best.append((math.log(length), float(grid[int(np.argmin(losses))])))
        accuracy = float((values.argmax(1) == target).float().mean())
        print(f"experts: out of fold at {length} tokens {accuracy:.3f}, loss {min(losses):.3f}", flush=True)
    slope, offset = np.polyfit(*zip(*best, strict=True), 1)
    return Experts(torch.stack(tables), teachers, (float(slope), float(offset)))


def plain_attention(
    module: nn.Module, q: Tensor, k: Tensor, v: Tensor, attention_mask: Tensor | None, scaling: float | None = None,
    dropout: float = 0.0, **_: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """Return softmax(q k^T) v for crops of equal length; on a CPU its backward pass takes a fifth of sdpa's time."""
    batch, heads, length, size = q.shape
    scores = torch.bmm((q * (scaling or size**-0.5)).flatten(0, 1), k.flatten(0, 1).transpose(1, 2))
    mixed = torch.bmm(scores.softmax(-1, dtype=scores.dtype), v.flatten(0, 1))
    return mixed.view(batch, heads, length, size).transpose(1, 2).contiguous(), None


AttentionInterface.register("gallery_plain", plain_attention)


def begin(base: Path, names: list[str], table: Tensor, crops: Tensor) -> tuple[Any, list[int]]:
    """Return the base model with room for the evidence and a mean-pooled start, and the room's dimensions.

    One dimension per author, those with the smallest LayerNorm gains, carries the table [V, C] of what each piece
    says through all layers undisturbed: nothing reads or writes it until training finds a use. The last layer
    starts as the mean over the passage (the base was trained with mean pooling). crops [N, T] set the scales.
    """
    labels = dict(enumerate(names))
    model: Any = AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=len(names), id2label=labels, label2id={n: i for i, n in labels.items()}, dtype=torch.float32,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    bert, size = model.bert, model.config.hidden_size
    norms = [m for m in bert.modules() if isinstance(m, nn.LayerNorm)]
    gains = torch.stack([norm.weight.abs() for norm in norms]).mean(0)
    room = sorted(gains.argsort()[: len(names)].tolist())
    last = bert.encoder.layer[-1]
    with torch.no_grad():
        for layer in bert.encoder.layer:
            own = layer.attention.self
            for linear in (own.query, own.key, own.value, layer.intermediate.dense):
                linear.weight[:, room] = 0
            for linear in (layer.attention.output.dense, layer.output.dense):
                linear.weight[room] = 0
                linear.bias[room] = 0
        embeddings = bert.embeddings
        embeddings.position_embeddings.weight[:, room] = 0
        embeddings.token_type_embeddings.weight[:, room] = 0
        embeddings.word_embeddings.weight[:, room] = table
        for linear in (last.attention.self.query, last.output.dense):
            linear.weight.zero_()
            linear.bias.zero_()
        for linear in (last.attention.self.value, last.attention.output.dense):
            linear.weight.copy_(torch.eye(size))
            linear.bias.zero_()
        # Evidence averages out over a passage; enlarged, it still reaches the classifier beside the other features.
        last.attention.output.dense.weight[room, room] = 8.0
        model.bert.pooler.dense.weight.copy_(torch.eye(size) * 0.25)
        model.bert.pooler.dense.bias.zero_()

        def keep_scale(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            # Each LayerNorm divides by the spread of the token; the gain gives the evidence its scale back.
            norm.weight[room] = inputs[0].std(-1).mean()
            norm.bias[room] = 0

        def centre(linear: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            # What all passages have in common says nothing about the author and would fill the LayerNorm.
            linear.bias.copy_(-linear.weight.diag() * inputs[0].mean((0, 1)))

        hooks = [norm.register_forward_pre_hook(keep_scale) for norm in norms]
        hooks.append(last.attention.output.dense.register_forward_pre_hook(centre))
        model.eval()(crops)
        for hook in hooks:
            hook.remove()
    return model, room


def embed(model: Any, room: list[int], tables: Tensor, ids: Tensor, folds: Tensor) -> Tensor:
    """Return word embeddings [B, T, H] whose evidence comes from each crop's own fold."""
    words: Tensor = model.bert.embeddings.word_embeddings(ids).clone()
    words[..., room] = tables[folds[:, None], ids]
    return words


def probe(model: Any, room: list[int], features: Tensor, target: Tensor, decay: float) -> None:
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
        loss = F.cross_entropy(evidence @ weight + bias, target) + decay * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[arg-type]
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.weight[:, room] = weight.T
        model.classifier.bias.copy_(bias)


def draw_batch(sampler: Sampler, experts: Experts, step: int, tokens: int, lengths: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return ids [B, T], folds [B], authors [B] and the teacher's probabilities [B, C] for one step."""
    rng = sampler.rng
    length = int(rng.choice(lengths))
    authors = [(step * 7 + i) % len(sampler.works) for i in range(max(2, tokens // (length + 2)))]
    rows, known, folds = [], [], []
    for author in authors:
        work, start, end = sampler.crop(author, length)
        row, mask = sampler.disguised(work, start, end), sampler.masked(work, start, end)
        rows.append(np.concatenate([[START], np.resize(row, length), [END]]))
        known.append(mask)
        folds.append(int(work.fold[start]))
    target = experts.probabilities(known, folds, length)
    return torch.from_numpy(np.stack(rows)), torch.tensor(folds), torch.tensor(authors), target


def train(
    base: Path,
    corpus: Path,
    out: Path,
    *,
    table: Path | None = None,
    authors: dict[str, str] | None = None,
    steps: int = 1200,
    minutes: float | None = None,
    frozen: int = 6,
    batch_tokens: int = 4096,
    lengths: tuple[int, ...] = LENGTHS,
    learning_rate: float = 1e-4,
    head_learning_rate: float = 1e-3,
    trust: float = 0.6,
    folds: int = 4,
    expert_crops: int = 3000,
    probe_crops: int = 80,
    average: float = 0.995,
    test_crops: int = 200,
    checkpoint_every: int = 100,
    seed: int = 0,
    device: str = "auto",
    stop_after: int | None = None,
) -> None:
    """Fine-tune base into an author classifier on corpus and write it, with its figures, to out."""
    torch.manual_seed(seed)
    where = pick_device(device)
    authors = AUTHORS if authors is None else authors
    names = list(authors.values())
    state_dir = out / "checkpoint"
    state_dir.mkdir(parents=True, exist_ok=True)
    normalise_typography(base / "tokenizer.json", out / "tokenizer.json")
    shutil.copyfile(base / "tokenizer_config.json", out / "tokenizer_config.json")
    works = load_works(corpus, table, Tokenizer.from_file(str(out / "tokenizer.json")), authors, folds)
    training = [work for work in works if work.role == "train"]
    dev = [work for work in works if work.role == "dev"]
    vocabulary = json.loads((base / "config.json").read_text())["vocab_size"]
    sampler = Sampler(training, len(authors), seed)

    if (state_dir / "experts.pt").exists():
        experts = torch.load(state_dir / "experts.pt", weights_only=False)
    else:
        experts = learn_experts(sampler, vocabulary, folds, expert_crops)
        torch.save(experts, state_dir / "experts.pt")
    sampler = Sampler(training, len(authors), seed + 1)
    ids, *_ = draw_batch(sampler, experts, 0, 4096, (126,))
    model, room = begin(base, names, experts.tables[-1], ids)
    model.to(where)
    model.config._attn_implementation = "gallery_plain" if where.type == "cpu" else "sdpa"
    tables = experts.tables.to(where)

    def pooled(batch: tuple[Tensor, ...]) -> Tensor:
        embedded = embed(model, room, tables, batch[0].to(where), batch[1].to(where))
        with torch.autocast(where.type, torch.bfloat16, enabled=where.type != "mps"):
            return model.bert(inputs_embeds=embedded).pooler_output

    def target_of(batch: tuple[Tensor, ...]) -> Tensor:
        return trust * batch[3] + (1 - trust) * F.one_hot(batch[2], len(names)).float()

    checkpoint = state_dir / "last.pt"
    print(f"start: {len(training)} works, room {room}", flush=True)
    if not checkpoint.exists():
        with torch.no_grad():
            batches = [draw_batch(sampler, experts, 0, 4096, (n,)) for n in (126, 254, 508) for _ in range(probe_crops // 8)]
            features = torch.cat([pooled(batch).float() for batch in batches])
        probe(model, room, features.cpu(), torch.cat([target_of(batch) for batch in batches]), 1e-6)
        report("probe", model, dev, len(names), where)
    groups = parameter_groups(model, frozen, learning_rate, head_learning_rate)
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01, betas=(0.9, 0.98))
    mean = {key: value.detach().clone() for key, value in model.state_dict().items()}
    step, spent = 0, 0.0
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=where, weights_only=False)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        mean, step, spent = saved["mean"], saved["step"], saved["spent"]
        sampler.rng.bit_generator.state = saved["rng"]
    seen, running = 0, 0.0
    begun = time.monotonic() - spent
    while step < steps and (minutes is None or time.monotonic() - begun < 60 * minutes):
        batch = draw_batch(sampler, experts, step, batch_tokens, lengths)
        done = step / steps if minutes is None else min(1.0, (time.monotonic() - begun) / (60 * minutes))
        share = min(1.0, (step + 1) / 30) * 0.5 * (1 + math.cos(math.pi * done))
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * share
        model.train()
        logits = model.classifier(pooled(batch).float())
        loss = F.cross_entropy(logits, target_of(batch).to(where))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        with torch.no_grad():
            keep = min(average, step / (step + 10))
            for key, value in model.state_dict().items():
                mean[key].lerp_(value, 1 - keep)
        seen += batch[0].numel()
        running += 0.02 * (float(loss) - running) if running else float(loss)
        if step % 20 == 0:
            print(f"step {step}/{steps} loss {running:.4f} {seen / (time.monotonic() - begun):.0f} tokens/s", flush=True)
        if step % checkpoint_every == 0 or step == stop_after:
            torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "mean": mean, "step": step, "spent": time.monotonic() - begun,
                        "rng": sampler.rng.bit_generator.state}, state_dir / "next.pt")  # fmt: skip
            (state_dir / "next.pt").replace(checkpoint)
        if step % checkpoint_every == 0 and step < steps:
            own = {key: value.clone() for key, value in model.state_dict().items()}
            model.load_state_dict(mean)
            report(f"step {step} mean", model, dev, len(names), where)
            model.load_state_dict(own)
        if step == stop_after:
            return
    model.load_state_dict(mean)
    finish(model, works, names, out, where, test_crops, {"steps": steps})


def load_works(corpus: Path, table: Path | None, tokenizer: Tokenizer, authors: dict[str, str], folds: int) -> list[Work]:
    return read_corpus(corpus, table, tokenizer, authors, folds)


def parameter_groups(model: Any, frozen: int, learning_rate: float, head: float) -> list[dict[str, Any]]:
    """Return optimiser groups; embeddings and the lowest layers stay as they are, the head learns faster, norms and biases do not decay."""
    for part in [model.bert.embeddings, *model.bert.encoder.layer[:frozen]]:
        part.requires_grad_(False)
    groups = []
    for decay in (True, False):
        for fast in (True, False):
            chosen = [
                p for n, p in model.named_parameters()
                if p.requires_grad and (p.ndim > 1) == decay and (("classifier" in n or "pooler" in n) == fast)
            ]  # fmt: skip
            rate = head if fast else learning_rate
            groups.append({"params": chosen, "peak": rate, "lr": rate} | ({} if decay else {"weight_decay": 0.0}))
    return groups


def report(title: str, model: Any, works: list[Work], authors: int, device: torch.device) -> None:
    """Print top-1, top-3 and ECE on a few crops of works."""
    line = []
    for length, crops_each in ((62, 30), (254, 20), (508, 10)):
        crops = evaluation.fixed_crops(works, authors, crops_each, length)
        numbers = evaluation.figures(evaluation.logits_of(model, crops, device), torch.tensor([w.author for w, _, _ in crops]))
        line.append(f"{length + 2}: {numbers['top1']:.3f} {numbers['top3']:.3f} ece {numbers['ece']:.3f}")
    print(f"dev {title}  " + "  ".join(line), flush=True)


def finish(model: Any, works: list[Work], names: list[str], out: Path, device: torch.device, test_crops: int, options: dict[str, Any]) -> None:
    """Fold the temperature in, write fp16 weights in shards under 20 MB, and measure on the test works.

    The written directory is loaded again for the measurement, so that figures.json tells of the files that ship.
    """
    dev = [work for work in works if work.role == "dev"]
    logits, truth = [], []
    for length in (62, 254, 508):
        crops = evaluation.fixed_crops(dev, len(names), max(1, test_crops // 5), length)
        logits.append(evaluation.logits_of(model, crops, device))
        truth.append(torch.tensor([work.author for work, _, _ in crops]))
    temperature = evaluation.best_temperature(logits, truth)
    evaluation.fold_temperature(model.classifier, temperature)
    model.config._attn_implementation = "sdpa"
    model.half().save_pretrained(out, max_shard_size="18MB")
    for path in out.glob("*.safetensors"):
        path.chmod(0o644)
    written: Any = AutoModelForSequenceClassification.from_pretrained(out, dtype=torch.float32).to(device)
    test = [work for work in works if work.role == "test"]
    lengths: dict[str, Any] = {}
    for length in (64, 256, 510):
        crops = evaluation.fixed_crops(test, len(names), test_crops, length - 2)
        truth_here = torch.tensor([work.author for work, _, _ in crops])
        lengths[str(length)] = evaluation.figures(evaluation.logits_of(written, crops, device), truth_here)
        print(f"test {length}: " + json.dumps({k: v for k, v in lengths[str(length)].items() if k != "confusion"}), flush=True)
    split = {role: [f"{names[w.author]}: {w.title}" for w in works if w.role == role] for role in ("train", "dev", "test")}
    result = {"labels": names, "temperature": round(temperature, 4), "lengths": lengths, "options": options, "split": split}
    (out / "figures.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def pick_device(name: str) -> torch.device:
    """Return the device of that name; "auto" is CUDA, then MPS, then the CPU."""
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")
