"""Errors that a user can mend: each prints its message without a traceback, and ends the program with status 1."""

import errno
import re
import sys
from pathlib import Path
from typing import Any

import click

_UNPRINTABLE = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class GalleryError(click.ClickException):
    """An error that the user can mend; the message names the file or key, and says what is wrong and what to do.

    >>> try:
    ...     load_settings(Path("nowhere.yml"))
    ... except GalleryError as error:
    ...     print(error.message)
    nowhere.yml: No such file or directory. Run python build.py in the folder of mkdocs.yml, name it with --config-file, or begin a gallery: ...
    """

    exit_code = 1

    def __init__(self, message: str) -> None:
        """Keep the message, with control characters and half characters written out: it may quote any file."""
        super().__init__(_UNPRINTABLE.sub(lambda match: repr(match[0])[1:-1], message))


class ConfigError(GalleryError):
    """mkdocs.yml or an option is wrong."""


class PassageError(GalleryError):
    """A passage cannot be used; the others can."""

    def __init__(self, message: str, origin: str = "", fault: str = "") -> None:
        """origin: the passage's file, and its line or row; fault: the same for every passage with the same fault, whatever its values."""
        super().__init__(message)
        self.origin = origin
        self.fault = fault or message.removeprefix(f"{origin}: ")


class SourceError(GalleryError):
    """A model, tokenizer or text cannot be read or fetched, or is damaged.

    >>> raise SourceError("shelf:authors: no such model. Correct the name.")
    Traceback (most recent call last):
        ...
    gallery.errors.SourceError: shelf:authors: no such model. Correct the name.
    """


class StoreError(GalleryError):
    """The store cannot be read or written."""

    def __init__(self, message: str, damage: str = "") -> None:
        """damage: what is wrong with the file, without its name and advice; empty where the file is missing or cannot be reached."""
        super().__init__(message)
        self.damage = damage


class SiteError(GalleryError):
    """The site cannot be built, checked or published."""


def shown(value: Any, longest: int = 80) -> str:
    """Return a value as a message quotes it: text in quotation marks, cut after `longest` characters; lists and the like by their type."""
    if not isinstance(value, str):
        return "nothing" if value is None else repr(value) if isinstance(value, (bool, int, float)) else f"a {type(value).__name__}"
    return repr(_cut(value, longest))


def short(text: str, longest: int = 120) -> str:
    """Return a text on one line, cut after `longest` characters."""
    return _cut(" ".join(text.split()), longest)


def reason(error: BaseException, longest: int = 300, line: int | None = None) -> str:
    """Return why an operation failed, on one line and without a full stop, for use within a message.

    The operating system's words for an OSError that has them, else the error's own text, else its type.
    `line` takes one line of a long text alone: 0 the first, -1 the last.
    """
    text = str(getattr(error, "strerror", None) or error).strip() or type(error).__name__
    return short(text if line is None else text.splitlines()[line], longest).rstrip(".")


def cure(error: BaseException) -> str:
    """Return what a user can do about a file that cannot be read or written, without a full stop: each cause has a cure of its own."""
    number = getattr(error, "errno", None)
    if number in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return "Make room there"
    if number in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return "Allow writing there"
    if number in {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY}:
        return "Move away what lies there"
    if number == errno.EXDEV:
        return "Choose a folder on the same disk as mkdocs.yml"
    if number == errno.ENOENT:
        return "It was taken away during the build, or is a part of the installed gallery that is missing: build again, or install it again"
    return "Mend that"


def command(words: str = "") -> str:
    """Return a command of this program as the user gave it: with build.py in a clone of the repository, else with the installed `gallery`."""
    program = Path(sys.argv[0])
    if program.name == "build.py":
        return f"python {program} {words}".rstrip()
    return f"{'python build.py' if _in_clone() and program.stem != 'gallery' else 'gallery'} {words}".rstrip()


def _in_clone() -> bool:
    return Path(__file__).parents[1].joinpath("constraints.txt").is_file()


def install_command(extra: str) -> str:
    """Return the command that installs an extra of this package, in a clone of the repository or elsewhere."""
    if _in_clone():
        return f'pip install -c constraints.txt -e ".[{extra}]"'
    return f'pip install "explanation-gallery[{extra}]"'


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + "…"
