"""The static picture of all heads: layers as rows, heads as columns, one shade, on a transparent ground."""

import zlib

import numpy as np

from gallery.store.records import Array

CELL = 48
"""Pixels of a head's side."""
GAP = 2
"""Pixels between heads."""
_TEAL = (0, 104, 98)
_SHADES = 16


def draw_heads(pooled: Array) -> bytes:
    """Return a PNG of [layers, heads, P, P] weights, P at most CELL, averaged over stretches of tokens.

    Each head is shaded from nothing to its own largest weight, by the square root, so that faint ones are seen; but a
    head that looks everywhere alike stays pale: full shade is at least eight times the mean.
    """
    layers, heads, points, _ = pooled.shape
    top = np.maximum(pooled.max(axis=(2, 3), keepdims=True), 8 * pooled.mean(axis=(2, 3), keepdims=True))
    shades = np.round((_SHADES - 1) * np.sqrt(pooled / np.where(top > 0, top, 1))).astype(np.uint8)
    place = np.arange(CELL) * points // CELL
    cells = shades[:, :, place][:, :, :, place]
    side = CELL + GAP
    image = np.zeros((layers * side, heads * side), np.uint8)
    image.reshape(layers, side, heads, side)[:, :CELL, :, :CELL] = cells.transpose(0, 2, 1, 3)
    return _png(image[: layers * side - GAP, : heads * side - GAP])


def reduced(png: bytes, times: int) -> bytes:
    """Return a picture of `draw_heads` with cells of a side so many times smaller: at half, under a third of the bytes."""
    shades = _shades(png)
    layers, heads = (-(-size // (CELL + GAP)) for size in shades.shape)
    cells = np.pad(shades, ((0, GAP), (0, GAP))).reshape(layers, CELL + GAP, heads, CELL + GAP)[:, :CELL, :, :CELL]
    side = CELL // times
    weights = (cells.astype(np.uint16) ** 2).reshape(layers, side, times, heads, side, times)  # the shade is the root of the weight
    means = weights.sum(axis=(2, 5), dtype=np.uint32).astype(np.float32) / times**2
    image = np.zeros((layers, side + 1, heads, side + 1), np.uint8)
    image[:, :side, :, :side] = np.sqrt(means).round()
    return _png(image.reshape(layers * (side + 1), heads * (side + 1))[:-1, :-1])


def _shades(png: bytes) -> Array:
    """Return the degrees of ink, uint8 [height, width], of a picture that `_png` made."""
    width, height = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    start = png.index(b"IDAT")
    body = png[start + 4 : start + 4 + int.from_bytes(png[start - 4 : start], "big")]
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, -1)[:, 1:]
    result: Array = np.stack([rows >> 4, rows & 15], axis=-1).reshape(height, -1)[:, :width]
    return result


def _png(shades: Array) -> bytes:
    """Return a PNG with a palette of 16 degrees of one ink, 4 bits a pixel."""
    height, width = shades.shape
    even = np.pad(shades, ((0, 0), (0, width % 2)))
    rows = np.pad((even[:, ::2] << 4) | even[:, 1::2], ((0, 0), (1, 0)))  # each row begins with its filter, 0
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([4, 3, 0, 0, 0])
    alpha = bytes(round(255 * shade / (_SHADES - 1)) for shade in range(_SHADES))
    parts = ((b"IHDR", header), (b"PLTE", bytes(_TEAL) * _SHADES), (b"tRNS", alpha), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")
