"""What a gallery says of an author: words that speak for and against, kinds of words, heads, over all passages."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gallery.site.vocabulary import WORD_KINDS, lemma, word_kinds
from gallery.store.records import Attention, Attribution, Heads, Prediction

WORDS = 12
"""Words that an author's page shows each way."""
PLACES = 2
"""Passages that each of them links to."""
HEADS = 6
"""Heads that the page names."""
STRETCHES = 60
"""Stretches that a passage's bar is cut into."""


@dataclass(frozen=True)
class Spoken:
    """What the words of one passage say of one class; plain values, so that it may be kept."""

    words: Mapping[str, tuple[float, int]]
    """Dictionary form -> its share of all |contribution|, with its sign, and the number of the strongest such word."""
    kinds: Mapping[str, tuple[float, float]]
    """Kind -> share of |contribution|, share of the words."""


@dataclass(frozen=True)
class HeadsSeen:
    """What each head does in one passage; plain values [layers][heads]."""

    effects: Sequence[Sequence[float]]
    """What it adds to the score of the true author, see Heads.effects."""
    goals: Sequence[Sequence[tuple[str, float]]]
    """What it looks at most, by Attention.summary_names, and how much of its attention goes there."""


def spoken(prediction: Prediction, attribution: Attribution, language: str) -> Spoken:
    """Return what a passage says of the class that an attribution explains."""
    sizes = np.abs(attribution.words)
    total = float(sizes.sum()) or 1.0
    sums: dict[str, float] = defaultdict(float)
    strongest: dict[str, int] = {}
    for number, (text, value) in enumerate(zip(prediction.word_texts(), attribution.words.tolist(), strict=True)):
        if any(c.isalpha() for c in text):
            form = lemma(text, language)
            sums[form] += value / total
            if form not in strongest or sizes[number] > sizes[strongest[form]]:
                strongest[form] = number
    kinds = np.array(word_kinds(prediction.text, [(start, end) for start, end in prediction.words.tolist()], language))
    shares = {kind: (_short(sizes[kinds == kind].sum() / total), _short((kinds == kind).sum() / max(1, len(kinds)))) for kind in WORD_KINDS}
    return Spoken({form: (_short(share), strongest[form]) for form, share in sums.items()}, shares)


def heads_seen(heads: Heads, attention: Attention | None, target: int) -> HeadsSeen | None:
    """Return what the heads of a passage do for a class; None where they cannot be told apart."""
    if target not in heads.targets or not heads.effects.size:
        return None
    effects = [[_short(effect) for effect in row] for row in heads.effects[heads.targets.index(target)].tolist()]
    if attention is None:
        return HeadsSeen(effects, [[("", 0.0) for _ in row] for row in effects])
    names = [name for name in attention.summary_names if name != "spread"]
    at = [attention.summary_names.index(name) for name in names]
    shares = attention.summary[..., at]
    found = zip(shares.argmax(axis=-1).tolist(), shares.max(axis=-1).tolist(), strict=True)
    return HeadsSeen(effects, [[(names[goal], _short(share)) for goal, share in zip(*layer, strict=True)] for layer in found])


def _short(value: float) -> float:
    return float(f"{value:.5g}")


@dataclass(frozen=True)
class Place:
    """Where a word stands."""

    share: float
    id: str
    """The passage."""
    title: str
    word: int
    """Number of the strongest such word in it."""


@dataclass
class WordSum:
    """A word's shares over the passages it stands in."""

    total: float = 0.0
    count: int = 0
    places: list[Place] = field(default_factory=list)
    """The strongest few."""

    def add(self, place: Place) -> None:
        """Take in one more passage."""
        self.total += place.share
        self.count += 1
        self.places = sorted([*self.places, place], key=lambda found: -abs(found.share))[:PLACES]


@dataclass(frozen=True)
class AuthorWord:
    """A word that speaks for or against an author."""

    word: str
    value: float
    """Mean share of |contribution| with its sign, over the passages in which the author was explained."""
    count: int
    """How many of them it stands in."""
    places: Sequence[Place]


@dataclass(frozen=True)
class KindShare:
    """How much of the attribution falls to one kind of words; means over an author's passages."""

    kind: str
    attribution: float
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
    """What it looks at most in most of them; empty where that is not kept."""
    share: float
    """How much of its attention goes there, in those."""


@dataclass
class AuthorSums:
    """What is summed up of an author while the passages go by; grows with the vocabulary alone."""

    passages: int = 0
    """Those in which he was explained."""
    words: dict[str, WordSum] = field(default_factory=lambda: defaultdict(WordSum))
    own: int = 0
    """His own passages."""
    kinds: dict[str, tuple[float, float]] = field(default_factory=lambda: dict.fromkeys(WORD_KINDS, (0.0, 0.0)))
    seen: int = 0
    """His own passages with heads."""
    effects: dict[tuple[int, int], float] = field(default_factory=lambda: defaultdict(float))
    goals: dict[tuple[int, int], dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    def add(self, ident: str, title: str, said: Spoken) -> None:
        """Take in what a passage says of him, his own or another's."""
        self.passages += 1
        for form, (share, number) in said.words.items():
            self.words[form].add(Place(share, ident, title, number))

    def add_own(self, said: Spoken, seen: HeadsSeen | None) -> None:
        """Take in what is counted over his own passages alone."""
        self.own += 1
        self.kinds = {kind: (self.kinds[kind][0] + said.kinds[kind][0], self.kinds[kind][1] + said.kinds[kind][1]) for kind in WORD_KINDS}
        if seen is None:
            return
        self.seen += 1
        for layer, row in enumerate(seen.effects):
            for head, effect in enumerate(row):
                self.effects[layer, head] += effect
                goal, share = seen.goals[layer][head]
                self.goals[layer, head][goal].append(share)

    def speaking(self) -> list[AuthorWord]:
        """Return the words that speak most strongly for and against, by the sum over passages."""
        sums = sorted(((found.total, word) for word, found in self.words.items()), reverse=True)
        chosen = [word for total, word in sums[:WORDS] if total > 0] + [word for total, word in reversed(sums[-WORDS:]) if total < 0]
        return [AuthorWord(word, found.total / self.passages, found.count, found.places) for word in chosen for found in (self.words[word],)]

    def kind_shares(self) -> list[KindShare]:
        """Return what falls to each kind of words; nothing where there is no passage of his."""
        return [KindShare(kind, one / self.own, other / self.own) for kind, (one, other) in self.kinds.items() if self.own]

    def head_effects(self) -> list[list[float]]:
        """Return the mean effects [layers][heads]; empty where heads cannot be told apart."""
        layers, heads = (1 + max((place[at] for place in self.effects), default=-1) for at in (0, 1))
        return [[self.effects[layer, head] / self.seen for head in range(heads)] for layer in range(layers)]

    def strongest_heads(self) -> list[AuthorHead]:
        """Return the heads of largest |mean effect|."""
        order = sorted(self.effects, key=lambda place: (-abs(self.effects[place]), place))[:HEADS]
        found = []
        for layer, head in order:
            goal, shares = max(self.goals[layer, head].items(), key=lambda item: (len(item[1]), item[0]))
            found.append(AuthorHead(layer, head, self.effects[layer, head] / self.seen, goal, sum(shares) / len(shares)))
        return found


def stretches(values: Sequence[float], count: int = STRETCHES) -> list[float]:
    """Return the sums of contributions over at most `count` stretches of a passage, each of like many words."""
    parts = np.array_split(np.asarray(values, float), min(count, len(values))) if len(values) else []
    return [float(part.sum()) for part in parts]
