"""The errors a user can cause: each prints one line, without a traceback, and ends with status 1."""

import re
from typing import Any

import click

_LONGEST_SHOWN = 80
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


def shown(value: Any) -> str:
    """Return a value as a message can show it, whatever it is."""
    if not isinstance(value, str):
        return "nothing" if value is None else repr(value) if isinstance(value, (bool, int, float)) else f"a {type(value).__name__}"
    return repr(value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "…")
