"""The share of each passage's attention and files that the site carries. The store always has all, so another choice needs no explaining."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gallery.attention.encoding import (
    attention_files,
    decode_mean,
    decode_queries_keys,
    decode_sums,
    decode_weights,
    encode_mean,
    encode_queries_keys,
    encode_weights,
    out_of_reach,
)
from gallery.attention.picture import reduced
from gallery.config import AttentionSettings, Settings
from gallery.errors import ConfigError
from gallery.softmax import log_sum_exp
from gallery.store.records import Array, Attention, Prediction


@dataclass(frozen=True)
class Carried:
    """The parts that the site carries, the same for every passage."""

    layers: tuple[int, ...]
    """Numbers of the layers whose heads can be opened, from 0, ascending."""
    of: int
    """Number of layers of the model."""
    means: bool = True
    """Whether the site has the mean of all heads and rollout; without these and without layers it has the picture alone, at half size."""
    tokens: int | None = None
    """Length of the excerpt whose attention is carried; None for whole passages."""
    bertviz: bool = True
    """Whether the site has bertviz's views, where they were made."""
    packed: bool = False
    """Whether downloads are packed (gzip), and the page makes the table of words itself."""
    small: bool = False
    """Whether the picture of the heads has a third of its size, instead of half."""
    cards: bool = True
    """Whether each passage has a card of its own; else it has the gallery's."""
    fitted_mb: float | None = None
    """Budget for which `attention.fit` chose; None where the settings chose."""

    @property
    def layer_names(self) -> str:
        """The layers as the pages number them."""
        return ", ".join(str(number + 1) for number in self.layers)

    def words(self) -> str:
        """Return a description in the words of the settings."""
        kept = f"layers: {'all' if len(self.layers) == self.of else self.layer_names}" if self.layers else "layers: mean" if self.means else "layers: none"
        return kept + (f", tokens: {self.tokens}" if self.tokens else "") + "".join(f", {text}" for text in self._further())

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
        """Tell whether the reader can open any attention of this passage."""
        return bool(self.layers) or (self.means and attention.mean.size > 0)

    def excerpt(self, prediction: Prediction) -> int | None:
        """Return the length of this passage's excerpt in tokens; None where it is carried whole."""
        words = prediction.token_words[prediction.first_window()].tolist()
        if self.tokens is None or len(words) <= self.tokens:
            return None
        whole = [end for end in range(1, self.tokens + 1) if words[end] != words[end - 1] or words[end] < 0]
        return whole[-1] if whole else self.tokens  # the excerpt ends between two words, unless it lies within the first


def carried_by(settings: Settings, layers: int) -> Carried:
    """Return the parts that the settings choose, for a model with so many layers.

    Raises ConfigError for a layer that the model does not have.
    """
    wanted: AttentionSettings = settings.attention
    chosen: Sequence[int] = range(1, layers + 1) if wanted.layers == "all" else wanted.layers if isinstance(wanted.layers, tuple) else ()
    if chosen and max(chosen) > layers:
        raise ConfigError(f"extra.gallery.attention.layers: there is no layer {max(chosen)}: the model has {layers}. Name layers from 1 to {layers}.")
    return Carried(tuple(number - 1 for number in chosen), layers, wanted.layers != "none", wanted.tokens)


def carried_files(prediction: Prediction, attention: Attention, carried: Carried) -> dict[str, bytes]:
    """Return the files of a passage's attention that the site carries, by name."""
    if not carried.opens(attention):
        return {"heads.png": reduced(attention.picture.tobytes(), 3 if carried.small else 2)}
    kept = replace(
        attention,
        packed={name: data for name, data in attention.packed.items() if int(name) in carried.layers},
        norms=attention.norms if carried.layers else {},
    )
    count = carried.excerpt(prediction)
    return attention_files(*(_cut(prediction, kept, count) if count else (prediction, kept)))


def _cut(prediction: Prediction, attention: Attention, count: int) -> tuple[Prediction, Attention]:
    """Return the first `count` tokens of a passage with their weights in the whole passage, whose rows here sum to less than 1."""
    layers, heads, tokens, size = attention.shape
    products = attention.encoding["kind"] == "products"
    packed = {name: _cut_products(data, name, attention, count) if products else _cut_weights(data, tokens, count) for name, data in attention.packed.items()}
    first = prediction.first_window()[:count]
    short = replace(
        prediction,
        tokens=tuple(prediction.tokens[number] for number in first.tolist()),
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
        mean=_cut_mean(attention.mean, attention.encoding["precision"], tokens, count),
        rollout=_cut_mean(attention.rollout, attention.encoding["precision"], tokens, count),
        norms={name: _cut_weights(data, tokens, count) for name, data in attention.norms.items()},
    )


def _cut_mean(data: Array, fineness: str, tokens: int, count: int) -> Array:
    if not data.size:
        return data
    return np.frombuffer(encode_mean(decode_mean(data.tobytes(), tokens, fineness)[:count, :count], fineness, shares=True), np.uint8)


def _cut_weights(data: Array, tokens: int, count: int) -> Array:
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
        scores[:, out_of_reach(count, tokens, window, encoding.get("causal", False))] = -np.inf
        sums = log_sum_exp(scores)
    # encode_queries_keys centres the keys over the excerpt, which moves all scores of a row, and so their sum, by this much.
    moved = (first @ keys[:, :count].mean(axis=1)[:, :, None])[..., 0] * scaling
    return np.frombuffer(encode_queries_keys(first, keys[:, :count], scaling, encoding["precision"], sums - moved), np.uint8)
