"""How good a classifier is on works it has not seen: its logits on crops, and figures from any logits."""

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from gallery.evaluation.calibration import reliability
from gallery.training.corpus import Work
from gallery.training.crops import Crop, fixed_crops

#: Tokens of a measured passage, `<s>` and `</s>` included.
LENGTHS = (64, 256, 510)


def logits_of(model: Any, crops: list[Crop], device: torch.device, batch_tokens: int = 8192) -> Tensor:
    """Return the model's logits [N, C]; crops of one length share a batch, so that nothing is padded."""
    logits = torch.zeros(len(crops), model.config.num_labels)
    lengths = [crop.end - crop.start for crop in crops]
    model.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=device.type != "mps"):
        for length in sorted(set(lengths)):
            same = [row for row, other in enumerate(lengths) if other == length]
            size = max(1, batch_tokens // length)
            for rows in (same[at : at + size] for at in range(0, len(same), size)):
                ids = np.stack([np.concatenate([[0], crops[row].ids(), [2]]) for row in rows])
                logits[rows] = model(torch.from_numpy(ids).to(device)).logits.float().cpu()
    return logits


def measure(model: Any, works: list[Work], authors: int, per_author: dict[int, int], device: torch.device) -> dict[int, tuple[Tensor, Tensor]]:
    """Return (logits [N, C], authors [N]) on fixed crops of works for each passage length in per_author."""
    measured = {}
    for length, crops_each in per_author.items():
        crops = fixed_crops(works, authors, crops_each, length - 2)
        measured[length] = logits_of(model, crops, device), torch.tensor([crop.work.author for crop in crops])
    return measured


def figures(logits: Tensor, truth: Tensor, bins: int = 15) -> dict[str, Any]:
    """Return top-1, top-3, macro F1, expected calibration error (equal-width bins) and the confusion matrix.

    logits [N, C]; truth [N]. confusion[i][j] counts the crops of author i given to author j. ECE as in Guo et al.
    2017 (arXiv:1706.04599). top1_interval and top3_interval are 95 % Wilson intervals, which take the crops for
    independent; crops of one work are not quite. reliability holds ten bins (calibration.reliability). risk_coverage
    is the share of errors among the passages that the model is surest of, by their share of all.
    """
    classes = logits.shape[1]
    probability, guess = logits.softmax(-1).max(-1)
    right = guess == truth
    confusion = torch.bincount(truth * classes + guess, minlength=classes * classes).view(classes, classes)
    f1 = 2 * confusion.diag() / (confusion.sum(0) + confusion.sum(1)).clamp(min=1)
    place = (probability * bins).long().clamp(max=bins - 1)
    filled = [place == number for number in range(bins) if bool((place == number).any())]
    gaps = [(right[some].float().mean() - probability[some].mean()).abs() for some in filled]
    shares = [some.float().mean() for some in filled]
    near = (logits.topk(min(3, classes)).indices == truth[:, None]).any(-1)
    return {
        "crops": len(truth),
        "top1": round(float(right.float().mean()), 4),
        "top1_interval": wilson_interval(int(right.sum()), len(truth)),
        "top3": round(float(near.float().mean()), 4),
        "top3_interval": wilson_interval(int(near.sum()), len(truth)),
        "macro_f1": round(float(f1.mean()), 4),
        "ece": round(sum(float(gap * share) for gap, share in zip(gaps, shares, strict=True)), 4),
        "reliability": reliability(probability.double().numpy(), right.numpy()),
        "risk_coverage": risk_coverage(probability, right),
        "confusion": confusion.tolist(),
    }


def wilson_interval(right: int, of: int, z: float = 1.96) -> list[float]:
    """Return the 95 % interval of a share (Wilson 1927): right of `of` passages."""
    share, spread = right / of, z * z / of
    middle = share + spread / 2
    half = z * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    return [round((middle - half) / (1 + spread), 4), round((middle + half) / (1 + spread), 4)]


def risk_coverage(confidence: Tensor, right: Tensor, points: int = 10) -> list[dict[str, float]]:
    """Return the error rate among the surest passages, at `points` equal steps of coverage; Geifman and El-Yaniv 2017 (arXiv:1705.08500)."""
    wrong = (~right[confidence.argsort(descending=True, stable=True)]).float()
    curve = []
    for point in range(1, points + 1):
        kept = max(1, round(len(wrong) * point / points))
        curve.append({"coverage": round(kept / len(wrong), 4), "risk": round(float(wrong[:kept].mean()), 4)})
    return curve


def best_temperature(measured: list[tuple[Tensor, Tensor]]) -> float:
    """Return the temperature of least cross-entropy over (logits, truth) pairs, each pair counting alike."""
    grid = np.geomspace(0.2, 5, 200)
    losses = [sum(float(functional.cross_entropy(logits / t, truth)) for logits, truth in measured) for t in grid]
    return float(grid[int(np.argmin(losses))])


def fold_temperature(classifier: nn.Linear, temperature: float) -> None:
    """Divide the classifier's weights by the temperature: the same answers, with honest probabilities."""
    with torch.no_grad():
        classifier.weight.div_(temperature)
        classifier.bias.div_(temperature)
