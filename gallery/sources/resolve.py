"""The configured names of model and tokenizer, resolved to verified folders and the digests of their files."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gallery.errors import SourceError, command
from gallery.sources.contents import ADAPTER, first_files, head_size, lacks_vocabulary, model_folder, read_adapter, tokenizer_files, weight_files
from gallery.sources.kinds import source_kind
from gallery.sources.model_config import NO_OUTPUTS, Outputs, check_class, outputs_of, read_config

# Keys of config.json on which no number depends.
_NAMES_ONLY = {"id2label", "label2id", "_name_or_path", "transformers_version", "torch_dtype", "dtype", "architectures"}


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
    outputs: Outputs = NO_OUTPUTS
    """The model's own classes; none for a tokenizer."""
    pickled: bool = False
    """Whether the weights are a pickle file, which is read without running anything in it."""
    notes: tuple[str, ...] = ()
    """Messages for the person who runs the build."""
    former_digest: str = ""
    """The digest that versions before 0.2 gave a tokenizer, from a closed list of its files; empty for a model."""
    adapter: Path | None = None
    """Folder of the adapter that is merged into the weights; None where there is none."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The model's own class names by number; empty for a tokenizer."""
        return self.outputs.names


def resolve_model(name: str, root: Path) -> Source:
    """Return the folder of a model, whose name may be of any kind of source; see `gallery.sources.kinds`.

    A relative folder is relative to `root`. Raises SourceError, naming the file that is missing, or saying why it cannot be fetched.
    """
    folder, resolved, notes = source_kind(name, root).fetch(name, root, True)
    folder = model_folder(name, folder)
    adapter = read_adapter(name, folder)
    if adapter is not None and not (folder / "config.json").exists():
        return _on_its_base(name, resolved, folder, adapter, root, notes)
    config = read_config(name, folder)
    check_class(name, config)
    outputs = outputs_of(name, config)
    weights, pickled = weight_files(name, folder)
    if pickled:
        notes += (
            f"{name}: its weights are a pickle, pytorch_model.bin; it is read without running what may be in it. "
            f"{command(f'convert {name} FOLDER')} writes a copy in safetensors.",
        )
    if adapter is not None:
        notes += (f"{name}: an adapter lies beside the weights and is merged into them. If they hold it already, remove {ADAPTER}.",)
    digest = _digest(weights, _kept(config) + (_kept(adapter) if adapter else ""))
    return Source(name, resolved, folder, digest, outputs, pickled, (*notes, *outputs.notes), adapter=folder if adapter else None)


def _on_its_base(name: str, resolved: str, folder: Path, adapter: dict[str, Any], root: Path, notes: tuple[str, ...]) -> Source:
    """Return the source of an adapter that names its base: the base's folder, and the adapter's own."""
    base_name = str(adapter.get("base_model_name_or_path") or "")
    try:
        base, exact, more = source_kind(base_name, root).fetch(base_name, root, True)
        config = read_config(base_name, base)
        check_class(base_name, {**config, "architectures": None})
        weights, pickled = weight_files(base_name, base)
    except SourceError as error:
        raise SourceError(
            f"{name}: an adapter of {base_name or 'no base that it names'}, which cannot be had: {error.message} "
            "Or merge the two where both are: PeftModel.from_pretrained(base, folder).merge_and_unload().save_pretrained(FOLDER)."
        ) from error
    head = head_size(name, folder)
    outputs = outputs_of(name, config)
    if head is not None and head != len(outputs.names):
        outputs = outputs_of(name, {"num_labels": head, "problem_type": config.get("problem_type")})
    digest = _digest([*weights, *sorted(folder.glob("adapter_model.*"))], _kept(config) + _kept(adapter))
    exact = Path(exact).name if Path(exact).is_absolute() else exact
    return Source(name, f"{resolved} on {exact}", base, digest, outputs, pickled, (*notes, *more, *outputs.notes), adapter=folder)


def resolve_tokenizer(name: str, root: Path) -> Source:
    """Return the folder of a tokenizer; takes the same names as `resolve_model`.

    Raises SourceError if the folder holds no file of a tokenizer.
    """
    folder, resolved, notes = source_kind(name, root).fetch(name, root, False)
    if not tokenizer_files(folder) and len(inner := list(folder.glob("*/tokenizer_config.json"))) == 1:
        folder = inner[0].parent
    files = tokenizer_files(folder)
    if not files:
        lacking = "the settings of a tokenizer without its vocabulary: " if lacks_vocabulary(folder) else ""
        raise SourceError(
            f"{name}: {lacking}no tokenizer.json or vocab.txt, nor a vocabulary of another name. "
            "Save the tokenizer there, or name the source of the tokenizer as extra.gallery.tokenizer."
        )
    return Source(name, resolved, folder, _digest(files, ""), notes=notes, former_digest=_digest(first_files(files), ""))


def _kept(config: dict[str, Any]) -> str:
    """Return the values of a config.json on which numbers depend."""
    return json.dumps({key: value for key, value in config.items() if key not in _NAMES_ONLY}, sort_keys=True)


def _digest(files: Iterable[Path], text: str) -> str:
    total = hashlib.sha256(text.encode())
    for path in files:
        total.update(f"\0{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                total.update(chunk)
    return total.hexdigest()
