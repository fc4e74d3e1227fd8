"""How much each attention head adds to the score of a class, to the first order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from gallery.attention.capture import implementation
from gallery.model.classifier import Classifier, versions
from gallery.model.tokenized import Tokenized
from gallery.store.records import Heads


def head_effects(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]]) -> list[Heads]:
    """Return, for each passage, the derivative of the targets' logits with respect to a gate on each head's output.

    With the gate at 1 that is the change of the logit if the head were switched off, to the first order and with the sign turned:
    the head importance of Michel et al. 2019 (arXiv:1905.10650), kept with its sign. Effects are empty where the architecture
    does not take its attention from transformers' interface. Cost: one forward pass, and one backward pass per target.
    """
    card = classifier.card
    gates = torch.ones(card.layers, len(batch), card.heads, device=classifier.device, dtype=classifier.dtype, requires_grad=True)
    layer = 0

    def gated(module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **rest: Any) -> Any:
        nonlocal layer
        output, weights = sdpa_attention_forward(module, query, key, value, attention_mask, **rest)  # [B, T, H, d]
        output = output * gates[layer, :, None, :, None]
        layer += 1
        return output, weights

    AttentionInterface.register("gallery-heads", gated)
    AttentionMaskInterface.register("gallery-heads", sdpa_mask)
    found: list[list[Tensor]] = [[] for _ in batch]
    with torch.enable_grad(), implementation(classifier.model, "gallery-heads"):
        logits = classifier.model(**classifier.batch([tokenized.ids for tokenized in batch])).logits.float()
        if layer == card.layers:
            most = max(len(wanted) for wanted in targets)
            for slot in range(most):
                chosen = [(row, wanted[slot]) for row, wanted in enumerate(targets) if slot < len(wanted)]
                total = torch.stack([logits[row, target] for row, target in chosen]).sum()
                (gradient,) = torch.autograd.grad(total, gates, retain_graph=slot + 1 < most)
                for row, _ in chosen:
                    found[row].append(gradient[:, row].float().cpu())
    none = np.zeros((0, 0, 0), np.float32)
    return [Heads(tuple(wanted), torch.stack(own).numpy() if own else none, versions()) for wanted, own in zip(targets, found, strict=True)]
