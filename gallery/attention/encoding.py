"""Attention as files: queries and keys as small integers, one gzip file a layer, and their decoding.

A head's weights are softmax(QKᵀ·scaling). Every entry of Q is divided by one step per head, every entry of K by another, and
rounded. The steps are chosen so that rounding moves a score by `NOISE` (standard deviation), for every model. A weight a is
then wrong by about NOISE·a: the error is relative and the same in every head, which a scale per token does not achieve. The
numbers lie channel after channel, low bytes before high bytes, where deflate compresses them best. `Reader` does what
gallery/static/attention-data.js does in the browser.
"""

import json
import zlib
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from gallery.softmax import softmax
from gallery.store.records import Array, Attention, Prediction

NOISE = {"int8": 0.01, "exact": 0.0004}
"""How far rounding moves a score, for each setting of `attention.precision`; a number takes about 8 or 12 bits."""
VERSION = 3
"""Version of the files' format; part of the key of a stored attention."""
_MEAN_STEP = {"int8": 1 / 256, "exact": 1 / 4096}
"""Step of the logarithm of a weight in the mean of all heads and in rollout, by precision: an error of at most 0.2 or 0.013 per cent."""
_NO_WEIGHT = 65535
"""Code of a weight of 0, or smaller than any code."""
_LARGEST_CODE = 16383


def pack(data: bytes) -> bytes:
    """Return a gzip file without time or system in its header, so that the same data give the same bytes."""
    coder = zlib.compressobj(7, zlib.DEFLATED, -15, 8, zlib.Z_FILTERED)
    body = coder.compress(data) + coder.flush()
    tail = zlib.crc32(data).to_bytes(4, "little") + (len(data) & 0xFFFFFFFF).to_bytes(4, "little")
    return b"\x1f\x8b\x08\0\0\0\0\0\x02\xff" + body + tail


def unpack(blob: bytes) -> bytes:
    """Return the data of a file made by `pack`."""
    return zlib.decompress(blob, 31)


def encode_queries_keys(queries: Array, keys: Array, scaling: float, fineness: str, sums: Array | None = None) -> bytes:
    """Return one layer's gzip file.

    queries, keys [H, T, d], after any rotation. Keys are centred over positions, which leaves the softmax as it is.
    fineness: `int8` or `exact`, the setting `attention.precision`.
    sums [H, T]: the logarithm of the sum of exponentials of a token's scores against centred keys. A long passage has them, so
    that the browser can show what attends to a word without multiplying all queries and keys.
    The file holds queries before keys: float32 steps [2, H]; int16 means [2, H, d] of the codes, subtracted from each channel
    so that all channels have the same range; low bytes uint8 [2, H, d, T]; high bytes int8 [2, H, d, T]; float32 sums.
    """
    q = queries.astype(np.float64)
    k = keys.astype(np.float64)
    k -= k.mean(axis=1, keepdims=True)
    # var(score) = scaling²/12 · (step_q²·|k|² + step_k²·|q|²); both terms get half of it.
    budget = NOISE[fineness] * np.sqrt(6.0) / scaling
    steps = np.stack([_step(q, budget / _length(k)), _step(k, budget / _length(q))]).astype(np.float32)
    codes = np.round(np.stack([q, k]) / steps[:, :, None, None].astype(np.float64)).transpose(0, 1, 3, 2)
    means = np.round(codes.mean(axis=3))
    shifted = (codes - means[..., None]).clip(-_LARGEST_CODE, _LARGEST_CODE).astype(np.int32) + 128
    parts = [
        steps.astype("<f4"),
        means.astype("<i2"),
        (shifted & 255).astype(np.uint8),
        (shifted >> 8).astype(np.int8),
        *([] if sums is None else [sums.astype("<f4")]),
    ]
    return pack(b"".join(part.tobytes() for part in parts))


def _length(vectors: Array) -> Array:
    """Return the root mean square length [H] of vectors [H, T, d]; 1 for a dead head, whose vectors are all 0."""
    lengths = np.sqrt((vectors**2).sum(axis=2).mean(axis=1))
    result: Array = np.where(lengths > 1e-6, lengths, 1.0)
    return result


def _step(vectors: Array, steps: Array) -> Array:
    """Return the steps [H], lengthened where the codes of a channel's mean, or of a vector without that mean, would not fit into 16 bits."""
    apart = vectors - vectors.mean(axis=1, keepdims=True)
    widest = np.maximum(np.abs(vectors), np.abs(apart)).max(axis=(1, 2))
    result: Array = np.maximum(steps, widest / (_LARGEST_CODE - 1))  # less one, since code and mean are rounded each
    return result


def decode_queries_keys(blob: bytes, heads: int, tokens: int, size: int) -> tuple[Array, Array]:
    """Return the queries and keys, float32 [H, T, d] each, of a layer's file."""
    data = unpack(blob)
    steps = np.frombuffer(data, "<f4", 2 * heads).reshape(2, heads, 1, 1)
    means = np.frombuffer(data, "<i2", 2 * heads * size, 8 * heads).reshape(2, heads, size, 1)
    shape, count, start = (2, heads, size, tokens), 2 * heads * size * tokens, 8 * heads + 4 * heads * size
    low = np.frombuffer(data, np.uint8, count, start).astype(np.int32)
    high = np.frombuffer(data, np.int8, count, start + count).astype(np.int32)
    vectors = (((low + 256 * high - 128).reshape(shape) + means).transpose(0, 1, 3, 2) * steps).astype(np.float32)
    return vectors[0], vectors[1]


def decode_sums(blob: bytes, heads: int, tokens: int) -> Array:
    """Return the sums, float32 [H, T], from the end of a layer's file that has them."""
    return np.frombuffer(unpack(blob)[-4 * heads * tokens :], "<f4").reshape(heads, tokens)


def encode_weights(weights: Array, shares: bool = False) -> bytes:
    """Return the gzip file of weights [..., T, T] as round(255·√(a / the largest of its row)).

    The square root keeps diffuse heads, whose weights plain rounding would turn into 0. The largest of a row is not stored:
    decoding makes rows add up to 1. With `shares`, for rows of which columns were cut off, the file ends with their sums,
    float32 [..., T].
    """
    top = weights.max(axis=-1, keepdims=True)
    codes = np.round(255 * np.sqrt(weights / np.where(top > 0, top, 1)))
    return pack(codes.astype(np.uint8).tobytes() + (weights.sum(axis=-1).astype("<f4").tobytes() if shares else b""))


def decode_weights(blob: bytes, tokens: int, shares: bool = False) -> Array:
    """Return the weights, float32 [N, T, T], whose rows add up to 1, or to the sums in a file with `shares`."""
    data = unpack(blob)
    rows = len(data) // (tokens + 4 * shares)
    squares = np.frombuffer(data, np.uint8, rows * tokens).reshape(-1, tokens, tokens).astype(np.float32) ** 2
    result: Array = squares / np.maximum(squares.sum(axis=-1, keepdims=True), 1)
    return result * np.frombuffer(data, "<f4", rows, rows * tokens).reshape(-1, tokens, 1) if shares else result


def encode_mean(weights: Array, fineness: str, shares: bool = False) -> bytes:
    """Return the gzip file of the mean of all heads, or of rollout, [T, T]: the logarithm of each weight below the largest of its row.

    round(ln(the largest / a) / step) as uint16: all low bytes, then all high bytes. The error of a weight is relative, and no larger than
    that of the mean of weights made of stored queries and keys. fineness: as in `encode_queries_keys`; shares: as in `encode_weights`.
    """
    top = weights.max(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = (np.log(top) - np.log(weights)) / _MEAN_STEP[fineness]
    codes = np.where(weights > 0, np.minimum(depth, _NO_WEIGHT), _NO_WEIGHT).round().astype(np.uint16)
    sums = weights.sum(axis=-1).astype("<f4").tobytes() if shares else b""
    return pack((codes & 255).astype(np.uint8).tobytes() + (codes >> 8).astype(np.uint8).tobytes() + sums)


def decode_mean(blob: bytes, tokens: int, fineness: str, shares: bool = False) -> Array:
    """Return the weights, float32 [T, T], of a file made by `encode_mean`; its rows add up to 1, or to the sums in a file with `shares`."""
    data, count = unpack(blob), tokens * tokens
    low, high = (np.frombuffer(data, np.uint8, count, start).astype(np.int32) for start in (0, count))
    codes = (low + 256 * high).reshape(tokens, tokens)
    raised = np.where(codes < _NO_WEIGHT, np.exp(-codes * _MEAN_STEP[fineness]), 0.0)
    result: Array = (raised / np.maximum(raised.sum(axis=-1, keepdims=True), np.finfo(np.float64).tiny)).astype(np.float32)
    return result * np.frombuffer(data, "<f4", tokens, 2 * count).reshape(tokens, 1) if shares else result


def out_of_reach(rows: int, tokens: int, reach: int | None, causal: bool) -> Array:
    """Return which tokens a row's token does not attend to, bool [rows, tokens]: those further than `reach`, and later ones where attention is causal."""
    ahead = np.arange(tokens) - np.arange(rows)[:, None]
    outside: Array = (np.abs(ahead) > (tokens if reach is None else reach)) | (causal & (ahead > 0))
    return outside


def attention_weights(queries: Array, keys: Array, scaling: float, reach: int | None, sums: Array | None = None, causal: bool = False) -> Array:
    """Return [..., T, T] the softmax of queries times keys; `reach` and `causal` as in `out_of_reach`.

    With sums [..., T], the weights of a passage's beginning: each row adds up to 1 together with its columns that were cut off.
    """
    scores = queries @ np.swapaxes(keys, -1, -2) * np.float32(scaling)
    if reach is not None or causal:
        scores = np.where(out_of_reach(scores.shape[-2], scores.shape[-1], reach, causal), -np.inf, scores)
    if sums is not None:
        within: Array = np.exp(scores - sums[..., None])
        return within
    return softmax(scores)


def word_weights(weights: Array, token_words: Array) -> Array:
    """Return the weights [..., U, U] between words: summed over the pieces of the target, averaged over those of the source.

    A special token counts as a word, in its position. Rows still add up to 1.
    """
    units = np.cumsum([0, *[int(now < 0 or now != before) for before, now in pairwise(token_words)]])
    member = np.zeros((len(token_words), int(units[-1]) + 1), weights.dtype)
    member[np.arange(len(token_words)), units] = 1
    result: Array = (member / member.sum(axis=0)).T @ weights @ member
    return result


def attention_files(prediction: Prediction, attention: Attention) -> dict[str, bytes]:
    """Return the published files of a passage's attention by name; the index lists a missing layer as null."""
    layers, heads, _, size = attention.shape
    read = prediction.first_window()
    files = {f"layer-{number}.bin": data.tobytes() for number, data in sorted(attention.packed.items())}
    files |= {f"{name}.bin": data.tobytes() for name, data in (("mean", attention.mean), ("rollout", attention.rollout)) if data.size}
    files |= {f"norms-{number}.bin": data.tobytes() for number, data in sorted(attention.norms.items())}
    index = {
        "version": VERSION,
        **attention.encoding,
        "layers": layers,
        "heads": heads,
        "tokens": [prediction.tokens[token] for token in read.tolist()],
        "size": size,
        "files": [f"layer-{number:02d}.bin" if f"{number:02d}" in attention.packed else None for number in range(layers)],
        "mean": "mean.bin" if attention.mean.size else None,
        "rollout": "rollout.bin" if attention.rollout.size else None,
        **({"norms": [f"norms-{number}.bin" for number in sorted(attention.norms)]} if attention.norms else {}),
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
    """Return spans of characters as spans of UTF-16 units, in which a browser counts."""
    units = np.concatenate([[0], np.cumsum([2 if ord(character) > 0xFFFF else 1 for character in text])]).astype(int)
    result: list[list[int]] = units[spans].tolist()
    return result


class Reader:
    """Reads the published files of one passage as the browser does."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self.index: dict[str, Any] = json.loads(files["index.json"])
        self.tokens = len(self.index["tokens"])

    def queries_keys(self, layer: int) -> tuple[Array, Array]:
        """Return the queries and keys [H, T, d] of a layer."""
        return decode_queries_keys(self.files[self.index["files"][layer]], self.index["heads"], self.tokens, self.index["size"])

    def weights(self, layer: int) -> Array:
        """Return the weights [H, T, T] of a layer."""
        if self.index["kind"] == "weights":
            return decode_weights(self.files[self.index["files"][layer]], self.tokens, self.index.get("shares", False))
        sums = decode_sums(self.files[self.index["files"][layer]], self.index["heads"], self.tokens) if self.index.get("sums") else None
        index = self.index
        return attention_weights(*self.queries_keys(layer), index["scaling"][layer], index["windows"][layer], sums, index.get("causal", False))

    def stored(self, name: str) -> Array:
        """Return `mean`, over all layers and heads, or `rollout`: [T, T]."""
        return decode_mean(self.files[self.index[name]], self.tokens, self.index["precision"], self.index.get("shares", False))
