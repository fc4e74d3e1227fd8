"""Joins a trained classifier with the evidence of an additive model, and fits the few numbers that weigh the two."""

from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor

from gallery.training.room import Room


def weigh(model: Any, room: Room, pooled: Tensor, truth: Tensor, fresh: list[int]) -> dict[str, float]:
    """Set the classifier to trunk * its own logits + evidence * the evidence + new for classes that the trunk lacks.

    pooled [N, H] and truth [N] are of works that neither has seen; fresh are the classes without a row of their own.
    Returns the three factors, fitted by L-BFGS to the least cross-entropy. With so few there is no temperature left to
    choose: their common size is the temperature.
    """
    own, bias = model.classifier.weight.detach(), model.classifier.bias.detach()
    said = functional.log_softmax(functional.linear(pooled, own, bias), -1)
    evidence = pooled[:, room.evidence]
    unknown = torch.zeros(len(bias))
    unknown[fresh] = 1
    factors = torch.tensor([0.3, 1.0, 0.0], requires_grad=True)
    optimiser = torch.optim.LBFGS([factors], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = functional.cross_entropy(factors[0] * said + factors[1] * evidence + factors[2] * unknown, truth)
        loss.backward()
        return loss

    optimiser.step(closure)
    trunk, new_evidence, new = factors.detach().tolist()
    with torch.no_grad():
        model.classifier.weight.copy_(own * trunk)
        model.classifier.weight[range(len(bias)), room.evidence] += new_evidence
        model.classifier.bias.copy_(bias * trunk + new * unknown)
    return {"trunk": round(trunk, 4), "evidence": round(new_evidence, 4), "new": round(new, 4)}


def teach_mask(model: Any, room: Room, mask: int, passages: Tensor, truth: Tensor, *, steps: int = 20, learning_rate: float = 0.03) -> None:
    """Learn the word embedding of the mask token: a passage of masks alone should speak for no author.

    passages [N, T] hold the mask token in place of some or all words; truth [N, C] is the distribution each should
    get, the classes' shares where nothing is left. Nothing but that one row is trained, outside the room.
    """
    words = model.bert.embeddings.word_embeddings.weight
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    row = words[mask].clone().requires_grad_(True)
    free = torch.ones_like(row)
    free[room.all()] = 0
    optimiser = torch.optim.Adam([row], lr=learning_rate)
    size = max(1, len(passages) // max(1, steps // 4))
    for step in range(steps):
        some = torch.arange(step * size, (step + 1) * size) % len(passages)
        states = torch.where((passages[some] == mask)[..., None], row * free + words[mask] * (1 - free), words[passages[some]])
        loss = functional.cross_entropy(model(inputs_embeds=states).logits, truth[some])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        print(f"mask: step {step + 1}/{steps}, loss {float(loss.detach()):.3f}", flush=True)
    with torch.no_grad():
        words[mask] = row * free + words[mask] * (1 - free)
