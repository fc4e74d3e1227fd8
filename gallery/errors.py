"""The errors a user can cause: each prints one line, without a traceback, and ends with status 1."""

import re
from typing import Any

import click

_UNPRINTABLE = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class GalleryError(click.ClickException):
    """Something the user can mend; the message names the file or key, what is wrong and what to do."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        """Write out what a terminal would obey and no encoding holds: messages quote what people and files say."""
        super().__init__(_UNPRINTABLE.sub(lambda wrong: repr(wrong[0])[1:-1], message))


class ConfigError(GalleryError):
    """mkdocs.yml or an option is wrong."""


class PassageError(GalleryError):
    """One passage cannot be used; the others can."""


class SourceError(GalleryError):
    """A model, tokenizer or text cannot be had, or is not what it should be."""


class StoreError(GalleryError):
    """The store cannot be read or written."""


class SiteError(GalleryError):
    """The site cannot be built, checked or published."""


def shown(value: Any, longest: int = 80) -> str:
    """Return a configured value as a message quotes it: a text in quotation marks, cut after `longest` characters; a list by its type."""
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


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + "…"
