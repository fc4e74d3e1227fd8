"""How good a classifier is on works it has not seen: figures for any matrix of logits."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gallery.corpus import Work


def fixed_crops(works: list[Work], authors: int, per_author: int, length: int, seed: int = 0) -> list[tuple[Work, int, int]]:
    """Return crops of length tokens, per_author each, drawn over all text of that author's works; (work, start, end)."""
    rng = np.random.default_rng([seed, length])
    crops = []
    for author in range(authors):
        group = [work for work in works if work.author == author]
        size = np.array([float(len(work.ids)) for work in group])
        for _ in range(per_author):
            work = group[rng.choice(len(group), p=size / size.sum())]
            fits = work.starts[work.starts <= max(0, len(work.ids) - length)]
            start = int(rng.choice(fits)) if len(fits) else 0
            crops.append((work, start, min(start + length, len(work.ids))))
    return crops


def logits_of(model: Any, crops: list[tuple[Work, int, int]], device: torch.device, batch_tokens: int = 8192) -> Tensor:
    """Return the model's logits [N, C] for crops, `<s>` and `</s>` around them."""
    out = torch.zeros(len(crops), model.config.num_labels)
    lengths = [end - start for _, start, end in crops]
    model.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=device.type != "mps"):
        for length in sorted(set(lengths)):
            rows = [i for i, n in enumerate(lengths) if n == length]
            step = max(1, batch_tokens // length)
            for at in range(0, len(rows), step):
                some = rows[at : at + step]
                ids = np.stack([np.concatenate([[0], crops[i][0].ids[crops[i][1] : crops[i][2]], [2]]) for i in some])
                out[some] = model(torch.from_numpy(ids).to(device)).logits.float().cpu()
    return out


def figures(logits: Tensor, truth: Tensor, bins: int = 15) -> dict[str, Any]:
    """Return top-1, top-3, macro F1, expected calibration error (equal-width bins) and the confusion matrix.

    logits [N, C]; truth [N]. confusion[i][j] counts crops of author i given to author j. ECE as in Guo et al. 2017
    (arXiv:1706.04599).
    """
    classes = logits.shape[1]
    probability, guess = logits.softmax(-1).max(-1)
    right = guess == truth
    confusion = torch.bincount(truth * classes + guess, minlength=classes * classes).view(classes, classes)
    hits = confusion.diag().float()
    f1 = 2 * hits / (confusion.sum(0) + confusion.sum(1)).clamp(min=1)
    place = (probability * bins).long().clamp(max=bins - 1)
    error = sum(
        float((right[place == b].float().mean() - probability[place == b].mean()).abs() * (place == b).float().mean())
        for b in range(bins)
        if bool((place == b).any())
    )
    return {
        "crops": len(truth),
        "top1": round(float(right.float().mean()), 4),
        "top3": round(float((logits.topk(min(3, classes)).indices == truth[:, None]).any(-1).float().mean()), 4),
        "macro_f1": round(float(f1.mean()), 4),
        "ece": round(error, 4),
        "confusion": confusion.tolist(),
    }


def best_temperature(logits: list[Tensor], truth: list[Tensor]) -> float:
    """Return the temperature with the least cross-entropy, each tensor in the lists counting alike."""
    grid = np.geomspace(0.2, 5, 200)
    losses: list[float] = [
        sum(float(torch.nn.functional.cross_entropy(x / t, y)) for x, y in zip(logits, truth, strict=True)) for t in grid
    ]
    return float(grid[int(np.argmin(losses))])


def fold_temperature(classifier: torch.nn.Linear, temperature: float) -> None:
    """Divide the classifier's weights by the temperature: the same answers, with honest probabilities."""
    with torch.no_grad():
        classifier.weight.div_(temperature)
        classifier.bias.div_(temperature)


