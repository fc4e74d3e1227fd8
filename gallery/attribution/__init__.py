"""Attribution methods: contributions of words to a class. One module for each method.

In: a classifier, tokenised passages, the classes to explain, settings. Out: one `Attribution` for each class. Torch: needed.
"""

from gallery.attribution.gradients import gradient_norm, gradient_x_input
from gallery.attribution.integrated_gradients import integrated_gradients
from gallery.attribution.layer_integrated_gradients import layer_integrated_gradients
from gallery.attribution.method import Method
from gallery.attribution.occlusion import occlusion
from gallery.attribution.rationale import rationale
from gallery.attribution.rollout import attention_rollout
from gallery.attribution.surrogate import lime, shapley
from gallery.attribution.unified_information import unified_information
from gallery.attribution.windows import over_windows

METHODS: dict[str, Method] = {
    "integrated_gradients": over_windows(integrated_gradients),
    "gradient_x_input": over_windows(gradient_x_input),
    "gradient_norm": over_windows(gradient_norm),
    "occlusion": over_windows(occlusion),
    "attention_rollout": over_windows(attention_rollout),
    "layer_integrated_gradients": over_windows(layer_integrated_gradients),
    "unified_information": over_windows(unified_information),
    "lime": over_windows(lime),
    "shapley": over_windows(shapley),
    "rationale": rationale,  # asks about windows itself, as no mean of sets of words is such a set
}
