"""Records: a frozen dataclass for each kind of result that is stored.

Needs numpy and no torch. `record_files` has their form on disk.
Longer than most modules, since every field of every record is explained, with an example a record.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from gallery.softmax import probabilities_of

Array = NDArray[Any]


@dataclass(frozen=True)
class Model:
    """The classifier of a gallery; part of the manifest.

    >>> read_header(store).model.labels
    ('Толстой', 'Чехов', 'Гоголь')
    """

    source: str
    """The configured name: a folder, a hub id or a W&B artifact, for example."""
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
    """Figures measured in training, from figures.json beside the weights; None if there is no such file."""
    loaded: str = ""
    """The class of transformers that runs the model; empty in a store of an older version."""
    weights_used: tuple[int, int] | None = None
    """How many tensors of the model's files that class uses, and how many there are."""
    problem: str = "single_label"
    """What the logits mean: `single_label` (softmax), `multi_label` (a sigmoid for each class), `one_logit` (two classes, told apart by a sigmoid)."""
    threshold: float = 0.5
    """A multi-label model names every class of at least this probability."""
    calibration: dict[str, Any] | None = None
    """What calibration.json beside the weights holds (see gallery/evaluation/calibration.py); None if there is no such file."""
    fast: bool | None = None
    """Whether the fast encoder computed the numbers; None if it was not tried, or in a store of an older version."""
    cross: int = 0
    """Layers in which a decoder attends to the encoder; their attention is counted behind that of `layers`."""

    @property
    def attending(self) -> int:
        """Number of layers whose attention is shown."""
        return self.layers + self.cross


@dataclass(frozen=True)
class Prediction:
    """The logits of a passage, and its division into tokens and words.

    T tokens, W words, C classes. A word is a stretch of the original text; each token belongs to a single
    word, special tokens to none.

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
    """[T] int32: number of the token's word, -1 for special tokens."""
    cut: int
    """Number of characters of `text` that the model read, to the end of the last word; len(text) if it read everything."""
    logits: Array
    """[C] float32; for a passage in windows, the mean over the windows."""
    versions: dict[str, str]
    """Versions of the packages that computed the record."""
    windows: Array = field(default_factory=lambda: np.zeros((0, 2), np.int32))
    """[windows, 2] int32: positions of each window's first token and end, special tokens apart; empty if the passage fits."""
    problem: str = "single_label"
    """What the logits mean, as in `Model`."""
    start: int = 0
    """Number of characters at the beginning of `text` that the model did not read, where its tokenizer cuts long texts on the left."""

    @property
    def probabilities(self) -> Array:
        """[C] float64: the softmax of the logits, or where each class is judged by itself, their sigmoids."""
        return probabilities_of(self.logits, self.problem)

    def verdict(self, threshold: float) -> tuple[int, ...]:
        """Return the classes that the model names, most probable first: one, or of a multi-label model all that reach the threshold."""
        if self.problem != "multi_label":
            return (self.ranking[0],)
        probabilities = self.probabilities
        return tuple(c for c in self.ranking if probabilities[c] >= threshold)

    @property
    def ranking(self) -> list[int]:
        """Class numbers, most probable first, ties by number."""
        return [int(c) for c in np.argsort(-self.logits, kind="stable")]

    def first_window(self) -> Array:
        """[tokens] int: positions of the tokens of the first window; of all tokens if the passage fits."""
        positions: Array = np.arange(len(self.ids))
        if not len(self.windows):
            return positions
        start, end = self.windows[0].tolist()
        first: Array = positions[self.special | ((positions >= start) & (positions < end))]
        return first

    def word_texts(self) -> list[str]:
        """[W] the words as written in the passage."""
        return [self.text[start:end] for start, end in self.words.tolist()]


@dataclass(frozen=True)
class Attribution:
    """Signed contributions of a passage's words to a class, by a method, with the method's own error.

    Raw values in units of `output`; only the display is normalised. For complete methods
    `tokens.sum() == output_value - start + delta`.

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
    """Number of the explained class."""
    parameters: dict[str, Any]
    """All settings on which the numbers depend: baseline, steps, output, layer, dtype."""
    tokens: Array
    """[T] float64; special tokens included."""
    words: Array
    """[W] float64; signed sums over the pieces of a word."""
    output: str
    """The explained quantity: logit, probability or log-odds; sigmoid is the probability of a class that is judged by itself."""
    output_value: float
    """F(x) for the target."""
    baseline_value: float | None
    """F(baseline) for the target; None if the method has no baseline."""
    delta: float | None
    """Convergence delta, sum(tokens) - (F(x) - start); None if the method does not promise completeness."""
    converged: bool | None
    """Whether |delta| met the tolerance; None without a delta."""
    steps: int
    """Number of path points at which gradients were computed; of forward passes for methods without a path."""
    baseline_probabilities: Array
    """[C] float64: probabilities of the baseline; empty without a baseline."""
    versions: dict[str, str]
    extra: dict[str, Any] = field(default_factory=dict)
    """Values of a single method, such as a rationale's words."""
    layers: Array = field(default_factory=lambda: np.zeros((0, 0)))
    """[layers, W] float64 for methods that explain each layer; empty for the others."""
    biases: float | None = None
    """What the model's biases add to the output whatever the tokens; None if the method does not tell it apart."""

    @property
    def start(self) -> float | None:
        """The output from which the contributions lead to `output_value`: of the baseline, or of the biases alone; None if they need not add up."""
        return self.baseline_value if self.biases is None else self.biases

    @property
    def absent(self) -> bool:
        """Whether the method cannot explain the passage, because the model shows no attention; its numbers are then 0."""
        return any(bool(extra.get("absent")) for extra in (self.extra, *self.extra.get("windows", ())))

    @property
    def delta_share(self) -> float | None:
        """The convergence delta as a share of the change of output, or of a tenth of the sum of magnitudes if that is more.

        The scale of `delta_tolerance`; see gallery/attribution/quadrature.py.
        """
        if self.delta is None or self.start is None:
            return None
        return abs(self.delta) / max(abs(self.output_value - self.start), 0.1 * float(np.abs(self.tokens).sum()), 1e-7)


@dataclass(frozen=True)
class EveryClass:
    """Contributions of a passage's words to every class, by a method that is cheap enough for all.

    C classes, W words; values in units of `output`. `words.sum(1) + specials + biases` is `outputs` but for rounding.

    >>> every = store.read("every_class", row.entries[EntryName("every_class", "decomposition")])
    >>> every.words.shape
    (3, 19)
    """

    kind: ClassVar[str] = "every_class"

    method: str
    parameters: dict[str, Any]
    """All settings on which the numbers depend, as in Attribution."""
    output: str
    """The explained quantity."""
    words: Array
    """[C, W] float32; signed sums over the pieces of a word."""
    specials: Array
    """[C] float64: contribution of the special tokens."""
    biases: Array
    """[C] float64: what the model's biases add, see Attribution; NaN if the method does not tell it apart."""
    outputs: Array
    """[C] float64: F(x) of each class."""
    errors: Array
    """[C] float64: Attribution.delta_share; NaN if the method does not promise that contributions add up."""
    versions: dict[str, str]


@dataclass(frozen=True)
class Attention:
    """The attention of a passage: the encoded queries and keys of each layer, and values derived from them.

    >>> attention = store.read("attention", row.entries[EntryName("attention")])
    >>> attention.shape[:2]
    (3, 4)
    >>> attention.summary.shape == (3, 4, len(attention.summary_names))
    True
    """

    kind: ClassVar[str] = "attention"

    shape: tuple[int, int, int, int]
    """Layers, heads, tokens T, size of a head."""
    encoding: dict[str, Any]
    """How to decode `packed`: `kind` (products or weights), `precision`, whether it has `sums`, and by layer `scaling` and
    `windows` (how far to either side a local layer sees, null for a global layer); `causal` where no token attends to later ones;
    `parts`, names and numbers of layers, where a decoder follows the encoder. Kind `none` stands for a model that shows no attention: `why`
    is a reason of `gallery.attention.eager.NoAttentionError`."""
    packed: dict[str, Array]
    """uint8 bytes of a gzip file by layer number (two digits); gallery/attention/encoding.py has the format."""
    mean: Array
    """uint8 bytes of a gzip file: the mean of all heads [T, T]; empty if the passage is too long to keep it."""
    rollout: Array
    """uint8 bytes of a gzip file: attention rollout [T, T] (Abnar & Zuidema 2020); empty likewise."""
    picture: Array
    """uint8 bytes of a PNG, the static picture of all heads."""
    summary: Array
    """[layers, heads, len(summary_names)] float32: shares of each head's attention by target, from 0 to 1."""
    summary_names: tuple[str, ...]
    versions: dict[str, str]
    norms: dict[str, Array] = field(default_factory=dict)
    """uint8 bytes of a gzip file by layer number (two digits): norm-based attention [T, T] (Kobayashi et al. 2020); empty unless
    `attention.norms` is set."""

    @property
    def shown(self) -> bool:
        """Whether there is any attention; a record without says why in `encoding`."""
        return bool(self.encoding["kind"] != "none")


@dataclass(frozen=True)
class Heads:
    """The effect of each attention head on the score of a class in a passage, to first order.

    >>> heads = store.read("heads", row.entries[EntryName("heads")])
    >>> heads.effects.shape == (len(heads.targets), 3, 4)
    True
    """

    kind: ClassVar[str] = "heads"

    targets: tuple[int, ...]
    """Classes, in the order of `effects`."""
    effects: Array
    """[targets, layers, heads] float32: derivative of the logit with respect to a gate on the head's output; empty if
    the architecture mixes heads."""
    versions: dict[str, str]


@dataclass(frozen=True)
class Bertviz:
    """bertviz's two views of an excerpt, as HTML documents that load nothing from other hosts.

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
    """The two JavaScript libraries of bertviz's views, stored once per gallery, so that rendering needs neither package."""

    kind: ClassVar[str] = "scripts"

    d3: str
    jquery: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Faithfulness:
    """The probability of a class as words are erased in the order of an attribution; `Chance` is the control.

    S shares of the words. Probabilities of the explained class.

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
    """[S] float64: probability with only the strongest words."""
    measures: dict[str, Any]
    """Comprehensiveness and sufficiency by share, their means over the shares (`aopc_…`), the areas under the curves, and
    `aopc_reverse`, the mean comprehensiveness of the reversed order."""
    versions: dict[str, str]
    steps: Array = field(default_factory=lambda: np.zeros(0))
    """[N] float64, more shares of the words, those of `shares` among them; empty in a record of an older version."""
    without: Array = field(default_factory=lambda: np.zeros((0, 0)))
    """[N, C] float64: probabilities of all classes after erasing the strongest words first, by `steps`."""
    alone: Array = field(default_factory=lambda: np.zeros((0, 0)))
    """[N, C] float64: probabilities of all classes with only the strongest words, by `steps`."""

    @property
    def absent(self) -> bool:
        """Whether the method cannot explain the passage, so that there was nothing to try; the curves are then 0."""
        return bool(self.measures.get("absent"))


@dataclass(frozen=True)
class Flip:
    """The fewest words found without which the model's answer is another; looked for in the order of an attribution.

    C classes, R random orders.

    >>> [name] = [name for name in row.entries if name.kind == "flip" and name.method == "integrated_gradients"]
    >>> flip = store.read("flip", row.entries[name])
    >>> flip.becomes is None or len(flip.words) <= flip.along
    True
    """

    kind: ClassVar[str] = "flip"

    method: str
    target: int
    """The model's answer for the whole passage."""
    parameters: dict[str, Any]
    along: int | None
    """Words from the strongest on after which the answer is another; None if it holds until no word is left."""
    words: Array
    """int32, numbers of the words that are left of these after pruning, strongest first; empty if the answer holds."""
    becomes: int | None
    """The answer without `words`; None if it holds."""
    probabilities: Array
    """[C] float64: probabilities without `words`; without any word if the answer holds."""
    pruned: bool
    """Whether the answer comes back with any single word of `words`: False if the search ended before all were tried."""
    random: Array
    """[R] int32: the answer without as many random words, by order; empty if the answer holds."""
    versions: dict[str, str]


@dataclass(frozen=True)
class Layers:
    """What the classifier's head says of the state after each encoder layer.

    >>> layers = store.read("layers", row.entries[EntryName("layers")])
    >>> layers.logits.shape
    (3, 3)
    """

    kind: ClassVar[str] = "layers"

    logits: Array
    """[layers, C] float32; the last row is the prediction. Empty if the architecture has no list of layers."""
    versions: dict[str, str]


@dataclass(frozen=True)
class Chance:
    """Probabilities as words are erased in random orders: the control of every method and class.

    S shares of the words; R random orders; C classes.

    >>> chance = store.read("chance", row.entries[EntryName("chance")])
    >>> chance.deletion.shape == (5, len(chance.shares), 3)
    True
    """

    kind: ClassVar[str] = "chance"

    parameters: dict[str, Any]
    shares: Array
    """[S] float64, as in Faithfulness."""
    deletion: Array
    """[R, S, C] float64: probabilities after erasing the first words of each order."""
    insertion: Array
    """[R, S, C] float64: probabilities with only the first words of each order."""
    versions: dict[str, str]


@dataclass(frozen=True)
class Sanity:
    """Similarity of a method's attributions before and after the model's weights are randomised from the top down.

    Made by `gallery sanity` for the passages that it tries; other passages have none.

    >>> [name for name in row.entries if name.kind == "sanity"]
    []
    """

    kind: ClassVar[str] = "sanity"

    method: str
    target: int
    parameters: dict[str, Any]
    steps: tuple[str, ...]
    """The part that each step randomises, in addition to earlier steps: nothing, classifier, layer 12, …, layer 1, embeddings."""
    correlations: Array
    """[steps] Spearman's rank correlation of the words' magnitudes with those of the trained model: 1 if the method ignores
    the weights, near 0 if it depends on them."""
    versions: dict[str, str]

    @property
    def absent(self) -> bool:
        """Whether the method cannot explain the passage; there are then no correlations."""
        return not self.correlations.size


@dataclass(frozen=True)
class Precision:
    """Difference between a passage's numbers in a shorter number format and those of the same model in float32.

    Made where `dtype` is not float32.

    >>> [name for name in row.entries if name.kind == "precision"]
    []
    """

    kind: ClassVar[str] = "precision"

    method: str
    target: int
    dtype: str
    probability: float
    """Probability of the target, as pages show it."""
    exact_probability: float
    """Probability of the target in float32."""
    difference: float
    """Largest difference of a word's contribution, as a share of the largest contribution."""
    overlap: float
    """Share of the ten strongest words that both have."""
    versions: dict[str, str]


@dataclass(frozen=True)
class Verification:
    """Difference between a method's numbers for a passage and those of Captum's own class on the plain model.

    Made by `python build.py verify`, and by each build for the shortest passage.

    >>> [name] = [name for name in row.entries if name.kind == "verification" and name.method == "integrated_gradients"]
    >>> verification = store.read("verification", row.entries[name])
    >>> verification.difference < 1e-4
    True
    """

    kind: ClassVar[str] = "verification"

    method: str
    target: int
    parameters: dict[str, Any]
    difference: float
    """Largest difference of a word's or special token's contribution, as a share of Captum's largest contribution of a word."""
    steps: int
    """Steps of Captum's integral; 0 for methods without one."""
    moved: float
    """How far the last doubling of the steps moved Captum's result, in the same measure; 0 where the steps are configured."""
    versions: dict[str, str]


@dataclass(frozen=True)
class Interactions:
    """Shapley interactions between the strongest words of a passage, for one class; made where the setting `interactions` is above 0.

    >>> [name for name in row.entries if name.kind == "interactions"]
    []
    """

    kind: ClassVar[str] = "interactions"

    method: str
    """The method whose strongest words these are."""
    target: int
    parameters: dict[str, Any]
    words: Array
    """[N] int: numbers of the words, in the order of the text."""
    values: Array
    """[N, N] float64, in units of the output: the interaction of each pair; on the diagonal the Shapley value of each word."""
    versions: dict[str, str]


@dataclass(frozen=True)
class Fallback:
    """The fast encoder of a model was found to give other numbers than Captum, so the model's own forward pass is used instead."""

    kind: ClassVar[str] = "fallback"

    architecture: str
    passage: str
    """Id of the passage on which it was seen."""
    method: str
    difference: float
    """As in Verification."""
    versions: dict[str, str]


Record = (
    Prediction
    | Attribution
    | EveryClass
    | Attention
    | Heads
    | Bertviz
    | Scripts
    | Faithfulness
    | Flip
    | Layers
    | Chance
    | Sanity
    | Precision
    | Verification
    | Interactions
    | Fallback
)
RECORD_TYPES: dict[str, type[Any]] = {record.kind: record for record in get_args(Record)}
