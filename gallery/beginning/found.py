"""What a model and a list of passages hold, told before anything is explained; loads no weights."""

import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from gallery.config import Settings
from gallery.errors import PassageError
from gallery.explain.plan_report import present, survey
from gallery.explain.prepared import prepare
from gallery.passages.read import Passage, passage_paths
from gallery.passages.tables import TABLES
from gallery.sources.resolve import Source

_NAMED = 6
"""At most so many classes and problems are listed."""
_ENDLESS = 10**6
"""A longest input above this is no limit: tokenizers without one say 10**30."""


@dataclass(frozen=True)
class Found:
    """What was found, as lines to print."""

    lines: list[str]
    problems: list[str]
    """A message for each passage that cannot be used."""
    labels: tuple[str, ...]
    """Names of the model's classes by number."""
    passages: int


def look(settings: Settings, root: Path) -> Found:
    """Return what is found in the configured model, tokenizer and passages; reads each passage once, and loads no weights.

    Raises SourceError where the model or the tokenizer cannot be had, ConfigError where a file of passages is missing.
    """
    run = prepare(settings, root)
    lines = [f"Model {run.model.name}: {_architecture(run.model, run.tokenizer)}.", f"Classes: {_some(run.classes.labels)}."]
    lines += [f"Note: {note}" for note in dict.fromkeys([*run.model.notes, *run.tokenizer.notes])]
    for name in passage_paths(settings):
        if columns := _columns(root / name):
            lines.append(f"Columns of {name}: {', '.join(columns)}.")
    lengths, classes = [], set()
    for passage in run.passages():
        if isinstance(passage, Passage):
            lengths.append((len(passage.text.split()), passage.id))
            classes.add(passage.true_class)
    plan = survey(run.passages(), run.classes, run.planner, run.store, run.timings, present(run.store))
    if lengths:
        (short, first), (long, last) = min(lengths), max(lengths)
        span = f"{short:,} ({first})" if short == long else f"{short:,} ({first}) to {long:,} ({last})"
        lines.append(f"Passages: {plan.passages:,} of {len(classes):,} classes; words in a passage: {span}.")
    else:
        lines.append("Passages: none that can be read.")
    return Found(lines, plan.problems.messages(), run.classes.labels, plan.passages)


def describe(found: Found) -> list[str]:
    """Return what was found as lines of text, the first problems with it."""
    more = len(found.problems) - _NAMED
    return [*found.lines, *(f"Problem: {problem}" for problem in found.problems[:_NAMED]), *([f"… and {more:,} more problems."] if more > 0 else [])]


def _architecture(model: Source, tokenizer: Source) -> str:
    """Return a model's architecture, size and longest input, as far as its files say."""
    config, own = _json(model.folder / "config.json"), _json(tokenizer.folder / "tokenizer_config.json")
    name = next(iter(config.get("architectures") or ()), None) or config.get("model_type") or "unknown architecture"
    layers = next((config[key] for key in ("num_hidden_layers", "n_layers", "n_layer", "num_layers") if key in config), None)
    heads = next((config[key] for key in ("num_attention_heads", "n_heads", "n_head", "num_heads") if key in config), None)
    limits = [config.get("max_position_embeddings"), config.get("n_positions"), own.get("model_max_length")]
    known = [int(limit) for limit in limits if isinstance(limit, (int, float)) and 0 < limit < _ENDLESS]
    parts = [str(name)]
    if layers and heads:
        parts.append(f"{layers} layers of {heads} heads")
    parts.append(f"longest input {min(known):,} tokens" if known else "no longest input named")
    return ", ".join(parts)


def _columns(path: Path) -> list[str]:
    """Return the columns of a table's first row that can be read; none for a folder."""
    if path.suffix not in TABLES or not path.is_file():
        return []
    rows = (row for _, row in islice(TABLES[path.suffix](path, path.name), _NAMED) if not isinstance(row, PassageError))
    return [str(column) for column in next(rows, {})]


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(names)}: {', '.join(names[:_NAMED])}{more}"


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
