"""Where a model or tokenizer comes from -> a verified directory, and the digest of what lies in it."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gallery.errors import SourceError

# Names and bookkeeping in config.json that no number depends on.
_NAMES_ONLY = {"id2label", "label2id", "_name_or_path", "transformers_version", "torch_dtype", "dtype", "architectures"}
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt", "vocab.json", "merges.txt")


@dataclass(frozen=True)
class Source:
    """A directory that holds a model or a tokenizer."""

    name: str
    """As configured."""
    resolved: str
    """The exact version it stood for."""
    folder: Path
    digest: str
    """sha256 (hex) of all that numbers depend on; not of names, paths or times."""
    labels: tuple[str, ...] = ()
    """The model's own class names by number; empty for a tokenizer."""


def resolve_model(name: str, root: Path) -> Source:
    """Return the directory of a model.

    Raises SourceError, naming what is missing, where it holds no config.json or no safetensors weights.
    """
    folder = _folder(name, root)
    config = folder / "config.json"
    weights = sorted(folder.glob("*.safetensors"))
    try:
        kept = {k: v for k, v in json.loads(config.read_text("utf-8")).items() if k not in _NAMES_ONLY}
    except FileNotFoundError as error:
        raise SourceError(f"{name}: config.json is missing. Give the folder that save_pretrained wrote.") from error
    except (ValueError, AttributeError) as error:
        raise SourceError(f"{name}: config.json is damaged: {error}. Fetch the model again.") from error
    if not weights:
        raise SourceError(f"{name}: no .safetensors weights. Save the model with save_pretrained, which writes model.safetensors.")
    own = json.loads(config.read_text("utf-8")).get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    labels = tuple(str(own[number]) for number in sorted(own, key=int))
    return Source(name, name, folder, _digest(weights, json.dumps(kept, sort_keys=True)), labels)


def resolve_tokenizer(name: str, root: Path) -> Source:
    """Return the directory of a tokenizer.

    Raises SourceError where it holds none of a tokenizer's files.
    """
    folder = _folder(name, root)
    files = [folder / file for file in _TOKENIZER_FILES if (folder / file).is_file()]
    if not files:
        raise SourceError(f"{name}: no tokenizer.json. Name the folder of the tokenizer as extra.gallery.tokenizer.")
    return Source(name, name, folder, _digest(files, ""))


def _folder(name: str, root: Path) -> Path:
    folder = root / name
    if not folder.is_dir():
        raise SourceError(f"{name}: no such folder. Correct extra.gallery.model or extra.gallery.tokenizer.")
    return folder


def _digest(files: Iterable[Path], text: str) -> str:
    total = hashlib.sha256(text.encode())
    for path in files:
        total.update(f"\0{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                total.update(chunk)
    return total.hexdigest()
