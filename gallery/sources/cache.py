"""The cache of fetched models and texts, and the receipts by which later builds find and verify them."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from gallery.files import write_whole


def cache_folder() -> Path:
    """Return the folder of fetched models and texts: GALLERY_CACHE, or explanation-gallery in the platform's cache folder."""
    configured = os.environ.get("GALLERY_CACHE")
    if configured:
        return Path(configured).expanduser()
    import platformdirs  # of the extra `explain`, as is everything that fetches

    return platformdirs.user_cache_path("explanation-gallery")


@dataclass(frozen=True)
class Receipt:
    """The digests of a fetched version's files when they were verified."""

    resolved: str
    """The exact version, written like a configured source."""
    folder: str
    """The folder of the files, absolute or relative to that of the receipt."""
    files: dict[str, str]
    """sha256 (hex) by file name."""

    def damaged(self, folder: Path) -> list[str]:
        """Return the names of the files that are missing or have changed since."""
        return [name for name, digest in self.files.items() if file_digest(folder / name) != digest]


def read_receipt(path: Path) -> Receipt | None:
    """Return a receipt, or None if it is missing or cannot be read."""
    try:
        return Receipt(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_receipt(path: Path, receipt: Receipt) -> None:
    """Write a receipt, whole or not at all."""
    write_whole(path, json.dumps(asdict(receipt), sort_keys=True, indent=1, ensure_ascii=False).encode())


def file_digest(path: Path) -> str:
    """Return the sha256 (hex) of a file, or an empty string if it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""
