"""calibration.json beside a model's weights: read and checked, and what it says of a single passage. Needs no torch."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gallery.errors import SourceError, reason
from gallery.evaluation.calibration import SCORES, nearest_length, prediction_set, share_below, softmax
from gallery.store.records import Array

CALIBRATION = "calibration.json"
ENOUGH = 10
"""A bin with fewer passages says nothing of how often the model is right."""
RARE = 0.05
"""A passage that scores lower than all but this share of the known authors' passages looks like somebody else's."""

Share = Field(ge=0, le=1)


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, strict=True)


class _Bin(_Part):
    low: float = Share
    high: float = Share
    n: int = Field(ge=0)
    confidence: float | None
    accuracy: float | None
    interval: tuple[float, float] | None = Field(strict=False)


class _Length(_Part):
    n: int = Field(ge=1)
    temperature: float = Field(gt=0)
    score_quantiles: list[float]
    conformal_quantile: float = Share
    reliability: list[_Bin] = Field(min_length=1)


class _Calibration(_Part):
    version: int = Field(ge=1, le=1)
    score: str
    coverage: float = Field(gt=0, lt=1)
    levels: list[float] = Field(min_length=2)
    lengths: dict[str, _Length] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> "_Calibration":
        if self.score not in SCORES:
            raise ValueError(f"score: {self.score!r} is none of {', '.join(SCORES)}")
        if sorted(self.levels) != self.levels:
            raise ValueError("levels: they must rise")
        for length, part in self.lengths.items():
            if not (length.isascii() and length.isdigit() and int(length)):
                raise ValueError(f"lengths: {length!r} is no number of tokens")
            if len(part.score_quantiles) != len(self.levels):
                raise ValueError(f"lengths.{length}.score_quantiles: {len(part.score_quantiles)} numbers, but there are {len(self.levels)} levels")
            if sorted(part.score_quantiles) != part.score_quantiles:
                raise ValueError(f"lengths.{length}.score_quantiles: they must not fall")
        return self


def read_calibration(folder: Path) -> dict[str, Any] | None:
    """Return calibration.json of a model's folder; None where there is no such file.

    Raises SourceError, naming the file and the key, where the file is not as `gallery calibrate` writes it.
    """
    path = folder / CALIBRATION
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text("utf-8"))
        _Calibration.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        raise SourceError(f"{path}: {f'{key}: ' if key else ''}{said}. Make it again with gallery calibrate, or remove it.") from error
    except (ValueError, OSError, RecursionError) as error:
        raise SourceError(f"{path}: not valid JSON: {reason(error)}. Make it again with gallery calibrate, or remove it.") from error
    checked: dict[str, Any] = values
    return checked


@dataclass(frozen=True)
class Certainty:
    """What the calibration says of a passage."""

    right: float | None
    """Share of right answers among held-out passages of which the model is as sure; None where there are fewer than ENOUGH."""
    passages: int
    """Number of those passages."""
    length: int
    """Length of the held-out passages, in tokens."""
    familiar: float
    """Share of the known authors' held-out passages that score as low as this passage or lower."""
    possible: tuple[int, ...]
    """Classes that cannot be excluded at `coverage`, the likeliest first."""
    coverage: float

    @property
    def stranger(self) -> bool:
        """Whether the passage looks like somebody else's."""
        return self.familiar <= RARE


def certainty(calibration: Mapping[str, Any], logits: Array, tokens: int) -> Certainty:
    """Return what a calibration says of a passage with these logits [C], of so many tokens, special ones included."""
    row = np.asarray(logits, np.float64)[None]
    length = nearest_length(tokens, [int(key) for key in calibration["lengths"]])
    part = calibration["lengths"][str(length)]
    probabilities = softmax(row)[0]
    surest = float(probabilities.max())
    place = next((found for found in part["reliability"] if found["low"] <= surest < found["high"]), part["reliability"][-1])
    enough = place["n"] >= ENOUGH and place["accuracy"] is not None
    inside = prediction_set(probabilities[None], part["conformal_quantile"])[0]
    ranking = [int(number) for number in np.argsort(-probabilities, kind="stable")]
    score = float(SCORES[calibration["score"]](row)[0])
    return Certainty(
        right=place["accuracy"] if enough else None,
        passages=place["n"],
        length=length,
        familiar=share_below(score, part["score_quantiles"], calibration["levels"]) if math.isfinite(score) else 0.0,
        possible=tuple(number for number in ranking if inside[number]),
        coverage=calibration["coverage"],
    )
