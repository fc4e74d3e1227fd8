"""The true class of a passage, from the label or number that its file gives."""

from collections.abc import Sequence

from gallery.errors import PassageError
from gallery.passages.read import Passage


def class_number(passage: Passage, labels: Sequence[str]) -> int:
    """Return the number of a passage's true class.

    `labels` are the names of the model's classes by number. Raises PassageError, listing the labels, if the model has no such class.
    """
    if passage.true_class in labels:
        return labels.index(passage.true_class)
    if passage.true_class.isascii() and passage.true_class.isdigit() and int(passage.true_class) < len(labels):
        return int(passage.true_class)
    known = f"{', '.join(labels)}; or a number from 0 to {len(labels) - 1}"
    raise PassageError(f"{passage.origin}: true_class: {passage.true_class!r} is no class of the model. Use one of: {known}.")
