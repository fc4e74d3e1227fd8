"""A classifier that tokenises, predicts, and runs from its embeddings on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.metadata import version
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gallery.compat.torch import bfloat16_is_fast
from gallery.errors import SourceError
from gallery.model.bf16_gradients import with_bf16_gradients
from gallery.model.embeddings import Embeddings
from gallery.model.fast_encoder import FastEncoder, fast_encoder_of, padding_of
from gallery.model.hooks import Run
from gallery.model.nonfinite import first_nonfinite_layer
from gallery.model.tokenized import Tokenized, in_windows
from gallery.model.words import group_tokens
from gallery.store.records import Array, Model, Prediction

_SHARED = ("exact", "bf16_encoder", "bf16_gradient_encoder", "_embeddings", "_inputs", "_segments")
"""Parts made on first use, which copies of a classifier that differ in batches alone share."""
_FILLERS = ("pad", "mask", "unk", "eos", "bos")
NO_LIMIT = 1_000_000
"""Longest input, in tokens, of a model that names no limit."""


@dataclass(frozen=True)
class Classifier:
    """A frozen model with its tokenizer, on its device; `gallery.model.loading` makes it."""

    model: Any
    tokenizer: Any
    card: Model
    device: torch.device
    dtype: torch.dtype
    layer: nn.Module
    """The module whose output is explained: attributions are of its tokens."""
    layer_name: str
    """The module's path within the model, for the provenance."""
    batch_tokens: int = 2048
    """Tokens that go through the model at once."""
    long: str = "cut"
    """What happens to passages longer than the model's input: `cut`, or read in `windows`."""
    reload: Callable[[], "Classifier"] | None = None
    """Loads the same model in float32; None where it is in float32."""
    fast_encoder: FastEncoder | None = None
    """The same model in fewer matrix products, from the output of `layer` on; None where the model's own forward pass runs."""
    mixes_lengths: bool = True
    """Whether texts of unlike length may share a batch: padding does not change their logits."""
    notes: tuple[str, ...] = ()
    """What a user should know of how the model runs, for the log of a run."""

    def with_batch_tokens(self, tokens: int) -> "Classifier":
        """Return the same classifier, without a copy of weights, that runs so many tokens at once."""
        other = replace(self, batch_tokens=tokens)
        other.__dict__.update({name: self.__dict__[name] for name in _SHARED if name in self.__dict__})
        return other

    def with_model(self, model: Any) -> "Classifier":
        """Return a classifier of the same architecture with other weights."""
        fast_encoder = fast_encoder_of(model)[0] if self.fast_encoder is not None else None
        return replace(self, model=model, layer=model.get_submodule(self.layer_name), fast_encoder=fast_encoder)

    @cached_property
    def exact(self) -> "Classifier":
        """The same model in float32."""
        return self.reload() if self.reload is not None else self

    @cached_property
    def bf16_encoder(self) -> FastEncoder | None:
        """The fast encoder with bfloat16 products; None where that is no faster, or the model is not in float32."""
        if self.fast_encoder is None or self.dtype != torch.float32 or not bfloat16_is_fast(self.device):
            return None
        return self.fast_encoder.in_bf16()

    @cached_property
    def bf16_gradient_encoder(self) -> FastEncoder | None:
        """The fast encoder with bfloat16 backward passes; None where that is no faster, or the model is not in float32.

        None on a GPU, where attention that keeps its weights, as this encoder's does, is slower than torch's own.
        """
        if self.fast_encoder is None or self.dtype != torch.float32 or self.device.type != "cpu" or not bfloat16_is_fast(self.device):
            return None
        return with_bf16_gradients(self.fast_encoder)

    def tokenize(self, text: str) -> Tokenized:
        """Return the passage as tokens and words; cut, or in windows, where it is longer than the model's input."""
        cuts = self.long == "cut" and self.card.max_tokens < NO_LIMIT
        limit = {"truncation": True, "max_length": self.card.max_tokens} if cuts else {"truncation": False}
        output = self.tokenizer(text, **limit, return_offsets_mapping=True, return_special_tokens_mask=True, verbose=False)
        special = tuple(bool(flag) for flag in output["special_tokens_mask"])
        offsets = tuple((int(start), int(end)) for start, end in output["offset_mapping"])
        words, token_words = group_tokens(text, offsets, special)
        start = min((start for start, _ in words), default=0) if self.tokenizer.truncation_side == "left" else 0
        read = max((end for _, end in words), default=0)
        whole = Tokenized(
            text=text,
            ids=tuple(output["input_ids"]),
            tokens=tuple(self.tokenizer.convert_ids_to_tokens(output["input_ids"])),
            offsets=offsets,
            special=special,
            words=tuple(words),
            token_words=tuple(token_words),
            cut=len(text) if not text[read:].strip() else read,
            start=start if cuts and len(output["input_ids"]) >= self.card.max_tokens and text[:start].strip() else 0,
        )
        return in_windows(whole, self.card.max_tokens)

    @cached_property
    def _inputs(self) -> frozenset[str]:
        """Names of the inputs that the tokenizer gives and the model takes."""
        return frozenset(signature(self.model.forward).parameters) & {"input_ids", *self.tokenizer.model_input_names}

    @cached_property
    def _segments(self) -> tuple[list[int], int, list[int]]:
        """Segment ids, as the tokenizer gives them, of the special tokens before the text, of its own tokens, and of those behind it."""
        output = self.tokenizer("1", return_special_tokens_mask=True, return_token_type_ids=True)
        special, segments = output["special_tokens_mask"], output["token_type_ids"]
        own = [index for index, flag in enumerate(special) if not flag] or [len(special)]
        return segments[: own[0]], segments[own[0]] if own[0] < len(segments) else 0, segments[own[-1] + 1 :]

    def batch(self, rows: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """Return the model's inputs [B, T] for rows of token ids, padded on the right, on the device.

        input_ids, and attention_mask and token_type_ids where the tokenizer gives them and the model takes them.
        """
        longest = max(len(row) for row in rows)
        pad = self.tokenizer.pad_token_id or 0
        inputs = {
            "input_ids": [[*row, *[pad] * (longest - len(row))] for row in rows],
            "attention_mask": [[1] * len(row) + [0] * (longest - len(row)) for row in rows],
        }
        if "token_type_ids" in self._inputs:
            before, own, after = self._segments
            inputs["token_type_ids"] = [[*before, *[own] * (len(row) - len(before) - len(after)), *after, *[0] * (longest - len(row))] for row in rows]
        return {name: torch.tensor(values).to(self.device) for name, values in inputs.items() if name in self._inputs}

    def filler(self, wanted: str) -> str:
        """Return which token stands for nothing, `pad` or `mask` as wanted; where the tokenizer has no such token, the next of those it has.

        Raises SourceError where it has none at all.
        """
        order = dict.fromkeys((wanted, *_FILLERS))
        named = next((name for name in order if getattr(self.tokenizer, f"{name}_token_id") is not None), None)
        if named is None:
            raise SourceError("the tokenizer has no token that could stand for nothing: no pad, mask, unk, eos or bos token. Add a pad token to it.")
        return named

    def baseline_ids(self, tokenized: Tokenized, baseline: str) -> tuple[int, ...]:
        """Return the ids of an empty text of the same length: special tokens kept, all others replaced by the `filler` of that name."""
        filler = getattr(self.tokenizer, f"{self.filler(baseline)}_token_id")
        return tuple(own if special else filler for own, special in zip(tokenized.ids, tokenized.special, strict=True))

    @torch.no_grad()
    def logits(self, rows: Sequence[Sequence[int]], bf16: bool = False, place_of: Sequence[int] | None = None) -> Tensor:
        """Return float32 logits [B, C] of rows of token ids; bf16 lets matrix products be in bfloat16 where that is faster.

        place_of: ids of the passage that the rows are variants of, all of its length. Whatever the model finds by the ids, such
        as the token that a decoder's head reads, is then where the passage has it.
        """
        if not self.mixes_lengths and len({len(row) for row in rows}) > 1:
            return torch.cat([self.logits([row], bf16) for row in rows])
        inputs = self.batch(rows)
        if bf16 and self.bf16_encoder is not None:
            return self.bf16_encoder(self.embed(inputs), padding_of(inputs)).float()
        if self.fast_encoder is None and place_of is None:
            logits: Tensor = self.model(**inputs).logits.float()
            return logits
        embedded = self.embed(inputs)
        with self.from_embeddings(inputs if place_of is None else self.batch([place_of])) as run:
            return run(embedded).float()

    @cached_property
    def _embeddings(self) -> Embeddings:
        return Embeddings.of(self.model, self.layer)

    def captum_reads(self, tokenized: Tokenized) -> bool:
        """Tell whether Captum's methods for layers can explain a passage: not where an architecture embeds more than the passage, or twice."""
        return all(self._embeddings.are_plain(self.batch([part.ids])) for part in tokenized.parts)

    def embed(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the output [B, T, H] of the layer that is explained."""
        return self._embeddings(inputs)

    @contextmanager
    def from_embeddings(self, inputs: Mapping[str, Tensor], bf16: bool = False) -> Iterator[Run]:
        """Give a function that runs the model on from the output of the layer that is explained: [B, T, H] -> logits [B, C].

        `inputs` are those of one passage, repeated to fit B, or of B passages. bf16 lets the backward pass multiply in
        bfloat16 where that is faster.
        """
        encoder = (self.bf16_gradient_encoder if bf16 else None) or self.fast_encoder
        if encoder is not None:
            padding = padding_of(inputs)
            yield lambda points: encoder(points, padding)
            return
        with self._embeddings.resumed(inputs) as run:
            yield run

    def predict(self, batch: Sequence[Tokenized]) -> list[Prediction]:
        """Return the model's prediction for each passage of a batch; in windows, from the mean of their logits.

        Raises FloatingPointError where a logit is not a finite number.
        """
        if any(tokenized.windows for tokenized in batch):
            logits = np.stack([self._mean_logits(tokenized) for tokenized in batch])
        else:
            logits = self.logits([tokenized.ids for tokenized in batch]).cpu().numpy()
        if not np.isfinite(logits).all():
            if len(batch) > 1:
                raise FloatingPointError("the model's logits are not finite numbers")
            inputs = [self.batch([part.ids]) for part in batch[0].parts]
            raise FloatingPointError(f"the model's logits are not finite numbers: {first_nonfinite_layer(self.model, inputs, self.dtype)}")
        return [_prediction(tokenized, row, self.card.problem) for tokenized, row in zip(batch, logits, strict=True)]

    def _mean_logits(self, tokenized: Tokenized) -> Array:
        mean: Array = np.mean([self.logits([part.ids])[0].cpu().numpy() for part in tokenized.parts], axis=0)
        return mean


def _prediction(tokenized: Tokenized, logits: Array, problem: str) -> Prediction:
    return Prediction(
        text=tokenized.text,
        tokens=tokenized.tokens,
        ids=np.array(tokenized.ids, np.int32),
        offsets=np.array(tokenized.offsets, np.int32).reshape(-1, 2),
        special=np.array(tokenized.special, bool),
        words=np.array(tokenized.words, np.int32).reshape(-1, 2),
        token_words=np.array(tokenized.token_words, np.int32),
        cut=tokenized.cut,
        start=tokenized.start,
        logits=logits,
        versions=versions(),
        windows=np.array([window.stretch for window in tokenized.windows], np.int32).reshape(-1, 2),
        problem=problem,
    )


@cache
def versions() -> dict[str, str]:
    """Return the versions of the packages that numbers depend on; callers share the mapping and must not change it."""
    return {name: version(name) for name in ("torch", "transformers", "tokenizers")}
