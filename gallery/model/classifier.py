"""A directory -> a classifier that tokenises, predicts, and can be run from its embeddings."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from gallery.config import Settings
from gallery.errors import SourceError
from gallery.model.bf16_gradients import keep_memory, rounded_gradients
from gallery.model.fast_encoder import Encoder, encoder_of, rounds_fast
from gallery.model.labels import label_names
from gallery.model.nonfinite import first_unsound_layer
from gallery.model.tokenized import Tokenized, Window, in_windows
from gallery.model.words import group_tokens
from gallery.sources.resolve import Source
from gallery.store.records import Array, Model, Prediction

# Padded positions of these begin behind the padding index, so two positions fewer than configured can be used.
_POSITIONS_AFTER_PADDING = {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm", "longformer", "mpnet", "xmod", "data2vec-text"}


@dataclass(frozen=True)
class Classifier:
    """A frozen model with its tokenizer, on its device."""

    model: Any
    tokenizer: Any
    card: Model
    device: torch.device
    dtype: torch.dtype
    layer: nn.Module
    """The module whose output attributions are taken at."""
    layer_name: str
    """Its path within the model, for the provenance."""
    batch_tokens: int = 2048
    """Tokens that go through the model at once."""
    long: str = "cut"
    """What becomes of passages longer than the model: `cut`, or read in `windows`."""
    reload: Callable[[], "Classifier"] | None = None
    """Loads the same model in float32; None where this is it."""

    @cached_property
    def encoder(self) -> Encoder | None:
        """The same model in fewer products, for paths that begin at the embeddings; None where its architecture has no such form."""
        at_embeddings = self.layer is getattr(self.model.base_model, "embeddings", None)
        return encoder_of(self.model) if at_embeddings else None

    def with_batch_tokens(self, tokens: int) -> "Classifier":
        """Return the same classifier, nothing copied, through which so many tokens go at once."""
        other = replace(self, batch_tokens=tokens)
        other.__dict__.update({name: self.__dict__[name] for name in ("encoder", "exact", "rounded_encoder", "gradient_encoder") if name in self.__dict__})
        return other

    @cached_property
    def exact(self) -> "Classifier":
        """The same model in float32."""
        return self.reload() if self.reload is not None else self

    @cached_property
    def rounded_encoder(self) -> Encoder | None:
        """The encoder with its products in bfloat16; None where that is no faster, or the model is not in float32."""
        if self.encoder is None or self.dtype != torch.float32 or not rounds_fast(self.device):
            return None
        return self.encoder.rounded()

    @cached_property
    def gradient_encoder(self) -> Encoder | None:
        """The encoder whose gradients take their products in bfloat16; None where that is no faster, or the model is not in float32.

        On a GPU neither is it: attention that keeps its weights, as this does, is slower there than torch's own.
        """
        if self.encoder is None or self.dtype != torch.float32 or self.device.type != "cpu" or not rounds_fast(self.device):
            return None
        return rounded_gradients(self.encoder)

    def tokenize(self, text: str) -> Tokenized:
        """Return the passage as tokens and words; cut, or in windows, where it is longer than the model takes."""
        limit = {"truncation": True, "max_length": self.card.max_tokens} if self.long == "cut" else {"truncation": False}
        coded = self.tokenizer(text, **limit, return_offsets_mapping=True, return_special_tokens_mask=True, verbose=False)
        special = tuple(bool(flag) for flag in coded["special_tokens_mask"])
        offsets = tuple((int(start), int(end)) for start, end in coded["offset_mapping"])
        words, token_words = group_tokens(text, offsets, special)
        read = max((end for _, end in words), default=0)
        whole = Tokenized(
            text=text,
            ids=tuple(coded["input_ids"]),
            tokens=tuple(self.tokenizer.convert_ids_to_tokens(coded["input_ids"])),
            offsets=offsets,
            special=special,
            words=tuple(words),
            token_words=tuple(token_words),
            cut=len(text) if not text[read:].strip() else read,
        )
        return in_windows(whole, self.card.max_tokens)

    def batch(self, rows: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """Return input_ids and attention_mask [B, T] of token ids, padded on the right, on the device."""
        longest = max(len(row) for row in rows)
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        return {"input_ids": ids.to(self.device), "attention_mask": mask.to(self.device)}

    def baseline_ids(self, tokenized: Tokenized, baseline: str) -> tuple[int, ...]:
        """Return the ids of an empty text of the same length: special tokens kept, the rest `pad` or `mask`.

        Raises SourceError where the tokenizer has no such token.
        """
        filler = {"pad": self.tokenizer.pad_token_id, "mask": self.tokenizer.mask_token_id}[baseline]
        if filler is None:
            raise SourceError(f"extra.gallery.baseline: the tokenizer has no {baseline} token. Choose another baseline.")
        return tuple(own if special else filler for own, special in zip(tokenized.ids, tokenized.special, strict=True))

    @torch.no_grad()
    def logits(self, rows: Sequence[Sequence[int]], rounded: bool = False) -> Tensor:
        """Return [B, C] float32 logits of rows of token ids; rounded lets products be in bfloat16 where that is faster."""
        inputs = self.batch(rows)
        if rounded and self.rounded_encoder is not None:
            mask = inputs["attention_mask"]
            return self.rounded_encoder(self.embed(inputs), None if bool(mask.all()) else mask).float()
        if self.encoder is None:
            result: Tensor = self.model(**inputs).logits.float()
            return result
        with self.from_embeddings(inputs) as run:
            return run(self.embed(inputs)).float()

    @torch.no_grad()
    def embed(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return [B, T, H], the output of the layer at which attributions are taken."""
        caught: list[Tensor] = []

        def catch(module: nn.Module, args: Any, output: Tensor) -> None:
            caught.append(output)
            raise _Caught

        handle = self.layer.register_forward_hook(catch)
        try:
            self.model(**inputs)
        except _Caught:
            pass
        finally:
            handle.remove()
        return caught[0]

    @contextmanager
    def from_embeddings(self, inputs: Mapping[str, Tensor], rounded: bool = False) -> Iterator[Callable[[Tensor], Tensor]]:
        """Give a function [B, T, H] -> [B, C] logits that runs the model from the layer's output on.

        `inputs` are those of one passage or a batch of like shape; they are repeated to fit B. rounded lets products of the
        backward pass be in bfloat16 where that is faster.
        """
        encoder = (self.gradient_encoder if rounded else None) or self.encoder
        if encoder is not None:
            mask = inputs["attention_mask"]
            padded = None if bool(mask.all()) else mask
            yield lambda points: encoder(points, padded)
            return
        current: list[Tensor] = []

        def replace(module: nn.Module, args: Any, output: Tensor) -> Tensor:
            return current[0]

        def run(points: Tensor) -> Tensor:
            current[:] = [points]
            repeated = {name: value.expand(points.shape[0], -1) if value.shape[0] == 1 else value for name, value in inputs.items()}
            result: Tensor = self.model(**repeated).logits
            return result

        handle = self.layer.register_forward_hook(replace)
        try:
            yield run
        finally:
            handle.remove()

    def _mean_logits(self, tokenized: Tokenized) -> Array:
        mean: Array = np.mean([self.logits([part.ids])[0].cpu().numpy() for part in tokenized.parts], axis=0)
        return mean

    def predict(self, batch: Sequence[Tokenized]) -> list[Prediction]:
        """Return what the model says to each passage of a batch; to one in windows, the mean of their logits.

        Raises FloatingPointError where a logit is not a finite number.
        """
        if any(tokenized.windows for tokenized in batch):
            logits = np.stack([self._mean_logits(tokenized) for tokenized in batch])
        else:
            logits = self.logits([tokenized.ids for tokenized in batch]).cpu().numpy()
        if not np.isfinite(logits).all():
            if len(batch) > 1:
                raise FloatingPointError("the model's logits are not finite numbers")
            rows = [self.batch([part.ids]) for part in batch[0].parts]
            raise FloatingPointError(f"the model's logits are not finite numbers: {first_unsound_layer(self.model, rows, self.dtype)}")
        return [
            Prediction(
                text=tokenized.text,
                tokens=tokenized.tokens,
                ids=np.array(tokenized.ids, np.int32),
                offsets=np.array(tokenized.offsets, np.int32).reshape(-1, 2),
                special=np.array(tokenized.special, bool),
                words=np.array(tokenized.words, np.int32).reshape(-1, 2),
                token_words=np.array(tokenized.token_words, np.int32),
                cut=tokenized.cut,
                logits=row,
                versions=versions(),
                windows=np.array([_stretch(window) for window in tokenized.windows], np.int32).reshape(-1, 2),
            )
            for tokenized, row in zip(batch, logits, strict=True)
        ]


def _stretch(window: Window) -> tuple[int, int]:
    """Return the first of a window's tokens that is not special, and the one behind the last, as places in the passage."""
    own = [place for place, special in zip(window.tokens, window.tokenized.special, strict=True) if not special]
    return own[0], own[-1] + 1


class _Caught(Exception):  # noqa: N818 (a signal, not an error: the layer's output is all that was wanted)
    pass


@cache
def versions() -> dict[str, str]:
    """Return the versions of the packages that numbers depend on; one mapping, which nobody changes."""
    return {name: version(name) for name in ("torch", "transformers", "tokenizers")}


def load_classifier(model: Source, tokenizer: Source, settings: Settings) -> Classifier:
    """Load a classifier from verified directories.

    Raises SourceError, naming the directory, where files are missing or damaged, where there is no fast
    tokenizer (only those know character offsets), or where the labels do not fit.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    keep_memory()
    device = _device(settings.device)
    dtype = getattr(torch, settings.dtype)
    network = load_network(model, dtype)
    try:
        words = AutoTokenizer.from_pretrained(tokenizer.folder, local_files_only=True, use_fast=True, trust_remote_code=False)
    except Exception as error:
        raise SourceError(f"{tokenizer.name}: the tokenizer cannot be loaded: {_first_line(error)}. Give its folder as extra.gallery.tokenizer.") from error
    if not words.is_fast:
        raise SourceError(f"{tokenizer.name}: this tokenizer does not tell where in the text a token lies. Use one that has a tokenizer.json.")
    network = network.to(device).eval().requires_grad_(False)
    torch.set_float32_matmul_precision("high" if settings.tf32 else "highest")
    known = network.get_input_embeddings().num_embeddings
    if len(words) > known:
        raise SourceError(
            f"{tokenizer.name}: {len(words)} tokens, but the model {model.name} knows {known}. "
            "Name the tokenizer it was trained with as extra.gallery.tokenizer."
        )
    layer, layer_name = _layer(network, settings.layer)
    card = _card(network, words, model, tokenizer, settings)
    reload = partial(load_classifier, model, tokenizer, settings.model_copy(update={"dtype": "float32"})) if dtype != torch.float32 else None
    return Classifier(network, words, card, device, dtype, layer, layer_name, settings.batch_tokens, settings.long, reload)


def load_network(model: Source, dtype: torch.dtype | str) -> Any:
    """Load a classifier's weights; nothing in a pickle or beside the model is run.

    Raises SourceError where they are damaged, or where some are missing and transformers would draw them at random.
    """
    try:
        network, info = AutoModelForSequenceClassification.from_pretrained(
            model.folder,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=not model.pickled,
            weights_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except Exception as error:  # transformers raises a dozen kinds, from OSError to SafetensorError and RuntimeError
        raise SourceError(f"{model.name}: the model cannot be loaded: {_first_line(error)}. Check that the folder is complete, or fetch it again.") from error
    if info["missing_keys"]:
        raise SourceError(f"{model.name}: no {min(info['missing_keys'])} among its weights, so it is not a trained classifier. Give the fine-tuned model.")
    return network


def _device(wanted: str) -> torch.device:
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SourceError(f"extra.gallery.device: {wanted!r} cannot be used here: {_first_line(error)}. Use auto, cpu, cuda or mps.") from error
    return device


def _layer(network: Any, wanted: str) -> tuple[nn.Module, str]:
    module = getattr(network.base_model, "embeddings", None) if wanted == "embeddings" else None
    if module is None:
        module = network.get_input_embeddings()
    return module, next(name for name, other in network.named_modules() if other is module)


def _card(network: Any, words: Any, model: Source, tokenizer: Source, settings: Settings) -> Model:
    config = network.config
    positions = getattr(config, "max_position_embeddings", None) or words.model_max_length
    if config.model_type in _POSITIONS_AFTER_PADDING:
        positions -= config.pad_token_id + 1
    return Model(
        source=settings.model,
        resolved=model.resolved,
        weights_digest=model.digest,
        tokenizer_digest=tokenizer.digest,
        tokenizer="" if tokenizer.resolved == model.resolved else tokenizer.resolved,
        architecture=config.model_type,
        labels=label_names([config.id2label[n] for n in range(config.num_labels)], settings.labels, model.name),
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        hidden=config.hidden_size,
        max_tokens=int(min(positions, words.model_max_length)),
        figures=_figures(model.folder),
    )


def _figures(folder: Path) -> dict[str, Any] | None:
    path = folder / "figures.json"
    try:
        figures: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else None  # type: ignore[assignment]
    except ValueError as error:
        raise SourceError(f"{path}: not valid JSON: {error}. Correct or remove it.") from error
    return figures


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
