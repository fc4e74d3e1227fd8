"""Where in a model its numbers stop being finite, in words for a message."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor


def nonfinite_in(tensor: Tensor) -> str | None:
    """Return "NaN" or "infinity" where a tensor holds it, NaN before infinity; None where all its numbers are finite."""
    if bool(tensor.isfinite().all()):
        return None
    return "NaN" if bool(tensor.isnan().any()) else "infinity"


@torch.no_grad()
def first_nonfinite_layer(model: Any, batches: Iterable[Mapping[str, Tensor]], dtype: torch.dtype) -> str:
    """Return, in words, the first layer whose output is not finite, and advice.

    batches: the model's inputs, one passage or window after another.
    """
    for inputs in batches:
        states = getattr(model(**inputs, output_hidden_states=True), "hidden_states", None) or ()
        for number, state in enumerate(states):
            if value := nonfinite_in(state):
                layer = f"layer {number} of {len(states) - 1}" if number else "the embeddings"
                return f"{value} begins in {layer}. {_advice(dtype, layer)}"
    return f"all layers are sound, so it begins in the classifying head. {_advice(dtype, 'that head')}"


def _advice(dtype: torch.dtype, layer: str) -> str:
    if dtype == torch.float16:
        return "float16 holds nothing above 65504: set dtype to bfloat16 or float32"
    return f"Look at the weights of {layer}: training that diverged, or a damaged file, leaves such numbers"
