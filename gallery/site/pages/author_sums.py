"""An author over all passages of the gallery: words that speak for and against, kinds of words, heads."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gallery.site.vocabulary import WORD_KINDS, lemma, word_kinds
from gallery.store.records import Array, Attention, Heads, Prediction

WORDS = 12
"""Words that an author's page shows for each sign."""
LINKS = 2
"""Passages that each of these words links to."""
HEADS = 6
"""Heads that the page names."""
LEAST = 1e-3
"""Least share of a passage's contributions with which a word counts for an author."""
STRETCHES = 60
"""Most stretches of a passage's bar."""


@dataclass(frozen=True)
class Spoken:
    """Evidence of one passage's words for one class; plain values, since it is kept for the next build."""

    words: Mapping[str, tuple[float, int]]
    """Dictionary form -> its signed share of all |contribution|, and the number of the strongest word of that form."""
    kinds: Mapping[str, tuple[float, float]]
    """Kind -> share of |contribution|, share of the words."""


@dataclass(frozen=True)
class HeadsSeen:
    """Effects and attention of each head in one passage; plain values [layers][heads]."""

    effects: Sequence[Sequence[float]]
    """Effect on the score of the true author, see Heads.effects."""
    goals: Sequence[Sequence[tuple[str, float]]]
    """Main target of its attention, by Attention.summary_names, and the share of its attention."""


def spoken(prediction: Prediction, words: Array, language: str) -> list[Spoken]:
    """Return the evidence of a passage's words for each of C classes, from contributions [C, W].

    A form whose share is below a thousandth is left out: no sum over passages depends on it.
    """
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, text in enumerate(prediction.word_texts()):
        if any(c.isalpha() for c in text):
            numbers[lemma(text, language)].append(number)
    kinds = np.array(word_kinds(prediction.text, [(start, end) for start, end in prediction.words.tolist()], language))
    return [_spoken(values, numbers, kinds) for values in words]


def _spoken(words: Array, numbers: Mapping[str, Sequence[int]], kinds: Array) -> Spoken:
    sizes = np.abs(words)
    total = float(sizes.sum()) or 1.0
    values, magnitudes = (words / total).tolist(), sizes.tolist()
    said = {}
    for form, places in numbers.items():
        share = sum(values[place] for place in places)
        if abs(share) >= LEAST:
            said[form] = (_short(share), max(places, key=magnitudes.__getitem__))
    shares = {kind: (_short(sizes[kinds == kind].sum() / total), _short((kinds == kind).sum() / max(1, len(kinds)))) for kind in WORD_KINDS}
    return Spoken(said, shares)


def heads_seen(heads: Heads, attention: Attention | None, target: int) -> HeadsSeen | None:
    """Return the heads' effects on a class in one passage; None where the model's heads cannot be separated."""
    if target not in heads.targets or not heads.effects.size:
        return None
    effects = [[_short(effect) for effect in row] for row in heads.effects[heads.targets.index(target)].tolist()]
    if attention is None:
        return HeadsSeen(effects, [[("", 0.0) for _ in row] for row in effects])
    names = [name for name in attention.summary_names if name != "spread"]
    shares = attention.summary[..., [attention.summary_names.index(name) for name in names]]
    layers = zip(shares.argmax(axis=-1).tolist(), shares.max(axis=-1).tolist(), strict=True)
    return HeadsSeen(effects, [[(names[goal], _short(share)) for goal, share in zip(*layer, strict=True)] for layer in layers])


def _short(value: float) -> float:
    """Return a number with five digits."""
    return float(f"{value:.5g}")


@dataclass(frozen=True)
class Occurrence:
    """A word in one passage."""

    share: float
    """Signed share of all |contribution| of the passage."""
    id: str
    """The passage."""
    title: str
    word: int
    """Number of the strongest word of that form in it."""


@dataclass
class WordSum:
    """A word's shares, summed over the passages in which it occurs."""

    total: float = 0.0
    count: int = 0
    strongest: list[Occurrence] = field(default_factory=list)
    """The strongest few."""

    def add(self, occurrence: Occurrence) -> None:
        """Add one passage."""
        self.total += occurrence.share
        self.count += 1
        if len(self.strongest) == LINKS and abs(occurrence.share) <= abs(self.strongest[-1].share):
            return
        self.strongest = sorted([*self.strongest, occurrence], key=lambda other: -abs(other.share))[:LINKS]


@dataclass(frozen=True)
class AuthorWord:
    """A word that speaks for or against an author."""

    word: str
    value: float
    """Mean signed share of |contribution|, over the passages in which the author was explained."""
    count: int
    """How many of these passages it occurs in."""
    places: Sequence[Occurrence]


@dataclass(frozen=True)
class KindShare:
    """Share of one kind of words in the attributions; means over an author's passages."""

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
    """Mean effect on the author's score over the author's passages; see Heads.effects."""
    goal: str
    """Its most frequent main target of attention; empty where attention is not stored."""
    share: float
    """Mean share of its attention on that target, in the passages where it is the main one."""


@dataclass
class AuthorSums:
    """Running sums for an author; they grow with the vocabulary alone, not with the passages."""

    passages: int = 0
    """Passages in which the author was explained."""
    words: dict[str, WordSum] = field(default_factory=lambda: defaultdict(WordSum))
    pairs: dict[tuple[str, str], WordSum] = field(default_factory=lambda: defaultdict(WordSum))
    """Interactions of pairs of words, in the passages that the model takes for the author's."""
    own: int = 0
    """The author's passages."""
    kinds: dict[str, tuple[float, float]] = field(default_factory=lambda: dict.fromkeys(WORD_KINDS, (0.0, 0.0)))
    seen: int = 0
    """The author's passages that have effects of heads."""
    effects: dict[tuple[int, int], float] = field(default_factory=lambda: defaultdict(float))
    goals: dict[tuple[int, int], dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    def add(self, ident: str, title: str, said: Spoken) -> None:
        """Add a passage's evidence for this author, whoever wrote it."""
        self.passages += 1
        for form, (share, number) in said.words.items():
            self.words[form].add(Occurrence(share, ident, title, number))

    def add_pairs(self, ident: str, title: str, pairs: Sequence[tuple[str, str, float, int]]) -> None:
        """Add the interactions of a passage that the model takes for this author's; see `pairs_for_author`."""
        for first, second, value, number in pairs:
            self.pairs[first, second].add(Occurrence(value, ident, title, number))

    def together(self) -> list[tuple[str, str, WordSum]]:
        """Return the pairs of words of the largest |sum of interactions|."""
        order = sorted(self.pairs.items(), key=lambda item: (-abs(item[1].total), item[0]))[:WORDS]
        return [(first, second, word_sum) for (first, second), word_sum in order]

    def add_own(self, said: Spoken, seen: HeadsSeen | None) -> None:
        """Add one of the author's passages to the sums over these alone."""
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
        sums = sorted(((word_sum.total, word) for word, word_sum in self.words.items()), reverse=True)
        chosen = [word for total, word in sums[:WORDS] if total > 0] + [word for total, word in reversed(sums[-WORDS:]) if total < 0]
        return [AuthorWord(word, self.words[word].total / self.passages, self.words[word].count, self.words[word].strongest) for word in chosen]

    def kind_shares(self) -> list[KindShare]:
        """Return the share of each kind of words; nothing where the author has no passage."""
        return [KindShare(kind, attribution / self.own, words / self.own) for kind, (attribution, words) in self.kinds.items() if self.own]

    def head_effects(self) -> list[list[float]]:
        """Return the mean effects [layers][heads]; empty where the model's heads cannot be separated."""
        layers, heads = (1 + max((head[axis] for head in self.effects), default=-1) for axis in (0, 1))
        return [[self.effects[layer, head] / self.seen for head in range(heads)] for layer in range(layers)]

    def strongest_heads(self) -> list[AuthorHead]:
        """Return the heads of largest |mean effect|."""
        order = sorted(self.effects, key=lambda head: (-abs(self.effects[head]), head))[:HEADS]
        strongest = []
        for layer, head in order:
            goal, shares = max(self.goals[layer, head].items(), key=lambda item: (len(item[1]), item[0]))
            strongest.append(AuthorHead(layer, head, self.effects[layer, head] / self.seen, goal, sum(shares) / len(shares)))
        return strongest


def stretches(values: Sequence[float], count: int = STRETCHES) -> list[float]:
    """Return the sums of contributions over at most `count` stretches of a passage, of equally many words each."""
    parts = np.array_split(np.asarray(values, float), min(count, len(values))) if len(values) else []
    return [float(part.sum()) for part in parts]
