"""Many passages through one classifier: batches of like length, halved where memory is short, written while the next is computed."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
import torch

from gallery.config import Settings
from gallery.errors import GalleryError, reason
from gallery.explain.batches import CHARACTERS, batches, cut
from gallery.explain.passage import explain
from gallery.explain.plan import Job, Planner
from gallery.explain.plan_report import cost
from gallery.model.classifier import Classifier
from gallery.store.entries import Store
from gallery.store.records import Attribution, Faithfulness, Model, Record
from gallery.store.timings import Group, Spent, Timings, size_of

_AHEAD = 2
"""Batches that are read while one is computed."""


_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Outcome:
    """What became of a batch of passages."""

    passages: list[tuple[str, float]]
    """Id, and what it cost in the units of `survey.cost`, of every passage that lacked something."""
    problems: list[str]
    """A message for each of them that could not be explained."""
    spent: list[tuple[Group, Spent]]
    """What was timed since the last outcome of the same explainer."""
    notes: list[str]
    card: Model
    device: str
    workers: int = 1


class Explainer:
    """A classifier that writes all that passages lack into a store, and remembers how much fits into memory at once."""

    def __init__(self, classifier: Classifier, planner: Planner, store: Store, settings: Settings, judged: Timings) -> None:
        self.classifier = classifier
        self.device = device_name(classifier.device)
        self._planner, self._store, self._settings, self._judged = planner, store, settings, judged
        self._timings, self._notes = Timings(), list[str]()
        self._characters = CHARACTERS
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._writing: list[Future[None]] = []

    def explain(self, batch: Sequence[Job]) -> Outcome:
        """Explain passages of like length.

        A failure costs the passage at fault alone: the others are tried without it. Where memory runs out, the batch and
        the tokens that go through the model at once are halved, for the rest of the run. Raises StoreError where entries
        cannot be written.
        """
        problems = list(self._explain(batch))
        spent, self._timings = list(self._timings.groups.items()), Timings()
        notes, self._notes = self._notes, []
        passages = [(job.passage.id, cost(job, self._planner, self._judged)) for job in batch]
        return Outcome(passages, problems, spent, notes, self.classifier.card, self.device)

    def _explain(self, batch: Sequence[Job]) -> Iterator[str]:
        for part in cut(batch, self._characters):
            error = self._try(part)
            if error is None:
                continue
            if _out_of_memory(error) and self._halve(part):
                yield from self._explain(part)
            elif len(part) > 1:
                for job in part:
                    yield from self._explain([job])
            else:
                passage = part[0].passage
                yield f"{passage.origin}: {passage.id} could not be explained: {_reason(error, self.classifier)}."

    def finish(self) -> None:
        """Wait until all is written.

        Raises StoreError where something could not be.
        """
        writing, self._writing = self._writing, []
        for future in writing:
            future.result()

    def close(self) -> None:
        """Write what is computed, and stop."""
        self._writer.shutdown()

    def _try(self, batch: Sequence[Job]) -> Exception | None:
        """Explain a batch; return what went wrong, without the frames that hold its tensors."""
        try:
            self._write(batch)
        except GalleryError:
            raise
        except Exception as error:  # whatever one passage brings about must not end a run of a million
            return error.with_traceback(None)
        return None

    def _write(self, batch: Sequence[Job]) -> None:
        characters = sum(len(job.passage.text) for job in batch) // len(batch)
        entries = explain(self.classifier, batch, self._planner, self._store, self._settings)
        earlier, self._writing = self._writing, []
        try:
            while True:
                start = perf_counter()
                found = next(entries, None)
                if found is None:
                    break
                need, record = found
                group = Group(need.part, self._planner.digests[need.part], self.device, size_of(characters))
                self._timings.add(group, Spent(1, characters, perf_counter() - start))
                _check_finite(record)
                self._writing.append(self._writer.submit(self._store.write, need.key, record))
        finally:  # one batch is written while the next is computed, and no more are held; nor forgotten, if the next goes wrong
            for future in earlier:
                future.result()

    def _halve(self, batch: Sequence[Job]) -> bool:
        """Let less through at once; tell whether it could be less."""
        if self.classifier.device.type == "cuda":
            torch.cuda.empty_cache()
        elif self.classifier.device.type == "mps":
            torch.mps.empty_cache()
        tokens = self.classifier.batch_tokens
        longest = max(len(self.classifier.encode(job.passage.text).ids) for job in batch)
        if len(batch) == 1 and tokens <= longest:
            return False
        self._characters = min(self._characters, sum(len(job.passage.text) for job in batch)) // 2
        self.classifier = self.classifier.with_batch_tokens(max(1, tokens // 2))
        self._notes.append(f"Out of memory: going on with half, {self.classifier.batch_tokens} tokens at once.")
        return True


def run_local(explainer: Explainer, jobs: Iterable[Job]) -> Iterator[Outcome]:
    """Explain every job in this process; yield what became of them, batch by batch.

    An entry is in the store soon after it is computed, so an interrupted run goes on where it stopped.
    """
    try:
        for batch in ahead(batches(jobs), _AHEAD):
            yield explainer.explain(batch)
        explainer.finish()
    finally:
        explainer.close()


def ahead(items: Iterable[_Item], count: int) -> Iterator[_Item]:
    """Yield the same items, the next `count` of them made ready in another thread."""
    source, end = iter(items), object()
    with ThreadPoolExecutor(1, thread_name_prefix="reader") as reader:
        waiting = deque(reader.submit(next, source, end) for _ in range(count))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(reader.submit(next, source, end))
            yield item  # type: ignore[misc]


def device_name(device: torch.device) -> str:
    """Return what timings call a device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads" if device.type == "cpu" else device.type


def _check_finite(record: Record) -> None:
    """Raise FloatingPointError where a number of a record is none: it would be drawn as nothing."""
    for field in fields(record):
        if not _finite(getattr(record, field.name)):
            what = f"{record.method}, class {record.target}" if isinstance(record, Attribution | Faithfulness) else record.kind
            raise FloatingPointError(f"not all numbers of {what} are finite ({field.name})")


def _finite(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_finite(inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return all(_finite(inner) for inner in value)
    if isinstance(value, np.ndarray):
        return value.dtype.kind != "f" or bool(np.isfinite(value).all())
    return not isinstance(value, float) or math.isfinite(value)


def _out_of_memory(error: Exception) -> bool:
    """Tell whether memory ran out: CUDA has an exception for it, Apple's and the CPU's allocators have words."""
    words = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "out of memory" in words or "can't allocate memory" in words


def _reason(error: Exception, classifier: Classifier) -> str:
    if _out_of_memory(error):
        return f"it does not fit into the memory of {classifier.device} even alone; use another device, or dtype: bfloat16"
    known = isinstance(error, ArithmeticError | RuntimeError)
    return reason(error, line=0) if known else f"{type(error).__name__}: {reason(error, line=0)}"
