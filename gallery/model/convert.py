"""A model from anywhere -> a folder of its own: safetensors weights, configuration, tokenizer."""

import shutil
import tempfile
from pathlib import Path

from transformers import AutoTokenizer

from gallery.errors import SourceError
from gallery.model.classifier import load_network
from gallery.sources.resolve import Source


def convert(model: Source, tokenizer: Source, folder: Path) -> None:
    """Write a copy that needs no pickle and no second source; numbers are those of the original, to the bit.

    Raises SourceError where the folder holds something already, or cannot be written; nothing half-written stays.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SourceError(f"{folder}: not an empty folder. Name a new one.")
    network = load_network(model, "auto")
    try:
        words = AutoTokenizer.from_pretrained(tokenizer.folder, local_files_only=True, use_fast=True, trust_remote_code=False)
    except Exception as error:
        raise SourceError(f"{tokenizer.name}: the tokenizer cannot be loaded. Name another with --tokenizer.") from error
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder.parent))
    except OSError as error:
        raise SourceError(f"{folder}: {error.strerror}. Allow writing there, or name another folder.") from error
    try:
        network.save_pretrained(fresh)
        words.save_pretrained(fresh)
        if (figures := model.folder / "figures.json").is_file():
            shutil.copyfile(figures, fresh / "figures.json")
        fresh.chmod(0o755)
        fresh.replace(folder)
    except OSError as error:
        raise SourceError(f"{folder}: {error.strerror or error}. Make room, or allow writing there; then run the same command again.") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
