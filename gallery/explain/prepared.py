"""What a run begins with: model, tokenizer, passages, plan and store. Needs no torch and changes nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from gallery.config import Settings
from gallery.errors import PassageError
from gallery.evaluation.calibration_file import read_calibration
from gallery.explain.fallback import planner_for
from gallery.explain.plan import Planner
from gallery.explain.progress import Log, no_log
from gallery.files import store_location
from gallery.model.labels import label_names
from gallery.passages.read import Passage, passage_paths, read_passages
from gallery.passages.true_class import Classes
from gallery.sources.resolve import Source, resolve_model, resolve_tokenizer
from gallery.store.entries import Store
from gallery.store.timings import Timings, read_timings


@dataclass(frozen=True)
class Run:
    """Everything that the parts of a run share."""

    settings: Settings
    root: Path
    store: Store
    model: Source
    tokenizer: Source
    classes: Classes
    planner: Planner
    timings: Timings
    log: Log
    calibration: dict[str, Any] | None
    """What calibration.json beside the weights holds."""

    def passages(self, say: Callable[[str], None] = lambda note: None) -> Iterator[Passage | PassageError]:
        """Yield the configured passages, and an error in place of each that cannot be used; say: as in `read_passages`."""
        return read_passages(passage_paths(self.settings), self.root, self.root / self.settings.texts if self.settings.texts else None, say)


def prepare(settings: Settings, root: Path, log: Log = no_log) -> Run:
    """Return all that a run needs: model, tokenizer, store and timings. Needs no torch and changes nothing.

    Raises a GalleryError where model, tokenizer or store cannot be read.
    """
    store = Store(store_location(settings.store, root))
    model = resolve_model(settings.model, root)
    tokenizer = resolve_tokenizer(settings.tokenizer or settings.model, root)
    labels = label_names(model.labels, settings.labels, model.name, model.outputs.fault)
    classes = Classes(labels, model.labels, settings.true_class_is, model.outputs.problem == "multi_label")
    calibration = read_calibration(model.folder)
    return Run(settings, root, store, model, tokenizer, classes, planner_for(store, model, tokenizer, settings), read_timings(store), log, calibration)


def say(line: str) -> None:
    """Tell the person who runs the build."""
    click.echo(line, err=True)
