"""Attribution methods: a registry by name, and the protocol that each follows."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from gallery.attribution.gradients import gradient_norm, gradient_x_input
from gallery.attribution.integrated_gradients import integrated_gradients
from gallery.attribution.layer_integrated_gradients import layer_integrated_gradients
from gallery.attribution.occlusion import occlusion
from gallery.attribution.rationale import rationale
from gallery.attribution.rollout import attention_rollout
from gallery.attribution.surrogate import lime, shapley
from gallery.attribution.unified_information import unified_information
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
    "layer_integrated_gradients": layer_integrated_gradients,
    "unified_information": unified_information,
    "lime": lime,
    "shapley": shapley,
    "rationale": rationale,
}
