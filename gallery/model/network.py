"""Weights from a verified folder become a network: every weight of the file is accounted for, and one output becomes two classes."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from transformers import CONFIG_MAPPING, MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

from gallery.errors import SourceError, install_command, reason, short
from gallery.sources.contents import parts_of_weights
from gallery.sources.model_config import architecture, read_config
from gallery.sources.resolve import Source

_OF_PRETRAINING = (
    "cls.", "lm_head.", "mlm_head.", "lm_predictions.", "mask_predictions.", "discriminator_predictions.", "generator_predictions.",
    "generator_lm_head.", "vocab_transform.", "vocab_layer_norm.", "vocab_projector.", "predictions.", "sop_classifier.", "lm_loss.", "pred_layer.",
    "loss.", "loss_fct.", "loss_function.", "criterion.",
)  # fmt: skip
"""Beginnings of weights that training leaves behind: heads that guess words, and weights of the loss."""

_HEADS = ("classifier", "score")
"""Modules that an adapter of a classifier saves whole."""


@dataclass(frozen=True)
class Network:
    """A loaded classifier, and which of its file's weights it uses."""

    model: Any
    weights: int
    """Number of tensors in the files."""
    unused: tuple[str, ...]
    """Names of those that the class has no place for: heads of the pretraining and the like."""

    @property
    def used(self) -> tuple[int, int]:
        """How many tensors of the files are used, and how many there are."""
        return self.weights - len(self.unused), self.weights


def load_network(model: Source, dtype: torch.dtype | str, two_apart: bool = True) -> Network:
    """Load a classifier's weights, without running code from a pickle or from beside the model.

    A model of one output becomes one of two classes, whose logits are its number and that number's opposite; without two_apart it stays
    as it is, to be written again. An adapter is merged into its base. Raises SourceError where weights are damaged, where some are missing
    and transformers would draw them at random, where some are of another shape, and where the class that transformers loads has no place
    for some, other than heads of the pretraining.
    """
    values = read_config(model.name, model.folder)
    outputs = 1 if model.outputs.problem == "one_logit" else len(model.labels)
    tensors = _tensors(model)
    try:
        network, info = _loaded(model, values, outputs, tensors, dtype)
        if model.outputs.problem == "single_label" and outputs == 2 and any(there[0] == 1 for _, there, _ in info["mismatched_keys"]):
            raise SourceError(
                f"{model.name}: config.json names two classes, but the head has one output. If a sigmoid of it tells the two apart, leave only the "
                'second in config.json, as id2label: {"0": …}; a regression to a value is no classifier.'
            )
    except SourceError:
        raise
    except Exception as error:  # transformers raises a dozen kinds, from OSError to RuntimeError
        raise _unloadable(model, error) from error
    missing, replaced = set(info["missing_keys"]), set[str]()
    if model.adapter is not None:
        network, names = _with_adapter(model, network)
        replaced = {key for key in {*missing, *(item[0] for item in info["mismatched_keys"])} if any(name.endswith(f".{key}") for name in names)}
        missing -= replaced
    _check_shapes(model, [item for item in info["mismatched_keys"] if item[0] not in replaced], outputs)
    if missing:
        raise SourceError(f"{model.name}: no {min(missing)} among its weights, so it is not a trained classifier. Give the fine-tuned model.")
    unused = tuple(sorted(_unused(network, tensors, info["unexpected_keys"])))
    foreign = [key for key in info["unexpected_keys"] if not _is_of_pretraining(network, key)]
    _check_class(model, network, values, foreign)
    if model.outputs.problem == "one_logit" and two_apart:
        _tell_two_apart(model, network)
    return Network(network, len(tensors), unused)


def _tensors(model: Source) -> dict[str, Tensor]:
    """Return all tensors of the files by name; those of safetensors stay on the disk until they are used."""
    from safetensors.torch import load_file

    tensors: dict[str, Tensor] = {}
    for path in parts_of_weights(model.folder):
        try:
            tensors |= torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path)) if model.pickled else load_file(path)
        except Exception as error:  # SafetensorError, UnpicklingError, RuntimeError, EOFError
            raise _unloadable(model, error, path.name) from error
    return tensors


def _is_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"PK"


def _loaded(model: Source, values: Mapping[str, Any], outputs: int, tensors: dict[str, Tensor], dtype: torch.dtype | str) -> tuple[Any, dict[str, Any]]:
    kind = values["model_type"]
    names = model.labels if outputs == len(model.labels) else model.labels[1:]
    labels = {number: name or f"LABEL_{number}" for number, name in enumerate(names)}
    meant = {} if outputs == 1 and values.get("problem_type") == "single_label_classification" else {"problem_type": values.get("problem_type")}
    config = plain_config(model.name, values, {**meant, "id2label": labels, "label2id": {name: number for number, name in labels.items()}})
    if type(config) not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        raise SourceError(f"{model.name}: transformers has no text classifier of the architecture {kind}. Give a classifier.")
    config.return_dict = True
    kind_of_network: Any = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)]
    network, info = kind_of_network.from_pretrained(
        None, config=config, state_dict=dict(tensors), dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True
    )
    return network, info


def plain_config(name: str, values: Mapping[str, Any], more: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """Return the values of a config.json as transformers' own object, without those that our reader reads, and with `more`.

    Raises SourceError where transformers has no such architecture.
    """
    kind = values.get("model_type")
    if kind not in CONFIG_MAPPING:
        raise SourceError(f"{name}: transformers has no architecture {kind!r}. Update transformers, or give a model of a class that it has.")
    own = ("num_labels", "auto_map", "problem_type", "id2label", "label2id")
    return CONFIG_MAPPING[str(kind)].from_dict({**{key: value for key, value in values.items() if key not in own}, **more})


def _check_shapes(model: Source, mismatched: Any, outputs: int) -> None:
    """Raise SourceError where a weight of the file has another shape than the class."""
    for key, there, wanted in sorted(mismatched, key=lambda item: str(item[0])):
        shapes = f"{key} is {list(there)} in the file, but {list(wanted)} by config.json"
        if len(there) == len(wanted) and tuple(there[1:]) == tuple(wanted[1:]) and wanted[0] == outputs:
            raise SourceError(f"{model.name}: {shapes}: the head has {there[0]} outputs, and config.json names {outputs} classes. Correct id2label there.")
        raise SourceError(f"{model.name}: {shapes}, so the weights are another model's. Give config.json and weights of the same model.")


def _is_of_pretraining(network: Any, key: str) -> bool:
    """Tell whether a weight without a place is known to change no logit: a head of the pretraining, or the pooler of a class that has none."""
    prefix = f"{network.base_model_prefix}."
    plain = key.removeprefix(prefix)
    return plain.startswith(_OF_PRETRAINING) or (plain.startswith("pooler.") and getattr(network.base_model, "pooler", None) is None)


def _unused(network: Any, tensors: Mapping[str, Tensor], unexpected: Any) -> set[str]:
    """Return the tensors without a place: those that transformers reports, and those that it drops without a report."""
    own = network.state_dict().keys()
    quiet = {name for name in tensors if name.endswith(("position_ids", "rotary_emb.inv_freq", "token_type_ids")) and name not in own}
    return {str(key) for key in unexpected} | quiet


def _check_class(model: Source, network: Any, values: Mapping[str, Any], foreign: list[str]) -> None:
    """Raise SourceError where the folder's model is another than the class that transformers loads."""
    loaded, wanted = type(network).__name__, architecture(values)
    extra = f"{len(foreign)} weights that it has no place for, such as {min(foreign)}" if foreign else ""
    if wanted and wanted != loaded and model.adapter is None:
        with_extra = f", with {extra}" if extra else ""
        raise SourceError(
            f"{model.name}: config.json says {wanted}, but transformers loads {loaded}{with_extra}: it would be another model. "
            f"If it is a plain {loaded}, correct architectures in config.json; code of your own is never run."
        )
    if extra:
        raise SourceError(
            f"{model.name}: as {loaded}, its file has {extra}: parts of the model would be left out without a word. "
            "Give a model that transformers' own class holds whole."
        )


def _with_adapter(model: Source, network: Any) -> tuple[Any, list[str]]:
    """Return the network with its adapter merged, and the names of the adapter's weights."""
    try:
        import peft
        from peft.utils import load_peft_weights, set_peft_model_state_dict
    except ImportError as error:
        raise SourceError(f"{model.name}: an adapter needs peft. Run: {install_command('adapters')}") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            settings = peft.PeftConfig.from_pretrained(str(model.adapter))
            tensors = load_peft_weights(str(model.adapter), device="cpu")
            # peft would expect a head of its own for every classifier; an adapter may have been saved without one
            settings.inference_mode, settings.task_type = True, None
            named = [*(settings.modules_to_save or ()), *_HEADS]
            settings.modules_to_save = sorted({module for module in named if any(f".{module}." in key for key in tensors)}) or None
            wrapped = peft.get_peft_model(network, settings)
            placed: Any = set_peft_model_state_dict(wrapped, tensors)
            if not hasattr(wrapped.base_model, "merge_and_unload"):
                raise ValueError(f"{settings.peft_type} cannot be merged into weights")
            merged = wrapped.merge_and_unload()
    except Exception as error:  # peft raises ValueError, KeyError, RuntimeError, …
        raise SourceError(
            f"{model.name}: the adapter cannot be merged into its base: {reason(error, line=0)}. Give the base that it was trained on, or a whole model."
        ) from error
    if unknown := placed.unexpected_keys:
        raise SourceError(f"{model.name}: the adapter has {min(unknown)}, which its base has no place for. Give the base that it was trained on.")
    return merged, list(tensors)


def _tell_two_apart(model: Source, network: Any) -> None:
    """Give a head of one output a second, so that the logits of the two classes are -z and z, each the logit of a sigmoid.

    Raises SourceError where the head does not end in one linear map.
    """
    heads = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear) and module.out_features == 1]
    if len(heads) != 1:
        raise SourceError(f"{model.name}: one output, which {type(network).__name__} does not compute by one linear map. Train it with two classes.")
    name, old = heads[0]
    both = nn.Linear(old.in_features, 2, bias=old.bias is not None, device=old.weight.device, dtype=old.weight.dtype)
    with torch.no_grad():
        both.weight.copy_(torch.cat([-old.weight, old.weight]))
        if old.bias is not None:
            both.bias.copy_(torch.cat([-old.bias, old.bias]))
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, both)
    network.config.id2label = dict(enumerate(model.labels))
    network.config.label2id = {label: number for number, label in enumerate(model.labels)}
    network.num_labels = 2


def _unloadable(model: Source, error: Exception, file: str = "") -> SourceError:
    where = f"{file}: " if file else ""
    why = short(reason(error, line=0))
    return SourceError(f"{model.name}: the model cannot be loaded: {where}{why}. Check that the folder is complete, or fetch it again.")
