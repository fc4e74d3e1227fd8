"""What was fetched once: its folder on this machine, and receipts by which it is found again and checked."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from gallery.files import write_whole


def cache_folder() -> Path:
    """Return where fetched models and texts are kept: GALLERY_CACHE, or explanation-gallery in the platform's cache folder."""
    named = os.environ.get("GALLERY_CACHE")
    if named:
        return Path(named).expanduser()
    import platformdirs  # comes with whatever can fetch

    return platformdirs.user_cache_path("explanation-gallery")


@dataclass(frozen=True)
class Receipt:
    """What a fetched version was when it had been verified."""

    resolved: str
    """The exact version, written as a source."""
    folder: str
    """Its folder, beside the receipt or absolute."""
    files: dict[str, str]
    """File name -> sha256 (hex)."""

    def damaged(self, folder: Path) -> list[str]:
        """Return the files that are no longer what they were."""
        return [name for name, digest in self.files.items() if file_digest(folder / name) != digest]


def read_receipt(path: Path) -> Receipt | None:
    """Return a receipt, or None where there is none that can be read."""
    try:
        return Receipt(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_receipt(path: Path, receipt: Receipt) -> None:
    """Write a receipt, whole or not at all."""
    write_whole(path, json.dumps(asdict(receipt), sort_keys=True, indent=1, ensure_ascii=False).encode())


def file_digest(path: Path) -> str:
    """Return the sha256 (hex) of a file; nothing for one that is not there."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""
