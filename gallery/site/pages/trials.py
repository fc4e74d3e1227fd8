"""The trust panel's trials: a passage's probability without its strongest words and with them alone, beside random words."""

from dataclasses import dataclass

from gallery.evaluation.metrics import KEPT, TAKEN
from gallery.store.records import Array, Chance, Faithfulness, Prediction


@dataclass(frozen=True)
class Trial:
    """The explained class's probability when words are erased, beside the mean over random orders."""

    name: int
    """The explained class."""
    whole: float
    """Probability of the whole passage."""
    words: int
    """Words that were erased, the strongest first."""
    without: float
    """Probability without them."""
    without_random: float
    """Mean over the random orders."""
    random_low: float
    """The lowest probability without those words in a random order."""
    random_high: float
    """The highest."""
    kept: int
    """Words that were kept, the strongest first."""
    alone: float
    """Probability with them alone."""
    alone_random: float
    deletion: str
    """Points of a curve for an SVG polyline of 100 × 40."""
    random: str
    """The same for the mean of the random orders."""
    rounding: float
    """Largest difference of a probability by bfloat16 products, where it was computed without them too; 0 where all are in float32."""
    orders: int
    """Number of random orders."""

    @property
    def comprehensive(self) -> bool:
        """Whether the strongest words cost more than random ones."""
        return self.without < self.without_random

    @property
    def sufficient(self) -> bool:
        """Whether the strongest words alone keep more than random ones."""
        return self.alone > self.alone_random


def trial(measured: Faithfulness, control: Chance, prediction: Prediction) -> Trial:
    """Return the trial of a passage from its faithfulness record and its random orders."""
    shares, words = measured.shares.tolist(), len(prediction.words)
    taken, kept = shares.index(TAKEN), shares.index(KEPT)
    random_deletion, random_insertion = control.deletion[..., measured.target], control.insertion[..., measured.target]

    def curve(values: Array) -> str:
        last = len(values) - 1
        return " ".join(f"{100 * i / last:.1f},{40 - 40 * float(v):.1f}" for i, v in enumerate(values))

    return Trial(
        name=measured.target,
        whole=float(prediction.probabilities[measured.target]),
        words=max(1, round(TAKEN * words)),
        without=float(measured.deletion[taken]),
        without_random=float(random_deletion[:, taken].mean()),
        random_low=float(random_deletion[:, taken].min()),
        random_high=float(random_deletion[:, taken].max()),
        kept=max(1, round(KEPT * words)),
        alone=float(measured.insertion[kept]),
        alone_random=float(random_insertion[:, kept].mean()),
        deletion=curve(measured.deletion),
        random=curve(random_deletion.mean(axis=0)),
        rounding=float(measured.measures["rounding"]),
        orders=len(random_deletion),
    )
