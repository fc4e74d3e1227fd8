"""Attention as files: queries and keys as small whole numbers, one gzip file a layer, and the way back.

A head's weights are softmax(QKᵀ·scaling). Every entry of Q is divided by one step per head, every entry of K by
another, and rounded; the steps are such that rounding moves a score by `NOISE` (standard deviation), whatever
the model. A weight a is then wrong by about NOISE·a, so the error is relative and the same in every head, which a
scale per token does not give. The numbers lie channel after channel, low bytes before high bytes, where
deflate finds them cheapest. `Reader` does what gallery/static/attention-data.js does in the browser.
"""

import json
import zlib
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from gallery.store.records import Array, Attention, Prediction

NOISE = {"int8": 0.01, "exact": 0.0004}
"""By how much rounding moves a score, by `attention.precision`; the codes take about 8 and 12 bits."""
VERSION = 2
"""Of the files' form; part of the key of a stored attention."""
_CODES = 16383


def pack(data: bytes) -> bytes:
    """Return a gzip file that has no time and no system in it, so the same data give the same bytes."""
    coder = zlib.compressobj(7, zlib.DEFLATED, -15, 8, zlib.Z_FILTERED)
    body = coder.compress(data) + coder.flush()
    tail = zlib.crc32(data).to_bytes(4, "little") + (len(data) & 0xFFFFFFFF).to_bytes(4, "little")
    return b"\x1f\x8b\x08\0\0\0\0\0\x02\xff" + body + tail


def unpack(blob: bytes) -> bytes:
    """Return what `pack` packed."""
    return zlib.decompress(blob, 31)


def encode_products(queries: Array, keys: Array, scaling: float, precision: str, sums: Array | None = None) -> bytes:
    """Return one layer's gzip file.

    queries, keys [H, T, d], after any rotation. Keys are centred over positions, which the softmax cannot see.
    sums [H, T]: the logarithm of the sum of exponentials of a token's scores against centred keys; for a long passage, where
    the browser must find what attends to a word without multiplying everything.
    The file, queries before keys: float32 steps [2, H]; int16 means [2, H, d] of the codes, taken off each channel so that
    all channels share one alphabet; low bytes uint8 [2, H, d, T]; high bytes int8 [2, H, d, T]; float32 sums.
    """
    q = queries.astype(np.float64)
    k = keys.astype(np.float64)
    k -= k.mean(axis=1, keepdims=True)
    # var(score) = scaling²/12 · (step_q²·|k|² + step_k²·|q|²): the two halves are made equal.
    budget = NOISE[precision] * np.sqrt(6.0) / scaling
    steps = np.stack([_step(q, budget / _length(k)), _step(k, budget / _length(q))]).astype(np.float32)
    codes = np.round(np.stack([q, k]) / steps[:, :, None, None].astype(np.float64)).transpose(0, 1, 3, 2)
    means = np.round(codes.mean(axis=3))
    shifted = (codes - means[..., None]).clip(-_CODES, _CODES).astype(np.int32) + 128
    parts = [
        steps.astype("<f4"),
        means.astype("<i2"),
        (shifted & 255).astype(np.uint8),
        (shifted >> 8).astype(np.int8),
        *([] if sums is None else [sums.astype("<f4")]),
    ]
    return pack(b"".join(part.tobytes() for part in parts))


def _length(vectors: Array) -> Array:
    """[H] root mean square length of [H, T, d]; a dead head, whose vectors are all 0, has length 1."""
    lengths = np.sqrt((vectors**2).sum(axis=2).mean(axis=1))
    result: Array = np.where(lengths > 1e-6, lengths, 1.0)
    return result


def _step(vectors: Array, wanted: Array) -> Array:
    """[H] the wanted steps, made longer where a vector, its mean taken off, would not fit into 16 bits."""
    result: Array = np.maximum(wanted, np.abs(vectors).max(axis=(1, 2)) / _CODES)
    return result


def decode_products(blob: bytes, heads: int, tokens: int, size: int) -> tuple[Array, Array]:
    """Return queries and keys, float32 [H, T, d] each, of one layer's file."""
    data = unpack(blob)
    steps = np.frombuffer(data, "<f4", 2 * heads).reshape(2, heads, 1, 1)
    means = np.frombuffer(data, "<i2", 2 * heads * size, 8 * heads).reshape(2, heads, size, 1)
    shape, count, start = (2, heads, size, tokens), 2 * heads * size * tokens, 8 * heads + 4 * heads * size
    low = np.frombuffer(data, np.uint8, count, start).astype(np.int32)
    high = np.frombuffer(data, np.int8, count, start + count).astype(np.int32)
    vectors = (((low + 256 * high - 128).reshape(shape) + means).transpose(0, 1, 3, 2) * steps).astype(np.float32)
    return vectors[0], vectors[1]


def decode_sums(blob: bytes, heads: int, tokens: int) -> Array:
    """Return the float32 [H, T] at the end of one layer's file that has them."""
    return np.frombuffer(unpack(blob)[-4 * heads * tokens :], "<f4").reshape(heads, tokens)


def encode_weights(weights: Array, shares: bool = False) -> bytes:
    """Return the gzip file of weights [..., T, T] as round(255·√(a / the largest of its row)).

    √ keeps diffuse heads, which plain rounding turns into nothing. The row's largest need not be stored: rows add
    up to 1 again on decoding. Rows that do not, since some columns were cut off, are followed by float32 `shares`, [..., T],
    to which they add up.
    """
    top = weights.max(axis=-1, keepdims=True)
    codes = np.round(255 * np.sqrt(weights / np.where(top > 0, top, 1)))
    return pack(codes.astype(np.uint8).tobytes() + (weights.sum(axis=-1).astype("<f4").tobytes() if shares else b""))


def decode_weights(blob: bytes, tokens: int, shares: bool = False) -> Array:
    """Return float32 [N, T, T] weights, rows adding up to 1, or to their `shares`."""
    data = unpack(blob)
    rows = len(data) // (tokens + 4 * shares)
    squares = np.frombuffer(data, np.uint8, rows * tokens).reshape(-1, tokens, tokens).astype(np.float32) ** 2
    result: Array = squares / np.maximum(squares.sum(axis=-1, keepdims=True), 1)
    return result * np.frombuffer(data, "<f4", rows, rows * tokens).reshape(-1, tokens, 1) if shares else result


def product_weights(queries: Array, keys: Array, scaling: float, window: int | None, sums: Array | None = None) -> Array:
    """Return [..., T, T] the softmax of the scaled products; `window` is how far to either side a local layer sees.

    With sums [..., T] rows add up to 1 together with what was cut off behind them.
    """
    scores = queries @ np.swapaxes(keys, -1, -2) * np.float32(scaling)
    if window is not None:
        place = np.arange(scores.shape[-1])
        scores = np.where(np.abs(place[:, None] - place) <= window, scores, -np.inf)
    if sums is not None:
        within: Array = np.exp(scores - sums[..., None])
        return within
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: Array = raised / raised.sum(axis=-1, keepdims=True)
    return result


def word_weights(weights: Array, token_words: Array) -> Array:
    """Return [..., U, U] the weights between words: summed over the pieces of the target, averaged over those of the source.

    A special token is a unit of its own, where it stands; rows still add up to 1.
    """
    units = np.cumsum([0, *[int(now < 0 or now != before) for before, now in pairwise(token_words)]])
    member = np.zeros((len(token_words), int(units[-1]) + 1), weights.dtype)
    member[np.arange(len(token_words)), units] = 1
    result: Array = (member / member.sum(axis=0)).T @ weights @ member
    return result


def attention_files(prediction: Prediction, attention: Attention) -> dict[str, bytes]:
    """Return what is published of a passage's attention, by file name; a layer that is not there is null among the index's files."""
    layers, heads, _, size = attention.shape
    read = prediction.first_window()
    files = {f"layer-{number}.bin": data.tobytes() for number, data in sorted(attention.packed.items())}
    files |= {f"{name}.bin": data.tobytes() for name, data in (("mean", attention.mean), ("rollout", attention.rollout)) if data.size}
    index = {
        "version": VERSION,
        **attention.encoding,
        "layers": layers,
        "heads": heads,
        "tokens": [prediction.tokens[place] for place in read.tolist()],
        "size": size,
        "files": [f"layer-{number:02d}.bin" if f"{number:02d}" in attention.packed else None for number in range(layers)],
        "mean": "mean.bin" if attention.mean.size else None,
        "rollout": "rollout.bin" if attention.rollout.size else None,
        "text": prediction.text,
        "offsets": _utf16(prediction.text, prediction.offsets[read]),
        "words": _utf16(prediction.text, prediction.words),
        "token_words": prediction.token_words[read].tolist(),
        "special": prediction.special[read].astype(int).tolist(),
        "summary_names": list(attention.summary_names),
        "summary": [round(float(share), 4) for share in attention.summary.ravel()],
    }
    files["index.json"] = json.dumps(index, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    files["heads.png"] = attention.picture.tobytes()
    return files


def _utf16(text: str, spans: Array) -> list[list[int]]:
    """Return spans of characters as spans of UTF-16 units, which is how a browser counts."""
    places = np.concatenate([[0], np.cumsum([2 if ord(character) > 0xFFFF else 1 for character in text])]).astype(int)
    result: list[list[int]] = places[spans].tolist()
    return result


class Reader:
    """The published files of one passage, read as the browser reads them."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self.index: dict[str, Any] = json.loads(files["index.json"])
        self.tokens = len(self.index["tokens"])

    def products(self, layer: int) -> tuple[Array, Array]:
        """Return queries and keys [H, T, d] of a layer."""
        return decode_products(self.files[self.index["files"][layer]], self.index["heads"], self.tokens, self.index["size"])

    def weights(self, layer: int) -> Array:
        """Return [H, T, T] of a layer."""
        if self.index["kind"] == "weights":
            return decode_weights(self.files[self.index["files"][layer]], self.tokens, self.index.get("shares", False))
        sums = decode_sums(self.files[self.index["files"][layer]], self.index["heads"], self.tokens) if self.index.get("sums") else None
        return product_weights(*self.products(layer), self.index["scaling"][layer], self.index["windows"][layer], sums)

    def stored(self, name: str) -> Array:
        """Return [T, T] of `mean` (over all layers and heads) or `rollout`."""
        result: Array = decode_weights(self.files[self.index[name]], self.tokens, self.index.get("shares", False))[0]
        return result
