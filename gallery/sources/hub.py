"""Models of the Hugging Face hub, `org/name@revision`, in the cache of the hub's own client, verified."""

import hashlib
import re
from pathlib import Path
from typing import Any

from gallery.errors import SourceError, install_command, reason
from gallery.sources.cache import Receipt, cache_folder, file_digest, read_receipt, write_receipt
from gallery.sources.contents import NOT_OF_THE_TOKENIZER, OTHER_WEIGHTS, PICKLES, WEIGHTS
from gallery.sources.kinds import Fetched, SourceKind

NAME = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w./-]+))?")
_OF_THE_MODEL = {"config.json", "figures.json", "calibration.json", "adapter_*"}
_NOT_FETCHED = ["*/*", *OTHER_WEIGHTS, *NOT_OF_THE_TOKENIZER]
"""Files that are left on the hub; everything else is fetched, so that a vocabulary arrives under whatever name it has."""


def fetch_snapshot(name: str, weights: bool) -> Fetched:
    """Return the files of a model or tokenizer, with the exact commit.

    Fetches safetensors, pickled weights only if there are none, and never code. If the hub cannot be reached, the files come from
    its cache. Raises SourceError.
    """
    match = NAME.fullmatch(name)
    if not match:
        raise SourceError(f"{name}: not the name of a model. Write org/name, or org/name@revision.")
    left = [pattern for pattern in _NOT_FETCHED if pattern not in _OF_THE_MODEL] if weights else [*_NOT_FETCHED, *WEIGHTS]
    folder = _download(name, match, left)
    if weights and not any(folder.glob("*.safetensors")):
        folder = _download(name, match, [], [*PICKLES])
    _verify(name, match["repo"], folder)
    return Fetched(folder, f"{match['repo']}@{folder.name}")


def _download(name: str, match: re.Match[str], left: list[str], only: list[str] | None = None) -> Path:
    try:
        from huggingface_hub import errors, snapshot_download
        from huggingface_hub.utils import logging
    except ImportError as error:
        raise SourceError(f"{name}: fetching from the hub needs huggingface_hub. Run: {install_command('explain')}") from error
    logging.set_verbosity_error()  # it prints a warning for every retry
    try:
        return Path(snapshot_download(match["repo"], revision=match["revision"], allow_patterns=only, ignore_patterns=left))
    except errors.GatedRepoError as error:
        raise SourceError(f"{name}: the hub gives this model only to those it has let in. Ask there, then set HF_TOKEN.") from error
    except errors.RepositoryNotFoundError as error:
        raise SourceError(f"{name}: no such folder here, and no such model on the hub. Correct the name; for a private one set HF_TOKEN.") from error
    except errors.RevisionNotFoundError as error:
        raise SourceError(f"{name}: the hub knows the model, but not this revision. Correct what stands after @.") from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise SourceError(
            f"{name}: no such folder here, the hub cannot be reached, and it was not fetched whole before. "
            "Correct the name, or connect and run the same command again."
        ) from error
    except Exception as error:  # of httpx, whose module has another name in other versions of the client
        raise SourceError(f"{name}: the hub broke off: {reason(error)}. Run the same command again: it goes on with what is missing.") from error


def _verify(name: str, repo: str, folder: Path) -> None:
    """Compare each file of a snapshot with the digests that the hub gives, and in later builds with the receipt of that."""
    files = sorted(file.name for file in folder.iterdir() if file.is_file())
    receipt = cache_folder() / "hub" / repo.replace("/", "--") / f"{folder.name}.json"
    known = read_receipt(receipt)
    digests = {file: file_digest(folder / file) for file in files}
    if known and digests.items() <= known.files.items():
        return
    wrong = [file for file, digest in digests.items() if known and known.files.get(file, digest) != digest]
    fresh = [file for file in files if not known or file not in known.files]
    if fresh and not wrong:
        wrong = [info.path for info in _listed(name, repo, folder.name, fresh) if not _is(folder / info.path, info)]
    for file in wrong:
        (folder / file).resolve().unlink(missing_ok=True)
        (folder / file).unlink(missing_ok=True)
    if wrong:
        raise SourceError(f"{name}: {', '.join(wrong)}: not what the hub has. It was thrown away; run the same command again.")
    write_receipt(receipt, Receipt(f"{repo}@{folder.name}", str(folder), (known.files if known else {}) | digests))


def _listed(name: str, repo: str, commit: str, files: list[str]) -> list[Any]:
    from huggingface_hub import HfApi

    try:
        return HfApi().get_paths_info(repo, files, revision=commit)
    except Exception as error:
        raise SourceError(f"{name}: in the hub's cache, but never verified, and the hub cannot be reached. Connect and run the same command again.") from error


def _is(path: Path, info: Any) -> bool:
    """Tell whether a file is the one that the hub describes: by sha256 for large files, by git's hash for small ones."""
    if path.stat().st_size != info.size:
        return False
    if info.lfs is not None:
        return file_digest(path) == str(info.lfs.sha256)
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() == str(info.blob_id)


SOURCE = SourceKind("org/name@revision", lambda name, root: NAME.fullmatch(name) is not None, lambda name, root, weights: fetch_snapshot(name, weights), rank=2)
