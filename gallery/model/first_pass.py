"""What a model's first forward passes show of it: whether it runs at all, changes itself, repeats its numbers, and bears padding.

Tried once for each loaded model, on a text of a few words, so that a model whose numbers would depend on earlier passages is known at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gallery.errors import SourceError, reason
from gallery.model.classifier import Classifier

_TEXTS = ("1 2 3 4 5 6 7", "1 2 3")
_NO_TOKEN = -1
"""Stands for a pad token where the model has none, so that a decoder's head reads the last token, as it does for a single text."""
_SAME = 1e-4
"""Largest difference of logits that counts as rounding, as a share of the largest logit."""


def make_plain(network: Any) -> None:
    """Let a network return named outputs and keep no cache, and read the last token where its config.json names no pad token."""
    config = network.config
    config.return_dict = True
    config.use_cache = False
    if getattr(config, "pad_token_id", None) is None:
        config.get_text_config().pad_token_id = _NO_TOKEN


@torch.no_grad()
def bears_padding(classifier: Classifier, name: str) -> bool:
    """Try a classifier, and return whether a text gives the same logits beside a longer one as alone.

    A network that changes itself in a forward pass, as BigBird does at the first short text, is set back before each further pass.
    Raises SourceError, naming the model, where it does not run, or gives other logits at the second pass.
    """
    rows = [classifier.tokenize(text).ids for text in _TEXTS]
    before = _State.of(classifier.model)
    try:
        (first,) = _logits(classifier, rows[:1])
        if before.is_changed():
            before.restore()
            classifier.model.register_forward_pre_hook(before.set_back)
        (second,) = _logits(classifier, rows[:1])
    except SourceError:
        raise
    except Exception as error:  # whatever an architecture raises
        raise SourceError(f"{name}: the model does not run on a text of {len(rows[0])} tokens: {reason(error, line=0)}. Use another model.") from error
    if not _close(classifier, first, second):
        raise SourceError(
            f"{name}: the same text gives other logits at every pass (they differ by {float((first - second).abs().max()):.2g}), "
            "so nothing can be explained. Use a model without random parts."
        )
    try:
        (alone,) = _logits(classifier, rows[1:])
        beside = _logits(classifier, rows)[1]
    except Exception:  # some heads refuse texts of unlike length, or of any other length
        return False
    return _close(classifier, alone, beside)


def _logits(classifier: Classifier, rows: Sequence[Sequence[int]]) -> Tensor:
    logits: Tensor = classifier.model(**classifier.batch(rows)).logits.float()
    return logits


def _close(classifier: Classifier, one: Tensor, other: Tensor) -> bool:
    tolerance = _SAME if classifier.dtype == torch.float32 else 0.05
    largest = max(1.0, float(one.abs().nan_to_num().max()))
    return bool(((one - other).abs() <= tolerance * largest).all()) or not bool(one.isfinite().all())


@dataclass(frozen=True)
class _State:
    """All attributes of a network's modules at one moment; its weights apart, which no forward pass touches."""

    modules: list[tuple[Any, dict[str, Any], dict[str, Any], dict[str, Any]]]
    """Each module with its plain attributes, its children and its buffers."""

    @classmethod
    def of(cls, network: Any) -> "_State":
        return cls([(module, _attributes(module), dict(module._modules), dict(module._buffers)) for module in network.modules()])

    def is_changed(self) -> bool:
        """Tell whether a module has other attributes, children or buffers than at that moment."""
        return any(
            _differ(_attributes(module), attributes) or _differ(module._modules, children) or _differ(module._buffers, buffers)
            for module, attributes, children, buffers in self.modules
        )

    def restore(self) -> None:
        """Give every module what it had at that moment."""
        for module, attributes, children, buffers in self.modules:
            for name in _attributes(module).keys() - attributes.keys():
                del vars(module)[name]
            vars(module).update(attributes)
            for own, kept in ((module._modules, children), (module._buffers, buffers)):
                own.clear()
                own.update(kept)

    def set_back(self, module: Any, arguments: Any) -> None:
        """Restore before a forward pass; a hook of the network."""
        self.restore()


def _attributes(module: Any) -> dict[str, Any]:
    """Return a module's own attributes; those with an underscore are torch's, and hooks among them must stay."""
    return {name: value for name, value in vars(module).items() if not name.startswith("_") and name != "training"}


def _differ(now: dict[str, Any], before: dict[str, Any]) -> bool:
    return now.keys() != before.keys() or any(value is not before[name] and not _equal(value, before[name]) for name, value in now.items())


def _equal(value: Any, other: Any) -> bool:
    return isinstance(value, str | int | float | bool | None) and value == other
