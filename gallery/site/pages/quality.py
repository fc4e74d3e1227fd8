"""How good the model is, for the page about it: figures with intervals, the reliability diagram, errors against coverage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bin:
    """A bin of the reliability diagram that holds passages; all shares from 0 to 1."""

    passages: int
    confidence: float
    accuracy: float
    low: float
    high: float
    """The 95 % interval of `accuracy`."""


@dataclass(frozen=True)
class Quality:
    """What was measured on held-out passages of one length."""

    length: int
    """Tokens, special ones included."""
    passages: int
    bins: tuple[Bin, ...]
    band: str
    """Points of the polygon between the intervals, in a square of 100 × 100 whose y axis points down."""
    curve: str
    """Points of the share of errors (up to 100 %) by the share of passages answered, in the same square; empty where it was not measured."""
    risks: tuple[tuple[float, float], ...]
    """(share of passages answered, share of errors among them)."""


def qualities(figures: Mapping[str, Any] | None, calibration: Mapping[str, Any] | None) -> tuple[Quality, ...]:
    """Return what is known by length: from figures.json, of test works; else from calibration.json, of the passages that it was made of."""
    for source in (figures, calibration):
        lengths = (source or {}).get("lengths")
        if isinstance(lengths, Mapping):
            measured = [_quality(int(length), part) for length, part in lengths.items() if isinstance(part, Mapping) and part.get("reliability")]
            if measured:
                return tuple(sorted(measured, key=lambda quality: quality.length))
    return ()


def _quality(length: int, part: Mapping[str, Any]) -> Quality:
    bins = tuple(Bin(row["n"], row["confidence"], row["accuracy"], *row["interval"]) for row in part["reliability"] if row["n"])
    risks = tuple((float(point["coverage"]), float(point["risk"])) for point in part.get("risk_coverage", ()))
    edges = [*((found.confidence, found.high) for found in bins), *((found.confidence, found.low) for found in reversed(bins))]
    return Quality(length, sum(found.passages for found in bins), bins, _points(edges), _points(risks), risks)


def _points(pairs: Sequence[tuple[float, float]]) -> str:
    """Return shares (x, y) as points of an SVG."""
    return " ".join(f"{100 * x:.1f},{100 * (1 - y):.1f}" for x, y in pairs)
