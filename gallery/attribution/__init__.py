"""Attribution methods: a registry by name, and the protocol that each follows."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from gallery.attribution.gradients import gradient_norm, gradient_x_input
from gallery.attribution.integrated_gradients import integrated_gradients
from gallery.attribution.occlusion import occlusion
from gallery.attribution.rollout import attention_rollout
from gallery.classifier import Classifier, Encoded
from gallery.records import Attribution


class Method(Protocol):
    """Explains a batch of passages, each for several classes at once."""

    def __call__(
        self, classifier: Classifier, batch: Sequence[Encoded], targets: Sequence[Sequence[int]], parameters: Mapping[str, Any]
    ) -> list[list[Attribution]]:
        """Return, for each passage of the batch, one attribution per class in its `targets`.

        parameters: what `gallery.config.method_parameters` gives for the method.
        """
        ...


METHODS: dict[str, Method] = {
    "integrated_gradients": integrated_gradients,
    "gradient_x_input": gradient_x_input,
    "gradient_norm": gradient_norm,
    "occlusion": occlusion,
    "attention_rollout": attention_rollout,
}
