"""Verified folders become a classifier, after checks that model, tokenizer, labels and device fit each other."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import CONFIG_MAPPING, AutoTokenizer

from gallery.compat.glibc import keep_freed_memory
from gallery.compat.torch import allow_tf32
from gallery.compat.transformers import be_quiet
from gallery.config import Settings
from gallery.errors import SourceError, reason
from gallery.model.classifier import NO_LIMIT, Classifier
from gallery.model.fast_encoder import fast_encoder_of
from gallery.model.first_pass import bears_padding, make_plain
from gallery.model.labels import label_names
from gallery.model.network import Network, load_network, plain_config
from gallery.model.vocabulary import check_vocabulary
from gallery.sources.model_config import read_config
from gallery.sources.resolve import Source
from gallery.store.records import Model


def load_classifier(model: Source, tokenizer: Source, settings: Settings, fast: bool = True) -> Classifier:
    """Load a classifier from verified folders; fast: False lets the model's own forward pass compute everything.

    Raises SourceError, naming the folder, where files are missing or damaged, where there is no fast tokenizer (no other
    knows character offsets), or where the labels do not fit.
    """
    be_quiet()
    keep_freed_memory()
    device = _device(settings.device)
    dtype = getattr(torch, settings.dtype)
    loaded = load_network(model, dtype)
    network = loaded.model
    loaded_tokenizer = load_tokenizer(tokenizer, "extra.gallery.tokenizer")
    network = network.to(device).eval().requires_grad_(False)
    make_plain(network)
    allow_tf32(settings.tf32)
    notes = check_vocabulary(loaded_tokenizer, tokenizer.name, model.name, len(network.get_input_embeddings().weight))
    layer, layer_name = _explained_layer(network, settings.layer)
    card = _card(loaded, loaded_tokenizer, model, tokenizer, settings)
    classifier = Classifier(network, loaded_tokenizer, card, device, dtype, layer, layer_name, settings.batch_tokens, settings.long, notes=notes)
    if dtype != torch.float32:
        exact = settings.model_copy(update={"dtype": "float32"})
        classifier = replace(classifier, reload=partial(load_classifier, model, tokenizer, exact, fast))
    classifier = replace(classifier, mixes_lengths=bears_padding(classifier, model.name))
    if not fast:
        note = f"{model.name}: the model's own forward pass computes everything: its fast form gave other numbers than Captum."
        return replace(classifier, card=replace(classifier.card, fast=False), notes=(note,))
    return _with_fast_encoder(classifier, model.name)


def _with_fast_encoder(classifier: Classifier, name: str) -> Classifier:
    """Return the classifier with its fast encoder, or with a note that says why it has none.

    Attributions at the word embeddings alone need the model's own forward pass; no fast encoder is tried then.
    """
    if classifier.layer is not getattr(classifier.model.base_model, "embeddings", None):
        return classifier
    fast_encoder, why_not = fast_encoder_of(classifier.model)
    note = f"{name}: the model's own forward pass computes everything, which gives the same numbers but takes longer: {why_not}."
    return replace(
        classifier,
        card=replace(classifier.card, fast=fast_encoder is not None),
        fast_encoder=fast_encoder,
        notes=(*classifier.notes, note) if fast_encoder is None else classifier.notes,
    )


def load_tokenizer(tokenizer: Source, option: str) -> Any:
    """Load a tokenizer, a fast one where there is one.

    Raises SourceError where it cannot be loaded, naming the option that names another.
    """
    try:
        beside = read_config(tokenizer.name, tokenizer.folder) if (tokenizer.folder / "config.json").exists() else {}
        config = plain_config(tokenizer.name, beside) if beside.get("model_type") in CONFIG_MAPPING else None  # transformers' reader stops at odd class names
        return AutoTokenizer.from_pretrained(tokenizer.folder, config=config, local_files_only=True, use_fast=True, trust_remote_code=False)
    except Exception as error:
        raise SourceError(f"{tokenizer.name}: the tokenizer cannot be loaded: {reason(error, line=0)}. Give its folder as {option}.") from error


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SourceError(f"extra.gallery.device: {name!r} cannot be used here: {reason(error, line=0)}. Use auto, cpu, cuda or mps.") from error
    return device


def _explained_layer(network: Any, setting: str) -> tuple[nn.Module, str]:
    """Return the module whose output is explained, and its path: the whole embedding module, or the word embeddings alone."""
    module = getattr(network.base_model, "embeddings", None) if setting == "embeddings" else None
    if module is None:
        module = network.get_input_embeddings()
    return module, next(name for name, other in network.named_modules() if other is module)


def _card(loaded: Network, tokenizer: Any, model: Source, tokenizer_source: Source, settings: Settings) -> Model:
    network, config = loaded.model, loaded.model.config
    return Model(
        source=settings.model,
        resolved=model.resolved,
        weights_digest=model.digest,
        tokenizer_digest=tokenizer_source.digest,
        tokenizer="" if tokenizer_source.resolved == model.resolved else tokenizer_source.resolved,
        architecture=config.model_type,
        labels=label_names(model.labels, settings.labels, model.name, model.outputs.fault),
        layers=config.num_hidden_layers,
        heads=getattr(config, "num_attention_heads", 0),
        hidden=config.hidden_size,
        max_tokens=_longest(network, tokenizer),
        figures=_figures(model.folder),
        loaded=type(network).__name__,
        weights_used=loaded.used,
        problem=model.outputs.problem,
        threshold=settings.threshold,
        cross=int(getattr(config, "decoder_layers", 0) or getattr(config, "num_decoder_layers", 0)) if config.is_encoder_decoder else 0,
    )


def _longest(network: Any, tokenizer: Any) -> int:
    """Return the longest input in tokens, by the model's positions and the tokenizer's limit; NO_LIMIT where neither names any.

    Position embeddings of RoBERTa and its kin count from behind the padding index, which leaves fewer positions than configured.
    """
    limits = [tokenizer.model_max_length, getattr(network.config, "max_position_embeddings", None)]
    for name, module in network.base_model.named_modules():
        if isinstance(module, nn.Embedding) and name.endswith("position_embeddings") and module.padding_idx is not None:
            limits.append(module.num_embeddings - module.padding_idx - 1)
    return int(min([NO_LIMIT, *(limit for limit in limits if limit and limit > 0)]))


def _figures(folder: Path) -> dict[str, Any] | None:
    """Return what training measured, from figures.json; None where the folder has no such file.

    Raises SourceError where it is not JSON.
    """
    path = folder / "figures.json"
    try:
        figures: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else None  # type: ignore[assignment]
    except ValueError as error:
        raise SourceError(f"{path}: not valid JSON: {error}. Correct or remove it.") from error
    return figures
