"""The static picture of all heads: layers as rows, heads as columns, one ink, on a transparent ground."""

import io

import numpy as np
from PIL import Image

from gallery.store.records import Array

CELL = 48
"""Pixels of a head's side."""
GAP = 2
"""Pixels between heads."""
_TEAL = (0, 104, 98)
_SHADES = 16


def draw_heads(pooled: Array) -> bytes:
    """Return a PNG of [layers, heads, P, P] weights, P at most CELL, averaged over stretches of tokens.

    Each head is shaded from nothing to its own largest weight, by the square root, so that small weights are visible; but a
    head with even attention stays pale: full shade is at least eight times the mean.
    """
    layers, heads, points, _ = pooled.shape
    top = np.maximum(pooled.max(axis=(2, 3), keepdims=True), 8 * pooled.mean(axis=(2, 3), keepdims=True))
    shades = np.round((_SHADES - 1) * np.sqrt(pooled / np.where(top > 0, top, 1))).astype(np.uint8)
    nearest = np.arange(CELL) * points // CELL
    cells = shades[:, :, nearest][:, :, :, nearest]
    side = CELL + GAP
    image = np.zeros((layers * side, heads * side), np.uint8)
    image.reshape(layers, side, heads, side)[:, :CELL, :, :CELL] = cells.transpose(0, 2, 1, 3)
    return _png(image[: layers * side - GAP, : heads * side - GAP])


def reduced(png: bytes, times: int) -> bytes:
    """Return a picture of `draw_heads` with its cells' sides divided by `times`: at half, under a third of the bytes."""
    shades = shades_of(png)
    layers, heads = (-(-size // (CELL + GAP)) for size in shades.shape)
    cells = np.pad(shades, ((0, GAP), (0, GAP))).reshape(layers, CELL + GAP, heads, CELL + GAP)[:, :CELL, :, :CELL]
    side = CELL // times
    weights = (cells.astype(np.uint16) ** 2).reshape(layers, side, times, heads, side, times)  # the shade is the root of the weight
    means = weights.sum(axis=(2, 5), dtype=np.uint32).astype(np.float32) / times**2
    image = np.zeros((layers, side + 1, heads, side + 1), np.uint8)
    image[:, :side, :, :side] = np.sqrt(means).round()
    return _png(image.reshape(layers * (side + 1), heads * (side + 1))[:-1, :-1])


def shades_of(png: bytes) -> Array:
    """Return the shades, uint8 [height, width], of a picture of `draw_heads`."""
    with Image.open(io.BytesIO(png)) as image:
        shades: Array = np.asarray(image)
    return shades


def _png(shades: Array) -> bytes:
    """Return a PNG with a palette of 16 degrees of one ink, 4 bits a pixel."""
    image = Image.fromarray(shades)
    image.putpalette(bytes(_TEAL) * _SHADES)
    opacities = bytes(round(255 * shade / (_SHADES - 1)) for shade in range(_SHADES))
    file = io.BytesIO()
    image.save(file, "PNG", bits=4, transparency=opacities)
    return file.getvalue()
