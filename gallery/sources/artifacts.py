"""Models of W&B, `wandb:entity/project/name:version`, fetched by wandb's own client and verified."""

import os
import re
import shutil
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from gallery.errors import SourceError, cure, install_command, reason
from gallery.sources.cache import Receipt, cache_folder, file_digest, read_receipt, write_receipt
from gallery.sources.kinds import Fetched, SourceKind

PREFIX = "wandb:"
_NAME = re.compile(r"wandb:(?P<entity>[\w.-]+)/(?P<project>[\w.-]+)/(?P<artifact>[\w.-]+):(?P<version>[\w.-]+)(?P<inside>(?:/[\w.-]+)*)")
RETRIES = 3  # with wandb's defaults, 16 and 20, a lost connection is an error after 20 minutes


def fetch_artifact(name: str) -> Fetched:
    """Return the files of an artifact, or of a folder in it that the name goes on with, with the exact version.

    A numbered version that was fetched before needs no network. An alias such as `latest` is looked up each time; if W&B cannot be
    reached, it means the version that it meant last time. Raises SourceError.
    """
    match = _NAME.fullmatch(name)
    if not match or any(set(part) == {"."} for part in (*match.groups()[:-1], *match["inside"].split("/")) if part):
        raise SourceError(f"{name}: not a W&B artifact. Write wandb:entity/project/name:version, for example wandb:ann/authors/bert:v1.")
    if match["inside"]:
        return _inside(name, fetch_artifact(name.removesuffix(match["inside"])), match["inside"])
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).netloc.replace(":", "-")
    shelf = cache_folder() / "wandb" / host / match["entity"] / match["project"] / match["artifact"]
    known = read_receipt(shelf / f"{match['version']}.json")
    sound = known is not None and not known.damaged(shelf / known.folder)
    if known and sound and re.fullmatch(r"v\d+", match["version"]):
        return Fetched(shelf / known.folder, known.resolved)
    try:
        if os.environ.get("WANDB_MODE") in {"offline", "disabled"}:
            raise _Unreachable("WANDB_MODE keeps wandb off the network")
        receipt = _fetch(name, match, shelf)
    except _Unreachable as error:
        if known and sound:
            return Fetched(shelf / known.folder, known.resolved, (f"{name}: {error}; using {known.resolved}, fetched before.",))
        raise SourceError(f"{name}: {error}, and it was not fetched before. Connect to the network and run the same command again.") from error
    write_receipt(shelf / f"{receipt.folder}.json", receipt)
    write_receipt(shelf / f"{match['version']}.json", receipt)
    return Fetched(shelf / receipt.folder, receipt.resolved)


def _inside(name: str, whole: Fetched, inside: str) -> Fetched:
    folder = whole.folder / inside.removeprefix("/")
    if not folder.is_dir():
        held = ", ".join(sorted(path.name for path in whole.folder.iterdir() if path.is_dir())) or "none"
        raise SourceError(f"{name}: no folder {inside[1:]} in the artifact. Folders in it: {held}.")
    return Fetched(folder, whole.resolved + inside, whole.notes)


class _Unreachable(Exception):  # noqa: N818 (a fault of the network, not ours)
    """W&B does not answer."""


def _fetch(name: str, match: re.Match[str], shelf: Path) -> Receipt:
    """Download into a folder beside the final one, verify, and rename; resume a download that was interrupted."""
    artifact = _ask(name, match)
    entries = artifact.manifest.entries
    for path, entry in entries.items():
        _check_entry(name, path, entry)
    resolved = f"{PREFIX}{match['entity']}/{match['project']}/{match['artifact']}:{artifact.version}"
    folder, part = shelf / artifact.version, shelf / f"{artifact.version}.part"
    known = read_receipt(shelf / f"{artifact.version}.json")
    if known and folder.is_dir() and not known.damaged(folder):
        return known
    part.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(part).free) < artifact.size:
        raise SourceError(f"{name}: {artifact.size:,} bytes, but {part} has room for {free:,}. Make room, or set GALLERY_CACHE to another disk.")
    for file in [f for f in part.rglob("*") if f.is_file() and f.relative_to(part).as_posix() not in entries]:
        file.unlink()
    _download(name, artifact, part)
    try:
        artifact.verify(str(part))
    except (ValueError, OSError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise SourceError(f"{name}: what arrived is not what was logged: {reason(error)}. It was thrown away; run the same command again.") from error
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    return Receipt(resolved, folder.name, {path: file_digest(folder / path) for path in sorted(entries)})


def _ask(name: str, match: re.Match[str]) -> Any:
    os.environ.setdefault("WANDB__GRAPHQL_RETRY_MAX", str(RETRIES))
    try:
        import wandb
        from wandb.errors import AuthenticationError, CommError, UsageError
    except ImportError as error:
        raise SourceError(f"{name}: fetching from W&B needs wandb. Run: {install_command('explain')}") from error
    try:
        api = wandb.Api(overrides={"entity": match["entity"], "project": match["project"]})
    except UsageError as error:
        raise SourceError(f"{name}: no API key. Set WANDB_API_KEY, or run: wandb login") from error
    except AuthenticationError as error:
        if error.__cause__ is not None and not _answered(error.__cause__):
            raise _Unreachable(f"{_host()} does not answer") from error
        raise SourceError(f"{name}: {_host()} does not take the API key: {reason(error)}. Set WANDB_API_KEY, or run: wandb login --relogin") from error
    try:
        return api.artifact(name.removeprefix(PREFIX))
    except (CommError, ValueError) as error:
        if "not found" in str(error):
            raise SourceError(f"{name}: no such artifact: {reason(error)}. Correct the name or the version; `latest` is the newest.") from error
        raise _Unreachable(f"{_host()} did not answer the question: {reason(error)}") from error


def _answered(cause: BaseException) -> bool:
    """Tell whether the server refused, rather than not answering at all."""
    response = getattr(cause, "response", None)
    return bool(getattr(response, "http_status", 0))


def _check_entry(name: str, path: str, entry: Any) -> None:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path or ":" in path:
        raise SourceError(f"{name}: holds a file named {path!r}, which would lie outside its folder. Do not use this artifact.")
    if entry.ref is not None:
        raise SourceError(f"{name}: {path} is only a reference to {entry.ref}, which cannot be verified. Log the file itself into the artifact.")


def _download(name: str, artifact: Any, part: Path) -> None:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    session = getattr(artifact.manifest.storage_policy, "_session", None)
    if isinstance(session, requests.Session):
        adapter = HTTPAdapter(max_retries=Retry(total=RETRIES, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504)))
        session.mount("http://", adapter)
        session.mount("https://", adapter)
    try:
        artifact.download(str(part), skip_cache=True)
    except OSError as error:
        if isinstance(error, requests.RequestException):
            raise SourceError(f"{name}: the connection broke off: {reason(error)}. Run the same command again: it goes on where it stopped.") from error
        raise SourceError(f"{name}: {reason(error)}. {cure(error)}, or set GALLERY_CACHE to another disk.") from error
    except ValueError as error:
        raise SourceError(f"{name}: {reason(error)}. Do not use this artifact.") from error


def _host() -> str:
    return os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")


SOURCE = SourceKind("wandb:entity/project/name:version", lambda name, root: name.startswith(PREFIX), lambda name, root, weights: fetch_artifact(name))
