"""The call that each attribution method answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gallery.store.records import Attribution

if TYPE_CHECKING:
    from gallery.model.classifier import Classifier
    from gallery.model.tokenized import Tokenized

Parameters = Mapping[str, Any]
"""What `Method.parameters` gives for the method."""


class Compute(Protocol):
    """Explains several token sequences, each for several classes at once."""

    def __call__(self, classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
        """Return, for each sequence of the batch, one attribution for each class in its `targets`.

        The batch is one passage, or the windows of a passage longer than the model.
        """
        ...
