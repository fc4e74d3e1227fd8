"""Where in a model its numbers stop being numbers: what a message needs so that someone can mend it."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor


def unsound(part: Tensor) -> str | None:
    """Return what a tensor holds that is no finite number, in words; None where it holds none."""
    if bool(part.isfinite().all()):
        return None
    return "NaN" if bool(part.isnan().any()) else "infinity"


@torch.no_grad()
def first_unsound_layer(model: Any, rows: Iterable[Mapping[str, Tensor]], dtype: torch.dtype) -> str:
    """Return, in words, which layer is the first whose output is not finite, and what to look at.

    rows: the model's inputs, one passage or window after another.
    """
    for inputs in rows:
        states = getattr(model(**inputs, output_hidden_states=True), "hidden_states", None) or ()
        for number, state in enumerate(states):
            if what := unsound(state):
                where = f"layer {number} of {len(states) - 1}" if number else "the embeddings"
                return f"{what} begins in {where}. {_advice(dtype, where)}"
    return f"all layers are sound, so it begins in the classifying head. {_advice(dtype, 'that head')}"


def _advice(dtype: torch.dtype, where: str) -> str:
    if dtype == torch.float16:
        return "float16 holds nothing above 65504: set dtype to bfloat16 or float32"
    return f"Look at the weights of {where}: a training that diverged, or a damaged file, leaves such"
