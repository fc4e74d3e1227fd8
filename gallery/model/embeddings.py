"""A model's embeddings of a text: read from its own modules, and put back there, whatever the architecture does with them.

Three things differ between architectures. XLNet's embeddings come with time before rows. Longformer and BigBird lengthen a text to a
multiple of their window. An encoder and a decoder share their embeddings, and the decoder reads the same text one token later.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from gallery.errors import SourceError
from gallery.model.hooks import Run, hooked, output_of, repeated, tensor_of


@dataclass(frozen=True)
class Embeddings:
    """The output of a model's embedding module, or of its word embeddings."""

    model: Any
    modules: Sequence[nn.Module]
    """The module, and others that look up the same weights: in T5 the encoder and the decoder each have their own."""

    @classmethod
    def of(cls, model: Any, module: nn.Module) -> "Embeddings":
        """Return a module's embeddings, with those of the modules that share its weights."""
        weight = getattr(module, "weight", None)
        twins = [other for other in model.modules() if other is not module and weight is not None and getattr(other, "weight", None) is weight]
        return cls(model, [module, *(twin for twin in twins if isinstance(twin, nn.Embedding))])

    @cached_property
    def time_first(self) -> bool:
        """Whether the module's output is [T, B, H]."""
        ids = torch.full((2, 3), int(self.model.config.pad_token_id == 0), device=self.model.device)  # some fail on pads alone
        return self._first_output({"input_ids": ids}).shape[0] == 3

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the embeddings [B, T, H] of a batch."""
        return self._rows_first(self._first_output(inputs))[:, : inputs["input_ids"].shape[1]]

    def are_plain(self, inputs: Mapping[str, Tensor]) -> bool:
        """Tell whether a single module embeds the text, row by row, and nothing but the text: what Captum's methods for layers take."""
        return len(self.modules) == 1 and not self.time_first and self._first_output(inputs).shape[:2] == inputs["input_ids"].shape

    def _rows_first(self, part: Tensor) -> Tensor:
        """Return a tensor [B, T, …] from the module's, or the module's from [B, T, …]."""
        return part.transpose(0, 1) if self.time_first else part

    @torch.no_grad()
    def _first_output(self, inputs: Mapping[str, Tensor]) -> Tensor:
        return output_of(self.modules, lambda: self.model(**inputs))

    @contextmanager
    def resumed(self, inputs: Mapping[str, Tensor]) -> Iterator[Run]:
        """Give a function that runs the model on from embeddings, which it takes as its argument: [B, T, H] -> logits [B, C].

        `inputs` are those of one passage, repeated to fit B, or of B passages. Whatever the model reads of their ids besides the
        embeddings stays as it is: the token that the head of a decoder reads does not move with a baseline of pads.
        """
        current: list[Tensor] = []
        assert self.time_first is not None  # found out now, since finding out runs the model, whose embeddings are replaced below

        def substitute(module: nn.Module, arguments: Any, output: Any) -> Any:
            own = self._rows_first(tensor_of(output))
            looked_up = next((self._rows_first(part) for part in arguments if isinstance(part, Tensor) and not part.is_floating_point()), None)
            states = self._rows_first(_placed(current[0], own, looked_up, inputs["input_ids"]))
            return (states, *output[1:]) if isinstance(output, tuple) else states

        def run(states: Tensor) -> Tensor:
            current[:] = [states]
            logits: Tensor = self.model(**repeated(inputs, len(states))).logits
            return logits

        with hooked(self.modules, substitute):
            yield run


def _placed(states: Tensor, own: Tensor, looked_up: Tensor | None, ids: Tensor) -> Tensor:
    """Return the states [B, T, H] as the module gives them: moved behind a decoder's start token, or followed by the model's own padding.

    own: the module's own output. looked_up: the ids that it is called with, None where it gets none; ids: those of the text.
    Raises SourceError where the module is called with other ids.
    """
    length = ids.shape[1]
    if looked_up is not None and looked_up.shape[1] == length:
        text = ids.expand_as(looked_up)
        if not torch.equal(looked_up, text):
            if not torch.equal(looked_up[:, 1:], text[:, :-1]):
                raise SourceError("the model embeds other tokens than those of the text, so its embeddings cannot be explained. Use another architecture.")
            return torch.cat([own[:, :1], states[:, :-1]], dim=1)
    return torch.cat([states, own[:, length:]], dim=1) if own.shape[1] > length else states
