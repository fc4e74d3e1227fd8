"""The errors a user can cause: each prints one line, without a traceback, and ends with status 1."""

import click


class GalleryError(click.ClickException):
    """Something the user can mend; the message names the file or key, what is wrong and what to do."""

    exit_code = 1


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
