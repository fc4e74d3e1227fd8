"""Where in the network the answer is made: what the classifier's head says after each layer, as a picture."""

from dataclasses import dataclass

from gallery.site.passage_input import PassageInput
from gallery.softmax import probabilities_of
from gallery.store.records import Layers

_WIDTH, _HEIGHT = 320, 120
_CLASSES = 3


@dataclass(frozen=True)
class Curve:
    """A class over the layers."""

    name: int
    """Class."""
    points: str
    """For an SVG polyline."""
    share: float
    """Probability after the last layer."""


@dataclass(frozen=True)
class Depth:
    """The picture of a passage."""

    layers: int
    curves: tuple[Curve, ...]
    """The likeliest classes of the prediction, likeliest first."""
    ticks: tuple[tuple[float, int], ...]
    """x and number of the layers that are named."""
    since: int
    """The first layer from which on the head names the model's answer, counted from 1."""


def depth(passage: PassageInput) -> Depth | None:
    """Return the picture, None where no layers were read: in a store of an older version, or for a model without a list of layers."""
    record = passage.first(Layers)
    if record is None or len(record.logits) < 2:
        return None
    shares = probabilities_of(record.logits, passage.prediction.problem)
    count = len(shares)
    where = [round(_WIDTH * layer / (count - 1), 1) for layer in range(count)]
    named = shares.argmax(-1) == passage.predicted
    since = next(layer for layer in range(count) if named[layer:].all())
    return Depth(
        layers=count,
        curves=tuple(
            Curve(name, " ".join(f"{x},{_HEIGHT * (1 - float(share)):.1f}" for x, share in zip(where, shares[:, name], strict=True)), float(shares[-1, name]))
            for name in passage.ranking[:_CLASSES]
        ),
        ticks=tuple((where[layer], layer + 1) for layer in sorted({0, (count - 1) // 2, count - 1})),
        since=since + 1,
    )
