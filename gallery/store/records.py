"""What is stored: a frozen dataclass for each kind of record.

The render half needs this module and numpy, and no torch. `record_files` has their form on disk.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gallery.softmax import softmax

Array = NDArray[Any]


@dataclass(frozen=True)
class Model:
    """What the gallery knows of its classifier; written into the manifest.

    >>> read_header(store).model.labels
    ('Толстой', 'Чехов', 'Гоголь')
    """

    source: str
    """As configured: a directory, a hub id or a W&B artifact."""
    resolved: str
    """The exact version that `source` stood for, without machine paths."""
    weights_digest: str
    tokenizer_digest: str
    architecture: str
    labels: tuple[str, ...]
    """Class names by number."""
    layers: int
    heads: int
    hidden: int
    max_tokens: int
    """Longest input, special tokens included."""
    tokenizer: str = ""
    """The exact version of the tokenizer, if it comes from another source than the weights."""
    figures: dict[str, Any] | None = None
    """What training measured, from figures.json beside the weights, if it is there."""
    fast: bool | None = None
    """Whether the fast form of the encoder computed the numbers; None where it was not tried, or by an older version."""


@dataclass(frozen=True)
class Prediction:
    """What the model says to a passage, and how the passage falls into tokens and words.

    T tokens, W words, C classes. A word is a stretch of the original text; every token that is not
    special belongs to exactly one.

    >>> prediction = store.read("prediction", row.entries[EntryName("prediction")])
    >>> prediction.word_texts()[:3]
    ['«', 'Что', 'же']
    >>> prediction.probabilities.shape
    (3,)
    """

    kind: ClassVar[str] = "prediction"

    text: str
    tokens: tuple[str, ...]
    """[T] as the tokenizer prints them."""
    ids: Array
    """[T] int32."""
    offsets: Array
    """[T, 2] int32, characters of `text`."""
    special: Array
    """[T] bool."""
    words: Array
    """[W, 2] int32, characters of `text`, in order, not overlapping."""
    token_words: Array
    """[T] int32: the word a token belongs to, -1 for special tokens."""
    cut: int
    """How many characters of `text` the model read, to the end of the last word; len(text) when it read all."""
    logits: Array
    """[C] float32; of a passage in windows, their mean."""
    versions: dict[str, str]
    """Package versions that computed this."""
    windows: Array = field(default_factory=lambda: np.zeros((0, 2), np.int32))
    """[windows, 2] int32: the tokens between the special ones that each window reads, as places; none where the passage fits."""

    @property
    def probabilities(self) -> Array:
        """[C] float64, softmax of the logits."""
        return softmax(self.logits.astype(np.float64))

    @property
    def ranking(self) -> list[int]:
        """Class numbers, most probable first; ties by number."""
        return [int(c) for c in np.argsort(-self.logits, kind="stable")]

    def first_window(self) -> Array:
        """[tokens] int: the places of what the model takes in at once, which is all where the passage fits."""
        places: Array = np.arange(len(self.ids))
        if not len(self.windows):
            return places
        start, end = self.windows[0].tolist()
        first: Array = places[self.special | ((places >= start) & (places < end))]
        return first

    def word_texts(self) -> list[str]:
        """[W] the words as they stand in the passage."""
        return [self.text[start:end] for start, end in self.words.tolist()]


@dataclass(frozen=True)
class Attribution:
    """Signed contributions of a passage's words to one class, by one method, with the method's own error.

    Raw values in units of `output`; only the display is normalised. For methods with completeness
    `tokens.sum() == output_value - baseline_value + delta`.

    >>> name = EntryName("attribution", "integrated_gradients", row.true_class)
    >>> attribution = store.read("attribution", row.entries[name])
    >>> attribution.words.shape
    (19,)
    >>> change = attribution.output_value - attribution.baseline_value
    >>> abs(float(attribution.tokens.sum()) - change - attribution.delta) < 1e-4
    True
    """

    kind: ClassVar[str] = "attribution"

    method: str
    target: int
    """Number of the class that is explained."""
    parameters: dict[str, Any]
    """Everything that changes the numbers: baseline, steps, output, layer, dtype."""
    tokens: Array
    """[T] float64; special tokens included."""
    words: Array
    """[W] float64; signed sums over the pieces of a word."""
    output: str
    """What was explained: logit, probability or log-odds."""
    output_value: float
    """F(x) for the target."""
    baseline_value: float | None
    """F(baseline) for the target; None where the method has no baseline."""
    delta: float | None
    """Convergence delta, sum(tokens) - (F(x) - F(baseline)); None where the method does not promise completeness."""
    converged: bool | None
    """Whether |delta| met the tolerance; None where there is no delta."""
    steps: int
    """Points of the path at which gradients were taken, or forward passes for methods without a path."""
    baseline_probabilities: Array
    """[C] float64: what the model says to the baseline; empty where there is none."""
    versions: dict[str, str]
    extra: dict[str, Any] = field(default_factory=dict)
    """What belongs to one method alone, e.g. a rationale's words."""
    layers: Array = field(default_factory=lambda: np.zeros((0, 0)))
    """[layers, W] float64 for methods that explain each layer; else empty."""

    @property
    def delta_share(self) -> float | None:
        """The convergence delta as a share of the change of output, or of a tenth of all evidence where that is more.

        The same scale as the tolerance's; see gallery/attribution/quadrature.py.
        """
        if self.delta is None or self.baseline_value is None:
            return None
        return abs(self.delta) / max(abs(self.output_value - self.baseline_value), 0.1 * float(np.abs(self.tokens).sum()), 1e-7)


@dataclass(frozen=True)
class Attention:
    """The attention of one passage: every layer's queries and keys, encoded, and what is derived from them.

    >>> attention = store.read("attention", row.entries[EntryName("attention")])
    >>> attention.shape[:2]
    (3, 4)
    >>> attention.summary.shape == (3, 4, len(attention.summary_names))
    True
    """

    kind: ClassVar[str] = "attention"

    shape: tuple[int, int, int, int]
    """layers, heads, tokens T, size of a head."""
    encoding: dict[str, Any]
    """How `packed` is to be read: `kind` (products or weights), `precision`, whether `sums` are with it, and by layer
    `scaling` and `windows` (how far to either side a local layer sees, null for a global one)."""
    packed: dict[str, Array]
    """Layer number (two digits) -> uint8 bytes of one gzip file; gallery/attention/encoding.py has the format."""
    mean: Array
    """uint8 bytes of a gzip file: the mean of all heads [T, T]; empty where the passage is too long to keep it."""
    rollout: Array
    """uint8 bytes of a gzip file: attention rollout [T, T] (Abnar & Zuidema 2020); empty likewise."""
    picture: Array
    """uint8 bytes of a PNG, the static picture of all heads."""
    summary: Array
    """[layers, heads, len(summary_names)] float32: what each head does, shares of attention from 0 to 1."""
    summary_names: tuple[str, ...]
    versions: dict[str, str]


@dataclass(frozen=True)
class Heads:
    """What each attention head adds to the score of a class in one passage, to the first order.

    >>> heads = store.read("heads", row.entries[EntryName("heads")])
    >>> heads.effects.shape == (len(heads.targets), 3, 4)
    True
    """

    kind: ClassVar[str] = "heads"

    targets: tuple[int, ...]
    """Classes, in the order of `effects`."""
    effects: Array
    """[targets, layers, heads] float32: derivative of the logit with respect to a gate on the head's output; empty where
    the architecture does not let heads be told apart."""
    versions: dict[str, str]


@dataclass(frozen=True)
class Bertviz:
    """bertviz's own two views of an excerpt, as HTML documents without a foreign host.

    >>> bertviz = store.read("bertviz", row.entries[EntryName("bertviz")])
    >>> bertviz.tokens
    31
    """

    kind: ClassVar[str] = "bertviz"

    excerpt: str
    tokens: int
    model_view: str
    head_view: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Scripts:
    """The two libraries that bertviz's views draw with, kept once, so that rendering needs neither package."""

    kind: ClassVar[str] = "scripts"

    d3: str
    jquery: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Faithfulness:
    """How one attribution fares when words are taken away in its order; `Chance` is what it is held against.

    Shares S of the words. Probabilities of the explained class.

    >>> [name] = [name for name in row.entries if name.kind == "faithfulness" and name.method == "integrated_gradients"]
    >>> faithfulness = store.read("faithfulness", row.entries[name])
    >>> faithfulness.deletion.shape == faithfulness.shares.shape
    True
    """

    kind: ClassVar[str] = "faithfulness"

    method: str
    target: int
    parameters: dict[str, Any]
    shares: Array
    """[S] float64, shares of the words erased (deletion) or kept (insertion), from 0 to 1."""
    deletion: Array
    """[S] float64: probability after erasing the strongest words first."""
    insertion: Array
    """[S] float64: probability with the strongest words alone."""
    measures: dict[str, Any]
    """comprehensiveness and sufficiency by share, their means over the shares (`aopc_…`), the areas under the curves, and
    `aopc_reverse`, the mean comprehensiveness of the order reversed."""
    versions: dict[str, str]


@dataclass(frozen=True)
class Chance:
    """What the model says when a passage's words are taken in random orders: the control of every method and class.

    Shares S of the words; R random orders; C classes. Probabilities.

    >>> chance = store.read("chance", row.entries[EntryName("chance")])
    >>> chance.deletion.shape == (10, len(chance.shares), 3)
    True
    """

    kind: ClassVar[str] = "chance"

    parameters: dict[str, Any]
    shares: Array
    """[S] float64, as in Faithfulness."""
    deletion: Array
    """[R, S, C] float64: probabilities after erasing the first words of each order."""
    insertion: Array
    """[R, S, C] float64: probabilities with the first words alone."""
    versions: dict[str, str]


@dataclass(frozen=True)
class Sanity:
    """How like a method's attributions of a passage remain when the model's weights are randomised from the top down.

    Made by `python build.py sanity` for the passages that it tries; other passages have none.

    >>> [name for name in row.entries if name.kind == "sanity"]
    []
    """

    kind: ClassVar[str] = "sanity"

    method: str
    target: int
    parameters: dict[str, Any]
    steps: tuple[str, ...]
    """What was randomised in each step besides all before it: nothing, classifier, layer 12, …, layer 1, embeddings."""
    correlations: Array
    """[steps] Spearman's rank correlation of the words' magnitudes with those of the trained model: 1 where the method
    does not notice, near 0 where it answers to what was learned."""
    versions: dict[str, str]


@dataclass(frozen=True)
class Precision:
    """How far a passage's numbers, computed in a shorter format, are from those of the same model in float32.

    Made where `dtype` is not float32.

    >>> [name for name in row.entries if name.kind == "precision"]
    []
    """

    kind: ClassVar[str] = "precision"

    method: str
    target: int
    dtype: str
    probability: float
    """Of the target, as the gallery shows it."""
    exact_probability: float
    """The same in float32."""
    difference: float
    """Largest difference of a word's contribution, as a share of the largest contribution."""
    overlap: float
    """Share of the ten strongest words in common."""
    versions: dict[str, str]


Record = Prediction | Attribution | Attention | Heads | Bertviz | Scripts | Faithfulness | Chance | Sanity | Precision
RECORD_TYPES: dict[str, type[Any]] = {r.kind: r for r in (Prediction, Attribution, Attention, Heads, Bertviz, Scripts, Faithfulness, Chance, Sanity, Precision)}
