"""Gives a trained classifier more authors, what pairs of pieces say, a mask token, and figures of its calibration.

    python -m gallery.training.enlarge --trunk DIR --corpus DIR --table CSV --out DIR

Every stage leaves its result in DIR/checkpoint; the same command goes on where a killed run was.
"""

import argparse
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from gallery.evaluation import calibration
from gallery.training.additive import Additive, fit_additive, tile
from gallery.training.compose import teach_mask, weigh
from gallery.training.corpus import AUTHORS, Work, read_corpus
from gallery.training.crops import Crop, Sampler, erase_words, fixed_crops
from gallery.training.evaluation import LENGTHS, figures, logits_of
from gallery.training.graft import extend, graft, make_room
from gallery.training.match_crops import match_crops
from gallery.training.pair_units import learn_units
from gallery.training.room import Room, Units
from gallery.training.tune import fit_folds, tune

#: Authors who are no classes: the first choose the score that tells them from the classes, the others measure it.
CHOOSING = {name: name for name in ("Narezhny", "Durova", "Khvoshchinskaya_N", "Bulgakov", "Belyaev")}
MEASURING = {name: name for name in ("Bulgarin", "Kryukov", "Gippius", "Pogorelsky", "Tolstoy_A", "Platonov")}
#: Parts of the training works, each unknown to one of the additive models that the network is tuned beside.
FOLDS = 4
#: Shrinkage of the pooled evidence, in tokens: more than the additive model has, since the network is surer of long passages than of short
#: ones in a way that its trunk does not follow.
LESS_SURE = 500.0
#: Standard deviation of what a pair says beside the trunk's states.
SIZE = 0.2
#: Crops an author that weigh trunk and evidence, and that calibrate, by passage length.
DEV_CROPS = {64: 24, 256: 12, 510: 6}


def enlarge(
    trunk: Path,
    corpus: Path,
    table: Path | None,
    out: Path,
    *,
    authors: dict[str, str] | None = None,
    forget: tuple[str, ...] = ("Салтыков-Щедрин",),
    code: int = 48,
    units: int = 1936,
    unit_steps: int = 1500,
    least: int = 12,
    tune_minutes: float = 36,
    match_steps: int = 2500,
    mask_steps: int = 0,
    dev_crops: dict[int, int] | None = None,
    test_crops: int = 50,
    outside_crops: int = 25,
) -> None:
    """Write the classifier of trunk, enlarged, with figures.json and calibration.json to out.

    trunk is a folder that train() wrote; authors maps folders of corpus to names (default AUTHORS). Classes of the
    trunk keep what it learned of them, except those in forget. The additive model sees `least` crops or more of a pair.
    """
    authors = AUTHORS if authors is None else authors
    names = list(authors.values())
    state = out / "checkpoint"
    state.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(trunk / name, out / name)
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    works: list[Work] = _once(state / "works.pickle", lambda: read_corpus(corpus, table, tokenizer, authors, folds=FOLDS))
    sides = {role: [work for work in works if work.role == role] for role in ("train", "dev", "test")}
    source: Any = AutoModelForSequenceClassification.from_pretrained(trunk, dtype=torch.float32)
    vocabulary, mask = source.config.vocab_size, tokenizer.encode("<mask>", add_special_tokens=False).ids[0]
    tiles = tile(sides["train"], 0)
    additive: Additive = _once(state / "additive.pickle", lambda: fit_additive(tiles, vocabulary, len(names), least=least))
    silent = [0, 1, 2, 3, mask]
    first, scale = learn_units(additive, silent, tiles.ids, state / "units.pt", code=code, units=units, steps=unit_steps)
    found, change = match_crops(first, additive, scale, silent, tiles, state / "matched.pt", steps=match_steps)

    known = list(source.config.id2label.values())
    model = extend(source, names, -(-units // (source.config.num_hidden_layers - 1)), forget)
    room = make_room(model, len(names), code)
    sampler = Sampler(sides["train"], len(names), seed=3)
    scaled = Units(found.codes, found.inner, found.bias, found.out * SIZE)
    evidence = (torch.from_numpy(additive.pieces / scale) + change) * SIZE
    folds: list[Additive] = _once(state / "folds.pickle", lambda: fit_folds(sides["train"], vocabulary, len(names), FOLDS, least))
    tune(model, room, Sampler(sides["train"], len(names), seed=1), folds, mask, state / "tuned.pt", minutes=tune_minutes)
    passages = [_rectangle([sampler.crop(row % len(names), tokens) for row in range(32)]) for tokens in (126, 62, 254, 508)]
    graft(model, room, evidence, scaled, LESS_SURE, passages)
    dev = {length: fixed_crops(sides["dev"], len(names), number, length - 2) for length, number in (dev_crops or DEV_CROPS).items()}
    pooled = {length: measured(_Pooled(model), crops, state / f"dev-pooled-{length}") for length, crops in dev.items()}
    truth = {length: torch.tensor([crop.work.author for crop in crops]) for length, crops in dev.items()}
    factors = weigh(model, room, torch.cat(list(pooled.values())), torch.cat(list(truth.values())), [])
    print(f"weights: {factors}", flush=True)
    for length in dev:
        right = (model.classifier(pooled[length]).argmax(-1) == truth[length]).float().mean()
        print(f"dev {length}: top1 {right:.3f}", flush=True)
    if mask_steps:
        words = model.bert.embeddings.word_embeddings.weight
        words.data[mask] = _once(state / "mask.pickle", lambda: _learned_mask(model, room, mask, sampler, len(names), mask_steps))
    model.half().save_pretrained(out, max_shard_size="18MB")
    for path in out.glob("*.safetensors"):
        path.chmod(0o644)
    options = {"factors": factors, "code": code, "units": units, "unit_steps": unit_steps, "pairs": len(additive.keys), "least": least}
    options |= {"forget": list(forget), "trunk": known}
    outside = {
        "choosing": _once(state / "choosing.pickle", lambda: _outside(corpus, table, tokenizer, CHOOSING)),
        "measuring": _once(state / "measuring.pickle", lambda: _outside(corpus, table, tokenizer, MEASURING)),
    }
    with torch.no_grad():
        logits = {length: model.float().classifier(states).double().numpy() for length, states in pooled.items()}
    _measure_all(out, names, sides, dev, logits, outside, test_crops, outside_crops, options)


def measured(model: Any, crops: list[Crop], path: Path, chunk: int = 60) -> Tensor:
    """Return the model's logits [N, C] on crops, kept in files beside path after every `chunk` of them."""
    parts = []
    for first in range(0, len(crops), chunk):
        part = path.with_name(f"{path.name}-{first}.pt")
        if not part.exists():
            torch.save(logits_of(model, crops[first : first + chunk], torch.device("cpu"), batch_tokens=2048), part)
            print(f"{path.name}: {first + chunk}/{len(crops)}", flush=True)
        parts.append(torch.load(part, weights_only=True))
    return torch.cat(parts)


class _Pooled(torch.nn.Module):
    """The pooled state in the place of the logits."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.bert = model.bert
        self.config = _Size(model.config.hidden_size)

    def forward(self, ids: Tensor) -> Any:
        return _Output(self.bert(ids).pooler_output)


class _Size:
    def __init__(self, size: int) -> None:
        self.num_labels = size


class _Output:
    def __init__(self, logits: Tensor) -> None:
        self.logits = logits


def _once(path: Path, make: Callable[[], Any]) -> Any:
    """Return what the file holds, or make it and keep it there."""
    if not path.exists():
        made = make()
        with path.with_suffix(".next").open("wb") as file:
            pickle.dump(made, file)
        path.with_suffix(".next").replace(path)
    with path.open("rb") as file:
        return pickle.load(file)


def _rectangle(crops: list[Crop], ids: list[Any] | None = None) -> Tensor:
    """Return ids [N, T] with special tokens; short works are repeated to the longest crop's length."""
    ids = [crop.ids() for crop in crops] if ids is None else ids
    length = max(map(len, ids))
    return torch.from_numpy(np.stack([np.concatenate([[0], np.resize(row, length), [2]]) for row in ids])).long()


def _learned_mask(model: Any, room: Room, mask: int, sampler: Sampler, classes: int, steps: int) -> Tensor:
    """Return the embedding of the mask token, learned on crops of which a half or more of the words are erased."""
    crops = [sampler.crop(row % classes, 126) for row in range(4 * classes)]
    shares = sampler.rng.uniform(0.4, 1, len(crops))
    shares[::3] = 1
    passages = _rectangle(crops, [erase_words(crop, crop.ids(), share, mask, sampler.rng) for crop, share in zip(crops, shares, strict=True)])
    left = torch.from_numpy(1 - shares).float()[:, None]
    truth = left * torch.eye(classes)[[crop.work.author for crop in crops]] + (1 - left) / classes
    teach_mask(model, room, mask, passages, truth, steps=steps)
    return model.bert.embeddings.word_embeddings.weight[mask].detach().clone()  # type: ignore[no-any-return]


def _outside(corpus: Path, table: Path | None, tokenizer: Tokenizer, authors: dict[str, str]) -> list[Work]:
    """Return the works of authors who are no classes; none without a table."""
    return read_corpus(corpus, table, tokenizer, authors, folds=1) if table else []


def _measure_all(
    out: Path,
    names: list[str],
    sides: dict[str, list[Work]],
    dev: dict[int, list[Crop]],
    logits: dict[int, calibration.Floats],
    outside: dict[str, list[Work]],
    test_crops: int,
    outside_crops: int,
    options: dict[str, Any],
) -> None:
    """Load the written folder and write calibration.json, of logits [N, C] on dev works, and figures.json, of test works."""
    state = out / "checkpoint"
    written: Any = AutoModelForSequenceClassification.from_pretrained(out, dtype=torch.float32)
    truth = {length: np.array([crop.work.author for crop in crops]) for length, crops in dev.items()}
    others: dict[str, Any] = {}
    for side, works in outside.items():
        authors = len({work.author for work in works})
        for length in LENGTHS if works else ():
            crops = fixed_crops(works, authors, outside_crops if length == 510 else max(1, outside_crops // 2), length - 2)
            others[f"{side}-{length}"] = measured(written, crops, state / f"{side}-{length}").double().numpy()
    longest = max(LENGTHS)
    score = calibration.choose_score(logits[longest], others[f"choosing-{longest}"]) if others else "energy"
    table = calibration.calibrate({length: (logits[length], truth[length]) for length in logits}, score)
    table["works"] = [f"{names[work.author]}: {work.title}" for work in sides["dev"]]
    result: dict[str, Any] = {"labels": names, "temperature": 1.0, "lengths": {}, "options": options}
    result["outside"] = {"score": score, "choosing": list(CHOOSING), "measuring": list(MEASURING), "lengths": {}}
    for length in LENGTHS:
        crops = fixed_crops(sides["test"], len(names), test_crops, length - 2)
        values = measured(written, crops, state / f"test-{length}")
        target = torch.tensor([crop.work.author for crop in crops])
        found = figures(values, target)
        inside = calibration.prediction_set(values.double().softmax(-1).numpy(), table["lengths"][str(length)]["conformal_quantile"])
        found["sets"] = {"coverage": round(float(inside[np.arange(len(target)), target.numpy()].mean()), 4), "size": round(float(inside.sum(1).mean()), 3)}
        result["lengths"][str(length)] = found
        if others:
            known, other = values.double().numpy(), others[f"measuring-{length}"]
            separation = {name: round(calibration.auroc(one(known), one(other)), 4) for name, one in calibration.SCORES.items()}
            result["outside"]["lengths"][str(length)] = {"crops": len(other), "auroc": separation}
        print(f"test {length}: top1 {found['top1']} top3 {found['top3']} ece {found['ece']} sets {found['sets']}", flush=True)
    result["split"] = {role: [f"{names[work.author]}: {work.title}" for work in group] for role, group in sides.items()}
    table["outside"] = result["outside"]["lengths"]
    (out / "calibration.json").write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (out / "figures.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Read the command line and enlarge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--trunk", "--corpus", "--table", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--unit-steps", type=int, default=1500)
    parser.add_argument("--test-crops", type=int, default=50)
    given = parser.parse_args()
    enlarge(given.trunk, given.corpus, given.table, given.out, unit_steps=given.unit_steps, test_crops=given.test_crops)


if __name__ == "__main__":
    main()
