"""The files of a model's folder: which are weights, which belong to the tokenizer, and what a folder that is no model holds instead."""

import json
import re
from collections.abc import Iterable
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gallery.errors import SourceError, install_command, reason, short

WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
PICKLES = ("pytorch_model*.bin", "pytorch_model.bin.index.json")
OTHER_WEIGHTS = (
    "*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack", "*.ot", "*.onnx", "*.onnx_data", "*.gguf", "*.tflite", "*.mlmodel", "*.npz", "*.pkl",
    "*.bin.index.json", "*.h5.index.json", "*.msgpack.index.json",
)  # fmt: skip
"""Weights in forms that are not read; never fetched, and no part of a tokenizer."""
NOT_OF_THE_TOKENIZER = (
    ".*", "*.py", "*.pyc", "*.md", "*.log", "*.png", "*.jpg", "*.jpeg", "*.gif", "*.svg", "*.pdf", "*.csv", "*.tsv", "*.parquet", "*.zip", "*.gz",
    "LICENSE*", "license*", "README*", "NOTICE*", "requirements*.txt", "config.json", "generation_config.json", "figures.json", "calibration.json", "adapter_*",
    "*_results.json", "trainer_state.json", "training_args*", "*.jinja", "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json",
    "preprocessor_config.json", "events.out.*",
)  # fmt: skip
"""Files that no tokenizer reads, by pattern; every other file of the folder is fetched, and is part of the tokenizer's digest."""
_FIRST = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model",
)  # fmt: skip
"""Files that a digest begins with, in this order, so that the entries of older stores keep their keys."""
_SETTINGS = {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}
ADAPTER = "adapter_config.json"


def weight_files(name: str, folder: Path) -> tuple[list[Path], bool]:
    """Return the files of the weights, and whether they are pickles; an adapter's weights are among them.

    Raises SourceError where there are none, or where a shard is missing.
    """
    files = sorted(folder.glob("*.safetensors"))
    own = [path for path in files if not path.name.startswith("adapter_")]
    pickles = [] if own else sorted(folder.glob("pytorch_model*.bin"))
    if not own and not pickles:
        others = sorted(path.name for path in folder.iterdir() if any(fnmatch(path.name, pattern) for pattern in OTHER_WEIGHTS))
        held = f" It holds {others[0]}, which this program does not read." if others else ""
        raise SourceError(f"{name}: no weights.{held} It needs model.safetensors (or an old pytorch_model.bin): save the model with save_pretrained.")
    _check_shards(name, folder)
    return files + pickles, bool(pickles)


def parts_of_weights(folder: Path) -> list[Path]:
    """Return the files that hold the model's own weights: one, or the shards that an index names, in order."""
    for single, index in (("model.safetensors", "model.safetensors.index.json"), ("pytorch_model.bin", "pytorch_model.bin.index.json")):
        if (folder / single).is_file():
            return [folder / single]
        if (folder / index).is_file():
            return [folder / shard for shard in sorted(set(json.loads((folder / index).read_text("utf-8"))["weight_map"].values()))]
    own = [path for path in sorted(folder.glob("*.safetensors")) if not path.name.startswith("adapter_")]
    return own or sorted(folder.glob("pytorch_model*.bin"))


def _check_shards(name: str, folder: Path) -> None:
    for index in folder.glob("*.index.json"):
        try:
            shards = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise SourceError(f"{name}: {index.name} is damaged. Fetch the model again.") from error
        missing = sorted(shard for shard in shards if not (folder / str(shard)).is_file())
        if missing:
            raise SourceError(f"{name}: {missing[0]} is missing, though {index.name} names it. Fetch the model again.")


def tokenizer_files(folder: Path) -> list[Path]:
    """Return every file of a folder that may be the tokenizer's; empty where no file can hold a vocabulary."""
    patterns = (*WEIGHTS, *OTHER_WEIGHTS, *NOT_OF_THE_TOKENIZER)
    names = {path.name for path in folder.iterdir() if path.is_file() and not any(fnmatch(path.name, pattern) for pattern in patterns)}
    if not names - _SETTINGS:
        return []
    return [folder / name for name in (*(name for name in _FIRST if name in names), *sorted(names - set(_FIRST)))]


def first_files(files: Iterable[Path]) -> list[Path]:
    """Return those of a tokenizer's files that older versions knew."""
    return [path for path in files if path.name in _FIRST]


def lacks_vocabulary(folder: Path) -> bool:
    """Tell whether a folder has the settings of a tokenizer, but no vocabulary."""
    return any((folder / name).is_file() for name in _SETTINGS)


def model_folder(name: str, folder: Path) -> Path:
    """Return the folder itself, or the only folder in it that holds a model.

    Raises SourceError, listing them, where there are several: which is meant is never guessed.
    """
    if any((folder / file).exists() for file in ("config.json", ADAPTER)):
        return folder
    inner = sorted({path.parent for file in ("config.json", ADAPTER) for path in folder.glob(f"*/{file}")}, key=_in_order)
    if len(inner) == 1:
        return inner[0]
    if inner:
        choices = ", ".join(f"{name}/{path.name}" for path in inner)
        raise SourceError(f"{name}: holds {len(inner)} models, and which is meant is not guessed. Name one as extra.gallery.model: {choices}.")
    return folder


def _in_order(path: Path) -> tuple[str, int, str]:
    """Sort checkpoint-500 before checkpoint-1000."""
    stem, _, number = path.name.rpartition("-")
    return (stem, int(number), "") if number.isdigit() else (path.name, 0, "")


def read_adapter(name: str, folder: Path) -> dict[str, Any] | None:
    """Return the settings of an adapter that lies in a folder; None where there is none.

    Raises SourceError where they are damaged, or where peft, which merges adapters, is not installed.
    """
    if not (folder / ADAPTER).exists():
        return None
    try:
        values = json.loads((folder / ADAPTER).read_text("utf-8"))
        if not isinstance(values, dict):
            raise ValueError("not a JSON object")
    except (ValueError, OSError, RecursionError) as error:
        raise SourceError(f"{name}: {ADAPTER} is damaged: {reason(error)}. Fetch the adapter again.") from error
    if not find_spec("peft"):
        base = short(str(values.get("base_model_name_or_path")))
        raise SourceError(
            f"{name}: {ADAPTER} says that this is an adapter of {base}, and its numbers are those of both together. "
            f"Run: {install_command('adapters')}; or merge them: PeftModel.from_pretrained(base, folder).merge_and_unload().save_pretrained(FOLDER)."
        )
    if not any((folder / file).is_file() for file in ("adapter_model.safetensors", "adapter_model.bin")):
        raise SourceError(f"{name}: {ADAPTER} is there, but not adapter_model.safetensors. Fetch the adapter again, or remove {ADAPTER}.")
    return values


def head_size(name: str, folder: Path) -> int | None:
    """Return the number of outputs of the classifying head that an adapter has saved; None where it has none.

    Raises SourceError where the adapter's weights are damaged.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / "adapter_model.safetensors"
    if not path.is_file():
        return None
    try:
        with safe_open(path, "np") as tensors:
            heads = [key for key in sorted(tensors.keys()) if re.search(r"\.(classifier|score|logits_proj|out_proj)\.weight$", key)]
            return int(tensors.get_slice(heads[-1]).get_shape()[0]) if heads else None
    except (SafetensorError, OSError) as error:
        raise SourceError(f"{name}: adapter_model.safetensors is damaged: {reason(error)}. Fetch the adapter again.") from error
