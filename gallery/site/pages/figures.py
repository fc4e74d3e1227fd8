"""Figures that a program has measured and left as JSON; a file that is not as the program writes it is an error message."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gallery.errors import SiteError, reason, shown

DEFAULTS = Path(__file__).parents[2] / "documents"
"""The package's own documents, a folder for each language, and beside these the figures that were measured of the program."""


def folder_of(source: Path, name: str) -> Path:
    """Return the folder of a file of figures: the user's documents where they have it, else the package's."""
    return source if (source / name).exists() else DEFAULTS


def read_figures(path: Path, program: str) -> dict[str, Any] | None:
    """Return the figures of a JSON file, or None where there is no such file.

    Raises SiteError, naming the file and the program that writes it anew, where it is no JSON object.
    """
    try:
        figures = json.loads(path.read_bytes()) if path.exists() else None
    except (OSError, ValueError, RecursionError) as error:
        raise SiteError(f"{path}: not readable as JSON: {reason(error)}. {remedy(program)}") from error
    if figures is not None and not isinstance(figures, dict):
        raise SiteError(f"{path}: must be a JSON object, not {shown(figures)}. {remedy(program)}")
    return figures


def number_of(figures: Mapping[str, Any], key: str, path: Path, program: str) -> int:
    """Return the whole number under a key.

    Raises SiteError, naming the file and the key, where the value is something else.
    """
    value = figures[key]
    if not isinstance(value, int) or isinstance(value, bool):
        raise SiteError(f"{path}: {key} must be a whole number, not {shown(value)}. {remedy(program)}")
    return value


def remedy(program: str) -> str:
    """Return what an error message tells the reader to do about a file of figures."""
    return f"Run: {program}, or remove the file."
