"""How much each attention head adds to the score of a class, to the first order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gallery.compat.transformers import attention_by, register_attention, sdpa_attention, sdpa_mask
from gallery.model.classifier import Classifier, versions
from gallery.model.tokenized import Tokenized
from gallery.store.records import Heads


def head_effects(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]]) -> list[Heads]:
    """Return, for each passage, the derivative of the targets' logits with respect to a gate on each head's output.

    At gate 1, the derivative is the fall of the logit if the head were switched off, to the first order: the head importance
    of Michel et al. 2019 (arXiv:1905.10650), with its sign. Effects are empty where the architecture does not use
    transformers' attention interface. Cost: one forward pass, and one backward pass per target.
    """
    try:
        effects = _effects(classifier, batch, targets)
    except (ArithmeticError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception:  # whatever an architecture raises that computes its attention otherwise
        effects = [[] for _ in batch]
    none = np.zeros((0, 0, 0), np.float32)
    return [Heads(tuple(own_targets), torch.stack(own).numpy() if own else none, versions()) for own_targets, own in zip(targets, effects, strict=True)]


def _effects(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]]) -> list[list[Tensor]]:
    """Return, for each passage, the effects [layers, heads] for each target; none where not every layer calls the interface once."""
    card = classifier.card
    gates = torch.ones(card.layers, len(batch), card.heads, device=classifier.device, dtype=classifier.dtype, requires_grad=True)
    layer = 0

    def gated(module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **rest: Any) -> Any:
        nonlocal layer
        output, weights = sdpa_attention(module, query, key, value, attention_mask, **rest)  # [B, T, H, d]
        output = output * gates[layer, :, None, :, None]
        layer += 1
        return output, weights

    register_attention("gallery-heads", gated, sdpa_mask)
    effects: list[list[Tensor]] = [[] for _ in batch]
    with torch.enable_grad(), attention_by(classifier.model, "gallery-heads"):
        logits = classifier.model(**classifier.batch([tokenized.ids for tokenized in batch])).logits.float()
        if layer == card.layers:
            most = max(len(own_targets) for own_targets in targets)
            for slot in range(most):
                chosen = [(row, own_targets[slot]) for row, own_targets in enumerate(targets) if slot < len(own_targets)]
                total = torch.stack([logits[row, target] for row, target in chosen]).sum()
                (gradient,) = torch.autograd.grad(total, gates, retain_graph=slot + 1 < most)
                for row, _ in chosen:
                    effects[row].append(gradient[:, row].float().cpu())
    return effects
