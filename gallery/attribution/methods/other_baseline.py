"""Integrated gradients from a second baseline: how much of an explanation is owed to the choice of the empty text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gallery.attribution.methods.integrated_gradients import INTEGRATED_GRADIENTS, integrated_gradients
from gallery.methods import Method

if TYPE_CHECKING:
    from gallery.attribution.method import Parameters
    from gallery.model.classifier import Classifier
    from gallery.model.tokenized import Tokenized
    from gallery.store.records import Attribution


def second_baseline(baseline: str) -> str:
    """Return the baseline of this method where `baseline` is that of integrated gradients: `mask` for `pad`, `pad` for the others."""
    return "mask" if baseline == "pad" else "pad"


def other_baseline(classifier: Classifier, batch: Sequence[Tokenized], targets: Sequence[Sequence[int]], parameters: Parameters) -> list[list[Attribution]]:
    """Return integrated gradients from the baseline that the settings do not name: `mask` for `pad`, `pad` for the others.

    Which empty text a path begins at is a choice that no theory makes (Sturmfels et al. 2020, Distill); where both give the same words, it
    matters little. Parameters as for integrated gradients; `extra` names the baseline.
    """
    second = second_baseline(parameters["baseline"])
    found = integrated_gradients(classifier, batch, targets, {**parameters, "baseline": second})
    return [
        [replace(one, method=OTHER_BASELINE.name, parameters={**one.parameters, **parameters}, extra={**one.extra, "baseline": second}) for one in passage]
        for passage in found
    ]


OTHER_BASELINE = Method(
    name="other_baseline",
    title="integrated gradients from another empty text",
    question="what changes if the path begins at another empty text",
    compute=other_baseline,
    order=13,
    settings=INTEGRATED_GRADIENTS.settings,
    version=INTEGRATED_GRADIENTS.version,
    complete=True,
    forward="N",
    backward="N·T",
    captum="LayerIntegratedGradients",
)
