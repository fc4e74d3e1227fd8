"""The protocol that each attribution method follows."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.records import Attribution


class Method(Protocol):
    """Explains a batch of passages, each for several classes at once."""

    def __call__(
        self, classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Mapping[str, Any]
    ) -> list[list[Attribution]]:
        """Return, for each passage of the batch, one attribution per class in its `targets`.

        parameters: what `gallery.config.method_parameters` gives for the method.
        """
        ...
