"""What became of a passage's probability when words were taken out, as the trust panel tells it."""

from dataclasses import dataclass

from gallery.store.records import Array, Chance, Faithfulness


@dataclass(frozen=True)
class Trial:
    """What became of the explained class's probability when words were taken out; beside it, chance."""

    name: int
    """The class."""
    whole: float
    """Probability of the whole passage."""
    words: int
    """How many words were taken, the strongest first."""
    without: float
    without_random: float
    """Mean over the random orders."""
    kept: int
    """How many words were left alone, the strongest."""
    alone: float
    alone_random: float
    deletion: str
    """Points of a curve for an SVG polyline of 100 × 40."""
    random: str
    rounding: float
    """How far a probability may be off because the products were rounded; 0 where they were not."""

    @property
    def comprehensive(self) -> bool:
        """Whether the strongest words cost more than random ones."""
        return self.without < self.without_random

    @property
    def sufficient(self) -> bool:
        """Whether the strongest words alone keep more than random ones."""
        return self.alone > self.alone_random


_TAKEN, _KEPT = 0.1, 0.2  # the shares of words that are put into sentences


def trial(found: Faithfulness, control: Chance, words: int) -> Trial:
    """Return a faithfulness record, chance beside it, as the trust panel tells it; `words` is how many the passage has."""
    shares = found.shares.tolist()
    taken, kept = shares.index(_TAKEN), shares.index(_KEPT)
    random_deletion, random_insertion = control.deletion[..., found.target], control.insertion[..., found.target]

    def curve(values: Array) -> str:
        last = len(values) - 1
        return " ".join(f"{100 * i / last:.1f},{40 - 40 * float(v):.1f}" for i, v in enumerate(values))

    return Trial(
        name=found.target,
        whole=float(found.deletion[0]),
        words=max(1, round(_TAKEN * words)),
        without=float(found.deletion[taken]),
        without_random=float(random_deletion[:, taken].mean()),
        kept=max(1, round(_KEPT * words)),
        alone=float(found.insertion[kept]),
        alone_random=float(random_insertion[:, kept].mean()),
        deletion=curve(found.deletion),
        random=curve(random_deletion.mean(axis=0)),
        rounding=float(found.measures["rounding"]),
    )
