"""A folder of this machine as a source."""

from pathlib import Path

from gallery.sources.kinds import Fetched, SourceKind


def _is_folder(name: str, root: Path) -> bool:
    return (root / name).is_dir()


def _folder(name: str, root: Path, weights: bool) -> Fetched:
    return Fetched(root / name, name)


SOURCE = SourceKind("a folder", _is_folder, _folder, rank=1)
