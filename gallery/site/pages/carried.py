"""How much of a passage the site carries: of its attention first. The store has all of it; what is left out of a site needs no new explaining."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gallery.attention.encoding import attention_files, decode_queries_keys, decode_sums, decode_weights, encode_queries_keys, encode_weights
from gallery.attention.picture import reduced
from gallery.config import AttentionSettings, Settings
from gallery.errors import ConfigError
from gallery.softmax import log_sum_exp
from gallery.store.records import Array, Attention, Prediction


@dataclass(frozen=True)
class Carried:
    """What the site carries, of every passage alike."""

    layers: tuple[int, ...]
    """Numbers of the layers whose heads can be opened, from 0, ascending."""
    of: int
    """How many layers the model has."""
    means: bool = True
    """Whether the mean of all heads and rollout are there; without them and without layers only the picture is, at half its size."""
    tokens: int | None = None
    """Length of the excerpt that is carried of longer passages; None for whole passages."""
    bertviz: bool = True
    """Whether bertviz's views are there, where they were made."""
    packed: bool = False
    """Whether what a reader may take away is packed (gzip), and the table of words is left for the page to make."""
    small: bool = False
    """Whether the picture of the heads is at a third of its size, and not at half."""
    cards: bool = True
    """Whether each passage has a picture of its own for where its link is shared; without, it is the gallery's."""
    fitted_mb: float | None = None
    """The budget for which `attention.fit` chose this; None where the settings did."""

    @property
    def layer_names(self) -> str:
        """The layers as the pages number them."""
        return ", ".join(str(number + 1) for number in self.layers)

    def words(self) -> str:
        """Return what is carried, as the settings would say it."""
        kept = f"layers: {'all' if len(self.layers) == self.of else self.layer_names}" if self.layers else "layers: mean" if self.means else "layers: none"
        return kept + (f", tokens: {self.tokens}" if self.tokens else "") + "".join(f", {said}" for said in self._further())

    def _further(self) -> Iterator[str]:
        if not self.bertviz:
            yield "without bertviz"
        if self.packed:
            yield "downloads packed"
        if self.small:
            yield "small pictures of heads"
        if not self.cards:
            yield "one card for all passages"

    def opens(self, attention: Attention) -> bool:
        """Tell whether there is anything of this passage for the reader to open."""
        return bool(self.layers) or (self.means and attention.mean.size > 0)

    def excerpt(self, prediction: Prediction) -> int | None:
        """Return how many tokens of this passage are carried; None for all of them."""
        words = prediction.token_words[prediction.first_window()].tolist()
        if self.tokens is None or len(words) <= self.tokens:
            return None
        whole = [end for end in range(1, self.tokens + 1) if words[end] != words[end - 1] or words[end] < 0]
        return whole[-1] if whole else self.tokens  # a word stays in one piece, unless there is only one


def carried_by(settings: Settings, layers: int) -> Carried:
    """Return what the settings say of a model with so many layers.

    Raises ConfigError for a layer that the model does not have.
    """
    wanted: AttentionSettings = settings.attention
    chosen: Sequence[int] = range(1, layers + 1) if wanted.layers == "all" else wanted.layers if isinstance(wanted.layers, tuple) else ()
    if chosen and max(chosen) > layers:
        raise ConfigError(f"extra.gallery.attention.layers: there is no layer {max(chosen)}: the model has {layers}. Name layers from 1 to {layers}.")
    return Carried(tuple(number - 1 for number in chosen), layers, wanted.layers != "none", wanted.tokens)


def carried_files(prediction: Prediction, attention: Attention, carried: Carried) -> dict[str, bytes]:
    """Return what the site carries of a passage's attention, by file name."""
    if not carried.opens(attention):
        return {"heads.png": reduced(attention.picture.tobytes(), 3 if carried.small else 2)}
    kept = replace(attention, packed={name: data for name, data in attention.packed.items() if int(name) in carried.layers})
    count = carried.excerpt(prediction)
    return attention_files(*(_cut(prediction, kept, count) if count else (prediction, kept)))


def _cut(prediction: Prediction, attention: Attention, count: int) -> tuple[Prediction, Attention]:
    """Return the first tokens of a passage, with the weights they have in the whole one: their rows add up to less than 1."""
    layers, heads, tokens, size = attention.shape
    products = attention.encoding["kind"] == "products"
    packed = {name: _cut_products(data, name, attention, count) if products else _cut_weights(data, tokens, count) for name, data in attention.packed.items()}
    first = prediction.first_window()[:count]
    short = replace(
        prediction,
        tokens=tuple(prediction.tokens[place] for place in first.tolist()),
        ids=prediction.ids[first],
        offsets=prediction.offsets[first],
        special=prediction.special[first],
        token_words=prediction.token_words[first],
        words=prediction.words[: int(prediction.token_words[first].max(initial=-1)) + 1],
        windows=np.zeros((0, 2), np.int32),
    )
    return short, replace(
        attention,
        shape=(layers, heads, count, size),
        encoding={**attention.encoding, "sums": products, "shares": True},
        packed=packed,
        mean=_cut_weights(attention.mean, tokens, count),
        rollout=_cut_weights(attention.rollout, tokens, count),
    )


def _cut_weights(data: Array, tokens: int, count: int) -> Array:
    if not data.size:
        return data
    weights = decode_weights(data.tobytes(), tokens)[:, :count, :count]
    return np.frombuffer(encode_weights(weights, shares=True), np.uint8)


def _cut_products(data: Array, name: str, attention: Attention, count: int) -> Array:
    _, heads, tokens, size = attention.shape
    encoding, blob, number = attention.encoding, data.tobytes(), int(name)
    queries, keys = decode_queries_keys(blob, heads, tokens, size)
    scaling, window = encoding["scaling"][number], encoding["windows"][number]
    first = queries[:, :count]
    if encoding["sums"]:
        sums = decode_sums(blob, heads, tokens)[:, :count]
    else:
        scores = first @ keys.transpose(0, 2, 1) * np.float32(scaling)
        if window is not None:
            scores[:, np.abs(np.arange(count)[:, None] - np.arange(tokens)) > window] = -np.inf
        sums = log_sum_exp(scores)
    # Keys are centred again over the excerpt, so the sums are moved by as much as all scores of a row are.
    moved = (first @ keys[:, :count].mean(axis=1)[:, :, None])[..., 0] * scaling
    return np.frombuffer(encode_queries_keys(first, keys[:, :count], scaling, encoding["precision"], sums - moved), np.uint8)
