"""The configured names of model and tokenizer, resolved to verified folders and the digests of their files."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gallery.errors import SourceError, command, reason
from gallery.sources.kinds import source_kind

# Keys of config.json on which no number depends.
_NAMES_ONLY = {"id2label", "label2id", "_name_or_path", "transformers_version", "torch_dtype", "dtype", "architectures"}
_TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A folder that holds a model or a tokenizer."""

    name: str
    """As configured."""
    resolved: str
    """The exact version that the name stood for, without machine paths."""
    folder: Path
    digest: str
    """sha256 (hex) of everything on which numbers depend; not of names, paths or times."""
    labels: tuple[str, ...] = ()
    """The model's own class names by number; empty for a tokenizer."""
    pickled: bool = False
    """Whether the weights are a pickle file, which is read without running anything in it."""
    notes: tuple[str, ...] = ()
    """Messages for the person who runs the build."""


def resolve_model(name: str, root: Path) -> Source:
    """Return the folder of a model, whose name may be of any kind of source; see `gallery.sources.kinds`.

    A relative folder is relative to `root`. Raises SourceError, naming the file that is missing, or saying why it cannot be fetched.
    """
    folder, resolved, notes = source_kind(name, root).fetch(name, root, True)
    if not (folder / "config.json").exists() and len(inner := list(folder.glob("*/config.json"))) == 1:
        folder = inner[0].parent
    config = _config(name, folder)
    weights = sorted(folder.glob("*.safetensors"))
    pickled = not weights
    if pickled:
        weights = sorted(folder.glob("pytorch_model*.bin"))
        notes += (
            f"{name}: its weights are a pickle, pytorch_model.bin; it is read without running what may be in it. "
            f"{command(f'convert {name} FOLDER')} writes a copy in safetensors.",
        )
    if not weights:
        raise SourceError(f"{name}: no weights. It needs model.safetensors (or an old pytorch_model.bin): save the model with save_pretrained.")
    _check_shards(name, folder)
    own = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    labels = tuple(str(own[number]) for number in sorted(own, key=int))
    kept = json.dumps({key: value for key, value in config.items() if key not in _NAMES_ONLY}, sort_keys=True)
    return Source(name, resolved, folder, _digest(weights, kept), labels, pickled, notes)


def resolve_tokenizer(name: str, root: Path) -> Source:
    """Return the folder of a tokenizer; takes the same names as `resolve_model`.

    Raises SourceError if the folder holds no file of a tokenizer.
    """
    folder, resolved, notes = source_kind(name, root).fetch(name, root, False)
    if not _tokenizer_files(folder) and len(inner := list(folder.glob("*/tokenizer_config.json"))) == 1:
        folder = inner[0].parent
    files = _tokenizer_files(folder)
    if not files:
        raise SourceError(f"{name}: no tokenizer.json or vocab.txt. Name the source of the tokenizer as extra.gallery.tokenizer.")
    return Source(name, resolved, folder, _digest(files, ""), notes=notes)


def _config(name: str, folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        if not isinstance(config, dict):
            raise ValueError("not a JSON object")
    except FileNotFoundError as error:
        raise SourceError(f"{name}: config.json is missing. Give what save_pretrained wrote.") from error
    except (ValueError, OSError) as error:
        raise SourceError(f"{name}: config.json is damaged: {reason(error)}. Fetch the model again.") from error
    return config


def _check_shards(name: str, folder: Path) -> None:
    for index in folder.glob("*.index.json"):
        try:
            shards = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise SourceError(f"{name}: {index.name} is damaged. Fetch the model again.") from error
        missing = sorted(shard for shard in shards if not (folder / str(shard)).is_file())
        if missing:
            raise SourceError(f"{name}: {missing[0]} is missing, though {index.name} names it. Fetch the model again.")


def _tokenizer_files(folder: Path) -> list[Path]:
    return [folder / file for file in _TOKENIZER_FILES if (folder / file).is_file()]


def _digest(files: Iterable[Path], text: str) -> str:
    total = hashlib.sha256(text.encode())
    for path in files:
        total.update(f"\0{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                total.update(chunk)
    return total.hexdigest()
