"""The documents that MkDocs renders: the user's folder, the package's own pages where the user has none, and the shells."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gallery.site.language import language
from gallery.site.pages.declared import documents
from gallery.site.pages.figures import DEFAULTS

_PACKAGE = Path(__file__).parents[2]

Origins = dict[str, str | None]
"""Path of a Markdown document below docs -> its path in the user's folder; None where the user has not written it."""


def write_documents(docs: Path, source: Path, code: str, passages: Sequence[Path]) -> Origins:
    """Write the folder of documents anew; return the origin of each Markdown document.

    source: the user's folder, `docs_dir`; all in it is carried but the passages. A document `NAME.CODE.md` in the interface's language
    takes the place of `NAME.md`. passages: files and folders of passages, which are no documents.
    """
    if docs.exists():
        shutil.rmtree(docs)
    docs.mkdir(parents=True)
    if source.is_dir():
        shutil.copytree(source, docs, ignore=_without(passages, source), dirs_exist_ok=True)
    origins = _in_language(docs, code)
    for folder in (DEFAULTS / code, DEFAULTS / "en"):
        for path in sorted(folder.glob("*.md")):
            if path.name not in origins and not (path.name == "index.md" and "README.md" in origins):
                shutil.copyfile(path, docs / path.name)
                origins[path.name] = None
    for document in documents():
        path = docs / document.name
        if document.slots and document.name not in origins:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(document.text(language(code).gettext), "utf-8")
            origins[document.name] = None
    shutil.copytree(_PACKAGE / "static", docs / "assets" / "gallery", dirs_exist_ok=True)
    return origins


def _without(passages: Sequence[Path], source: Path) -> Callable[[Any, list[str]], set[str]]:
    """Return what `copytree` leaves out: passages, the gallery's own figures, and hidden files."""
    left_out = {os.path.realpath(path) for path in passages} - {os.path.realpath(source)}

    def ignored(folder: Any, names: list[str]) -> set[str]:
        figures = {path.name for path in DEFAULTS.glob("*.json")} if Path(folder) == source else set()
        return {name for name in names if name.startswith(".") or name in figures or os.path.realpath(Path(folder, name)) in left_out}

    return ignored


def _in_language(docs: Path, code: str) -> Origins:
    """Put documents in the interface's language in the place of the others; return the origin of each document that stays."""
    origins: Origins = {}
    codes = {folder.name for folder in DEFAULTS.iterdir() if folder.is_dir()} | {code}
    for path in sorted(docs.rglob("*.md")):
        name, dot, other = path.stem.rpartition(".")
        if not dot or other not in codes:
            origins.setdefault(path.relative_to(docs).as_posix(), path.relative_to(docs).as_posix())
            continue
        if other == code:
            target = path.with_name(f"{name}.md")
            origins[target.relative_to(docs).as_posix()] = path.relative_to(docs).as_posix()
            path.replace(target)
        else:
            path.unlink()
    return origins
