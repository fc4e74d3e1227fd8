"""transformers' registries: of attention functions, which the whole process shares, with the function that a model takes from it, and of activations."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from transformers import AttentionInterface, AttentionMaskInterface
from transformers.activations import ACT2CLS
from transformers.integrations.sdpa_attention import sdpa_attention_forward as sdpa_attention
from transformers.masking_utils import sdpa_mask
from transformers.utils import logging

__all__ = ["activation_classes", "attention_by", "attention_of", "be_quiet", "register_attention", "sdpa_attention", "sdpa_mask", "use_attention"]


def register_attention(name: str, attention: Callable[..., Any], mask: Callable[..., Any] | None = None) -> None:
    """Register an attention function, and the function that makes its mask, under a name for `use_attention`.

    attention(module, query, key, value, attention_mask, **rest) -> ([B, T, H, d], weights or None), for queries [B, H, T, d].
    mask(q_length, kv_length, mask_function, ...) -> the attention_mask that `attention` gets. Without a mask function
    transformers passes no mask, so a model with padding or local layers needs it.
    """
    AttentionInterface.register(name, attention)
    if mask is not None:
        AttentionMaskInterface.register(name, mask)


def attention_of(model: Any) -> str:
    """Return the name of the attention function that a model uses."""
    name: str = model.config._attn_implementation
    return name


def use_attention(model: Any, name: str) -> None:
    """Let a model use an attention function: `eager`, `sdpa`, or a registered name."""
    model.set_attn_implementation(name)


@contextmanager
def attention_by(model: Any, name: str) -> Iterator[None]:
    """Let a model use an attention function inside a `with` block, and its former function afterwards."""
    before = attention_of(model)
    use_attention(model, name)
    try:
        yield
    finally:
        use_attention(model, before)


def activation_classes() -> tuple[type, ...]:
    """Return the classes of transformers' activations, of which some are written out in several functions of torch."""
    classes: set[Any] = {cls[0] if isinstance(cls, tuple) else cls for cls in ACT2CLS.values()}
    return tuple(classes)


def be_quiet() -> None:
    """Silence transformers' warnings and progress bars, for the whole process."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
