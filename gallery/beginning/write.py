"""Writes the folder of a new gallery: settings, passages, and what publishes it."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from gallery import __version__
from gallery.beginning.found import Found, look
from gallery.config import load_settings
from gallery.errors import ConfigError, GalleryError, command, cure, reason
from gallery.explain.prepared import prepare
from gallery.passages.tables import TABLES, is_dataset

LANGUAGES = ("ru", "en")
DEMO_MODEL = Path("gallery", "demo", "classifier")
_DEMO_PASSAGES = ("chekhov-station-buffet", "gogol-chimney", "tolstoy-well")
_FILES = {"mkdocs.yml": "mkdocs.yml", "README.md": "README.md", "gitignore": ".gitignore", "publish.yml": ".github/workflows/publish.yml"}
"""Template -> file of the gallery."""
_SAMPLES = {
    "en": (
        "A sample to begin with; put texts of your own in its place.",
        [
            ("First sample", "It rained all night. By morning the road was gone, and nobody in the house was surprised but the clock."),
            ("Second sample", "She read the letter twice, folded it along the old creases, and said that supper would be late."),
            ("Third sample", "The committee met on Tuesday, agreed with everything that was proposed, and adjourned until the proposals were found."),
        ],
    ),
    "ru": (
        "Образец для начала; поставьте на его место свои тексты.",
        [
            ("Первый образец", "Всю ночь шёл дождь. К утру дороги не стало, и никто в доме этому не удивился, кроме часов."),
            ("Второй образец", "Она перечла письмо, сложила его по старым сгибам и сказала, что ужин сегодня будет поздно."),
            ("Третий образец", "Комитет собрался во вторник, согласился со всем, что ему предложили, и разошёлся до тех пор, пока предложения не найдутся."),
        ],
    ),
}
"""Language -> the note on all samples, then (title, text) of each."""


@dataclass(frozen=True)
class Wish:
    """What a new gallery is to be made of."""

    name: str
    """Name of the site."""
    language: str
    model: str
    """As mkdocs.yml names a model; a folder is relative to the working folder."""
    tokenizer: str | None = None
    passages: Path | None = None
    """A table, a folder of Markdown files or of `datasets`, or None for three samples."""
    only: tuple[str, ...] = ()
    """Names of the Markdown files to take from the folder; all without them."""


def demo_wish(clone: Path | None, name: str | None, language: str | None) -> Wish:
    """Return the demo gallery with three of its passages. clone: a clone of the repository; None where this package lies in one.

    Raises ConfigError where the demo classifier is not there: the installed package goes without its 55 MB, and nothing is fetched unasked.
    """
    root = clone or Path(__file__).parents[2]
    if not (root / DEMO_MODEL / "config.json").is_file():
        where = f"{clone}: no {DEMO_MODEL} there." if clone else "The demo classifier (55 MB) and its passages are in the repository, not in this package."
        raise ConfigError(f"{where} Clone the repository, and name the clone: {command('new FOLDER --demo --clone CLONE')}")
    return Wish(name or "Галерея объяснений", language or "ru", str(root / DEMO_MODEL), None, root / "site_src" / "passages", _DEMO_PASSAGES)


def begin(folder: Path, wish: Wish, confirm: Callable[[Found], None]) -> list[Path]:
    """Write a gallery to a new or empty folder; return its files. Nothing is written if anything is wrong, or if `confirm` raises.

    confirm: gets what was found in the model and the passages.
    Raises GalleryError where the folder is taken, or model, tokenizer or passages cannot be used.
    """
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(path.name != ".git" for path in folder.iterdir())):
        raise ConfigError(f"{folder}: not empty. Name a new folder, or an empty one.")
    with _put_together(folder) as room:
        passages = _copy_passages(wish, room) if wish.passages else ["site_src/passages"]
        _write_settings(room, wish, folder, passages)
        settings = load_settings(room / "mkdocs.yml")
        if wish.passages is None:
            _write_samples(room, wish.language, prepare(settings, room).classes.labels)
        confirm(look(settings, room))
        return sorted(path.relative_to(room) for path in room.rglob("*") if path.is_file())


@contextmanager
def _put_together(folder: Path) -> Iterator[Path]:
    """Give a folder beside `folder`, from which relative paths lead to the same places; its content moves there if nothing goes wrong."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        room = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise GalleryError(f"{folder}: {reason(error)}. {cure(error)}.") from error
    try:
        yield room
        shutil.rmtree(room / "store", ignore_errors=True)
        shutil.copytree(room, folder, dirs_exist_ok=True)
        folder.chmod(0o755)
    except OSError as error:
        raise GalleryError(f"{error.filename or folder}: {reason(error)}. {cure(error)}.") from error
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _copy_passages(wish: Wish, room: Path) -> list[str]:
    """Copy the passages into the gallery; return their paths within it.

    Raises ConfigError where they are neither a table nor a folder.
    """
    source, own = wish.passages, room / "site_src" / "passages"
    assert source is not None
    if source.is_dir() and is_dataset(source):
        shutil.copytree(source, room / source.name)
        return [source.name]
    if source.is_dir():
        own.mkdir(parents=True)
        for path in sorted(source.glob("*.md")):
            if not wish.only or path.stem in wish.only:
                shutil.copyfile(path, own / path.name)
        if not any(own.iterdir()):
            raise ConfigError(f"{source}: no Markdown files. Name a folder of passages, or a table ({', '.join(sorted(TABLES))}).")
        return ["site_src/passages"]
    if not source.is_file() or source.suffix not in TABLES:
        what = "no such file or folder" if not source.exists() else "not a table"
        raise ConfigError(f"--passages: {source}: {what}. Name a folder, or a {', '.join(sorted(TABLES))} file.")
    shutil.copyfile(source, room / source.name)
    return [source.name]


def _write_samples(room: Path, language: str, labels: Sequence[str]) -> None:
    note, samples = _SAMPLES[language]
    own = room / "site_src" / "passages"
    own.mkdir(parents=True)
    for number, (title, text) in enumerate(samples, 1):
        values = {"id": f"sample-{number}", "true_class": labels[(number - 1) % len(labels)], "title": title, "text": text, "note": note}
        (own / f"sample-{number}.md").write_text(_rendered("passage.md", values), "utf-8")


def _write_settings(room: Path, wish: Wish, folder: Path, passages: Sequence[str]) -> None:
    """Write all files but the passages. folder: where the gallery will lie, from which a relative path leads to the model."""
    dark, light = ("Тёмная тема", "Светлая тема") if wish.language == "ru" else ("Dark theme", "Light theme")
    values = {
        "name": wish.name,
        "language": wish.language,
        "languages": LANGUAGES,
        "model": _seen_from(folder, wish.model),
        "tokenizer": wish.tokenizer and _seen_from(folder, wish.tokenizer),
        "passages": passages,
        "site": "site",
        "version": __version__,
        "dark": dark,
        "light": light,
    }
    for template, name in _FILES.items():
        path = room / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_rendered(template, values), "utf-8")


def _seen_from(folder: Path, name: str) -> str:
    """Return the name of a model; a folder's path relative to the gallery, where both are on one disk."""
    if not Path(name).is_dir():
        return name
    try:
        return Path(os.path.relpath(Path(name).absolute(), folder)).as_posix()
    except ValueError:  # another drive of Windows
        return str(Path(name).absolute())


def _rendered(template: str, values: dict[str, Any]) -> str:
    env = Environment(loader=PackageLoader("gallery", "templates/new"), undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    env.filters["yaml"] = lambda value: json.dumps(value, ensure_ascii=False)
    return env.get_template(template).render(values)
