"""A model from any source becomes a folder of its own: safetensors weights, configuration, tokenizer."""

import shutil
import tempfile
from pathlib import Path

from gallery.errors import SourceError, cure, reason
from gallery.model.loading import load_tokenizer
from gallery.model.network import load_network
from gallery.sources.resolve import Source


def convert(model: Source, tokenizer: Source, folder: Path) -> None:
    """Write a copy of a model that needs neither pickle nor a second source; its numbers are the original's, bit for bit.

    Raises SourceError where the folder holds files already, or cannot be written; nothing half-written stays.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SourceError(f"{folder}: not an empty folder. Name a new one.")
    network = load_network(model, "auto", two_apart=False).model
    loaded_tokenizer = load_tokenizer(tokenizer, "--tokenizer")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder.parent))
    except OSError as error:
        raise SourceError(f"{folder}: {reason(error)}. Allow writing there, or name another folder.") from error
    try:
        network.save_pretrained(fresh)
        loaded_tokenizer.save_pretrained(fresh)
        for name in ("figures.json", "calibration.json"):
            if (measured := model.folder / name).is_file():
                shutil.copyfile(measured, fresh / name)
        fresh.chmod(0o755)
        fresh.replace(folder)
    except OSError as error:
        raise SourceError(f"{folder}: {reason(error)}. {cure(error)}; then run the same command again.") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
