"""What a gallery says of an author: words that speak for and against, kinds of words, heads, over all passages."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gallery.records import Array, Attention, Attribution, Heads, Prediction
from gallery.vocabulary import KINDS, lemma, word_kinds

WORDS = 12
"""Words that an author's page shows each way."""
HEADS = 5
"""Heads it names."""
STRETCHES = 48
"""Stretches that a passage's bar is cut into."""


@dataclass(frozen=True)
class Place:
    """Where a word stands."""

    id: str
    """The passage."""
    title: str
    word: int
    """Number of the strongest such word in it."""


@dataclass(frozen=True)
class AuthorWord:
    """A word that speaks for or against an author, over all passages in which he was explained."""

    word: str
    value: float
    """Mean share of |contribution| with its sign, over the passages it stands in."""
    places: tuple[Place, ...]
    """The strongest first."""


@dataclass(frozen=True)
class KindShare:
    """How much of the attribution falls to one kind of words."""

    kind: str
    attribution: float
    """Mean over passages of the share of |contribution|."""
    words: float
    """Share of the words, for comparison."""


@dataclass(frozen=True)
class AuthorHead:
    """A head on which the score of an author depends."""

    layer: int
    head: int
    effect: float
    """Mean over the author's passages of what the head adds to his score; see Heads.effects."""
    goal: str
    """What it looks at most, by Attention.summary_names; empty where that is not kept."""
    share: float
    """How much of its attention goes there."""


@dataclass(frozen=True)
class Spoken:
    """What one passage adds to an author's page; small, so that it may be kept for every passage."""

    words: tuple[tuple[str, float, int], ...]
    """(dictionary form, signed share of |contribution|, number of the strongest such word)."""
    kinds: Mapping[str, tuple[float, float]]
    """Kind -> (share of |contribution|, share of the words)."""


def spoken(prediction: Prediction, attribution: Attribution, language: str) -> Spoken:
    """Return what a passage says of the class that an attribution explains."""
    values = attribution.words
    sizes = np.abs(values)
    total = float(sizes.sum()) or 1.0
    sums: dict[str, float] = defaultdict(float)
    strongest: dict[str, int] = {}
    for number, (text, value) in enumerate(zip(prediction.word_texts(), values.tolist(), strict=True)):
        if any(c.isalpha() for c in text):
            form = lemma(text, language)
            sums[form] += value / total
            if form not in strongest or sizes[number] > sizes[strongest[form]]:
                strongest[form] = number
    kinds = np.array(word_kinds(prediction.text, [(start, end) for start, end in prediction.words.tolist()], language))
    shares = {kind: (float(sizes[kinds == kind].sum()) / total, float((kinds == kind).mean()) if len(kinds) else 0.0) for kind in KINDS}
    return Spoken(tuple((form, share, strongest[form]) for form, share in sums.items()), shares)


def speaking(found: Sequence[tuple[str, str, Spoken]]) -> list[AuthorWord]:
    """Return the words that speak most strongly for and against, by the sum over passages (id, title, what it says)."""
    places: dict[str, list[tuple[float, Place]]] = defaultdict(list)
    for ident, title, said in found:
        for form, share, number in said.words:
            places[form].append((share, Place(ident, title, number)))
    sums = sorted(((sum(share for share, _ in where), form) for form, where in places.items()), reverse=True)
    chosen = [form for total, form in sums[:WORDS] if total > 0] + [form for total, form in reversed(sums[-WORDS:]) if total < 0]
    return [_author_word(form, places[form]) for form in chosen]


def _author_word(form: str, where: Sequence[tuple[float, Place]]) -> AuthorWord:
    strongest = sorted(where, key=lambda found: -abs(found[0]))
    return AuthorWord(form, sum(share for share, _ in where) / len(where), tuple(place for _, place in strongest))


def kind_shares(found: Sequence[Spoken]) -> list[KindShare]:
    """Return the mean over passages of what falls to each kind of words."""
    if not found:
        return []
    return [KindShare(kind, *(float(np.mean([said.kinds[kind][at] for said in found])) for at in (0, 1))) for kind in KINDS]


@dataclass
class HeadSums:
    """Sums over an author's passages, from which the heads that matter are read."""

    passages: int = 0
    effects: Array = field(default_factory=lambda: np.zeros((0, 0)))
    summary: Array = field(default_factory=lambda: np.zeros((0, 0, 0)))
    names: tuple[str, ...] = ()

    def add(self, heads: Heads, target: int, attention: Attention | None) -> None:
        """Add one passage; without effect where the heads of its architecture cannot be told apart."""
        if target not in heads.targets or not heads.effects.size:
            return
        effects = heads.effects[heads.targets.index(target)].astype(np.float64)
        self.effects = effects if not self.passages else self.effects + effects
        if attention is not None:
            summary = attention.summary.astype(np.float64)
            self.summary = summary if not self.names else self.summary + summary
            self.names = attention.summary_names
        self.passages += 1

    def strongest(self) -> list[AuthorHead]:
        """Return the heads of largest |mean effect|."""
        if not self.passages:
            return []
        effects = self.effects / self.passages
        order = np.argsort(-np.abs(effects), axis=None, kind="stable")[:HEADS]
        return [self._head(int(place) // effects.shape[1], int(place) % effects.shape[1], effects) for place in order]

    def _head(self, layer: int, head: int, effects: Array) -> AuthorHead:
        goals = [(float(self.summary[layer, head, at]) / self.passages, name) for at, name in enumerate(self.names) if name != "spread"]
        share, goal = max(goals, default=(0.0, ""))
        return AuthorHead(layer, head, float(effects[layer, head]), goal, share)

    def grid(self) -> list[list[float]]:
        """Return the mean effects [layers][heads]."""
        return [[float(effect) for effect in row] for row in self.effects / max(1, self.passages)]


def mistaken(pairs: Sequence[int]) -> list[tuple[int, int]]:
    """Return (class, how often), the most frequent first."""
    return sorted(Counter(pairs).items(), key=lambda item: (-item[1], item[0]))


def stretches(values: Sequence[float], count: int = STRETCHES) -> list[float]:
    """Return the sums of contributions over at most `count` stretches of a passage of like many words."""
    parts = np.array_split(np.asarray(values, float), min(count, len(values))) if len(values) else []
    return [float(part.sum()) for part in parts]
