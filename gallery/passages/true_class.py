"""The true class of a passage, from the label or number that its file gives."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gallery.errors import PassageError, shown
from gallery.passages.read import Passage

_LISTED = 30
"""At most so many labels are listed in a message."""


@dataclass(frozen=True)
class Classes:
    """The model's classes, as passages may name them.

    >>> Classes(("Толстой", "Чехов")).labels
    ('Толстой', 'Чехов')
    """

    labels: tuple[str, ...]
    """Names by number, as pages show them."""
    own: tuple[str, ...] = ()
    """The model's own names by number, which `labels` may replace."""
    read_as: Literal["name", "number"] | None = None
    """The setting `true_class_is`."""
    several: bool = False
    """Whether a passage may have several true classes: the model judges each class by itself."""


def class_numbers(passage: Passage, classes: Classes) -> tuple[int, ...]:
    """Return the numbers of a passage's true classes, each once: one, or for a multi-label model all that its file names.

    A file gives a list, which may be empty, or a text in which classes are separated by |. Raises PassageError as `class_number` does, and
    where a passage has several true classes, or none, though the model names one.
    """
    given = passage.true_classes
    if given is None and classes.several and "|" in passage.true_class and passage.true_class not in (*classes.labels, *classes.own):
        given = tuple(part.strip() for part in passage.true_class.split("|") if part.strip())
    if given is None:
        given = (passage.true_class,)
    if len(given) != 1 and not classes.several:
        count = len(given) or "no"
        raise PassageError(
            f"{passage.origin}: true_class: {count} classes, but the model names one of each text. Name one.", passage.origin, "true_class: several"
        )
    return tuple(dict.fromkeys(class_number(replace(passage, true_class=one), classes) for one in given))


def class_number(passage: Passage, classes: Classes) -> int:
    """Return the number of a passage's true class.

    A class may be named as pages name it, as the model itself names it, or by its number. Raises PassageError, listing the labels, if the
    model has no such class, and PassageError with both readings if the value names one class and numbers another.
    """
    value = _composed(passage.true_class)
    labels, own = ([_composed(name) for name in names] for names in (classes.labels, classes.own))
    readings: dict[int, str] = {}
    if classes.read_as != "number" or passage.names_class:
        if labels.count(value) == 1:
            readings[labels.index(value)] = "the name of class"
        if own.count(value) == 1 and not (readings and classes.read_as == "name"):
            readings.setdefault(own.index(value), "the model’s own name of class")
    if classes.read_as != "name" and not passage.names_class and re.fullmatch("[0-9]{1,9}", value) and int(value) < len(classes.labels):
        readings.setdefault(int(value), "the number of class")
    if len(readings) == 1:
        return next(iter(readings))
    if readings:
        both = ", or as ".join(f"{words} {number} ({shown(classes.labels[number])})" for number, words in readings.items())
        raise PassageError(
            f"{passage.origin}: true_class: {shown(value)} can be read as {both}. Set extra.gallery.true_class_is to name or to number.",
            passage.origin,
            "true_class is ambiguous",
        )
    raise PassageError(
        f"{passage.origin}: true_class: {shown(value)} is no class of the model. Use {_known(classes)}.", passage.origin, f"true_class {shown(value)}"
    )


def _composed(name: str) -> str:
    """Return a name with each letter and its accents as a single character where there is one: macOS and some editors take й apart."""
    return unicodedata.normalize("NFC", name)


def _known(classes: Classes) -> str:
    names, last = _listed(classes.labels), len(classes.labels) - 1
    if classes.read_as == "number":
        return f"a number from 0 to {last}; true_class_is is number"
    if classes.read_as == "name":
        return f"one of: {names}; true_class_is is name"
    return f"one of: {names}; or a number from 0 to {last}"


def _listed(labels: Sequence[str]) -> str:
    more = f", … ({len(labels) - _LISTED} more)" if len(labels) > _LISTED else ""
    return ", ".join(labels[:_LISTED]) + more
