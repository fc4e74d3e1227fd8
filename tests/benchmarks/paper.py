"""What explaining would take where it has not been tried: arithmetic over a few stated assumptions, written for the page on scale."""

from collections.abc import Sequence
from typing import Any

from gallery.store.entries import Store
from gallery.store.manifest import EntryName, Header, Row
from gallery.store.records import Attention, Prediction

POINTS, CLASSES, METHODS, ORDERS = 30, 3, 4, 10
"""Points of a path, classes explained, methods, random orders: what the demo gallery needs, the points rounded up."""
PARTS = {
    "integrated_gradients": POINTS * (1 + CLASSES),
    "gradients": 2 * (1 + CLASSES),
    "heads": 1 + CLASSES,
    "prediction": 2,
    "faithfulness": 25 * METHODS,
    "chance": 10 * ORDERS,
}
"""Part of a passage's explanation -> how often the model is run, a backward pass to the inputs counted like a forward one."""
PEAK = {"float32": 67e12, "tf32": 494.5e12, "bfloat16": 989e12}
"""Multiplications and additions a second of one H100 SXM by its data sheet, dense."""
USED = 0.4
"""Share of the peak that long matrix products reach as a rule; assumed, not measured."""
MODELS = {"BERT-base": (12, 768), "BERT-large": (24, 1024)}
"""Name -> layers, width."""
LENGTHS = (64, 128, 256, 512)
PASSAGES = (10**4, 10**6, 10**8)
MACHINES = {"1 H100": 1, "8 H100": 8, "100 × 8 H100": 800}


def forward_flops(layers: int, width: int, tokens: int) -> float:
    """Return the multiplications and additions of one forward pass: products with weights, then queries, keys and values."""
    return float(layers * (24 * tokens * width**2 + 4 * tokens**2 * width))


def products_bytes(layers: int, width: int, tokens: int, each: float) -> float:
    """Return what queries and keys of one passage take, at so many bytes a number."""
    return 2.0 * layers * tokens * width * each


def bytes_a_number(store: Store, rows: Sequence[Row]) -> float:
    """Return how many bytes a number of queries and keys takes in a store, over all its passages."""
    taken = numbers = 0.0
    for row in rows:
        attention, prediction = store.read("attention", row.entries[EntryName("attention")]), store.read("prediction", row.entries[EntryName("prediction")])
        assert isinstance(attention, Attention)
        assert isinstance(prediction, Prediction)
        layers, heads, tokens, size = attention.shape
        taken += sum(part.size for part in attention.packed.values())
        numbers += 2 * layers * heads * tokens * size
    return taken / numbers


def paper(store: Store, header: Header, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the tables of the page on scale that are arithmetic, with what they assume."""
    each, passes = bytes_a_number(store, rows), sum(PARTS.values())
    models = {"demo": (header.model.layers, header.model.hidden), **MODELS}
    layers, width = MODELS["BERT-base"]
    work = passes * forward_flops(layers, width, 512)
    return {
        "parts": PARTS,
        "passes": passes,
        "points": POINTS,
        "classes": CLASSES,
        "bytes_a_number": each,
        "used": USED,
        "lengths": list(LENGTHS),
        "models": [
            {
                "name": name,
                "layers": shape[0],
                "width": shape[1],
                "flops": [passes * forward_flops(*shape, tokens) for tokens in LENGTHS],
                "bytes": [products_bytes(*shape, tokens, each) for tokens in LENGTHS],
            }
            for name, shape in models.items()
        ],
        "passages": list(PASSAGES),
        "formats": {
            name: {
                "peak_tera": peak / 1e12,
                "seconds": {machine: [count * work / (peak * USED * gpus) for count in PASSAGES] for machine, gpus in MACHINES.items()},
            }
            for name, peak in PEAK.items()
        },
        "store_bytes": [count * products_bytes(layers, width, 512, each) for count in PASSAGES],
    }
