"""Passages through one classifier on this machine: fewer tokens at once where memory is short, entries written in the background."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
import torch

from gallery.errors import GalleryError, reason
from gallery.explain.needs import Need
from gallery.explain.passage import explain
from gallery.explain.plan import Job, Planner
from gallery.explain.plan_report import cost
from gallery.explain.stages import WHOLE, within
from gallery.model.classifier import Classifier
from gallery.model.vocabulary import check_passage
from gallery.store.entries import Store
from gallery.store.records import Attribution, Faithfulness, Model, Prediction, Record
from gallery.store.timings import Group, Spent, Timings, size_of

_AHEAD = 2
"""Passages that are read while one is explained."""

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Outcome:
    """The result of explaining one passage."""

    passage: str
    """Id of the passage."""
    cost: float
    """Its cost in the units of `plan_report.cost`."""
    problem: str | None
    """A message where the passage could not be explained."""
    spent: list[tuple[Group, Spent]]
    """Times measured since the last outcome of the same explainer."""
    notes: list[str]
    card: Model
    device: str
    workers: int = 1
    fault: str = ""
    """What is wrong, in the same words for every passage with the same fault; empty without a problem."""


class Explainer:
    """A classifier that writes all that passages lack into a store, and remembers how many tokens fit into memory at once."""

    def __init__(self, classifier: Classifier, planner: Planner, store: Store, earlier: Timings) -> None:
        """Take a loaded classifier. earlier: the timings by which costs are estimated."""
        self.classifier = classifier
        self.device = device_name(classifier.device)
        self._planner, self._store, self._earlier = planner, store, earlier
        self._timings, self._notes = Timings(), list(classifier.notes)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._writing: list[Future[None]] = []
        self.stage = WHOLE
        """The part of the work that `explain` does."""

    def explain(self, job: Job) -> Outcome:
        """Explain a passage; an error of the model or the passage becomes the outcome's problem.

        Where memory runs out, the tokens that go through the model at once are halved, for the rest of the run. Raises StoreError
        where entries cannot be written.
        """
        error = self._try(job)
        while error is not None and _out_of_memory(error) and self._halve(job):
            self.finish()
            error = self._try(self._rest(job))
        fault = "" if error is None else _reason(error, self.classifier)
        problem = f"{job.passage.origin}: {job.passage.id} could not be explained: {fault}." if fault else None
        spent, self._timings = list(self._timings.groups.items()), Timings()
        notes, self._notes = self._notes, []
        return Outcome(
            job.passage.id, cost(job, self._planner, self._earlier, self.stage), problem, spent, notes, self.classifier.card, self.device, fault=fault
        )

    def finish(self) -> None:
        """Wait until all is written.

        Raises StoreError where an entry could not be written.
        """
        writing, self._writing = self._writing, []
        for future in writing:
            future.result()

    def close(self) -> None:
        """Write what is computed, and stop."""
        self._writer.shutdown()

    def _try(self, job: Job) -> Exception | None:
        """Explain a passage; return the error, if any, without the frames that hold its tensors."""
        try:
            self._write(job)
        except GalleryError:
            raise
        except Exception as error:  # no error of one passage may end a run of a million
            return error.with_traceback(None)
        return None

    def _write(self, job: Job) -> None:
        self._check_pieces(job)
        characters = len(job.passage.text)
        entries = explain(self.classifier, job, self._with_prediction, self._read)
        earlier, self._writing = self._writing, []
        try:
            while True:
                start = perf_counter()
                entry = next(entries, None)
                if entry is None:
                    break
                need, record = entry
                group = Group(need.part, need.timing, self.device, size_of(characters))
                self._timings.add(group, Spent(1, characters, perf_counter() - start))
                _check_finite(record)
                self._writing.append(self._writer.submit(self._store.write, need.key, record))
        finally:  # wait for the previous passage's writes even if this passage failed, so that errors surface
            for future in earlier:
                future.result()

    def _check_pieces(self, job: Job) -> None:
        """Note a passage much of which the tokenizer does not know; raise RuntimeError where it knows hardly anything of it."""
        if job.needs[0] not in job.missing:
            return
        tokenized = self.classifier.tokenize(job.passage.text)
        warning = check_passage(self.classifier.tokenizer, tokenized, len(self.classifier.model.get_input_embeddings().weight))
        if warning:
            self._notes.append(f"{job.passage.origin}: {job.passage.id}: {warning}.")

    def _with_prediction(self, job: Job, prediction: Prediction) -> Job:
        return within(self._planner.with_prediction(job, prediction, self._store), self.stage)

    def _rest(self, job: Job) -> Job:
        """Return a job that was broken off, without the entries that it has written."""
        first = job.needs[0]
        if first in job.missing and self._store.has(first.kind, first.key):
            prediction = self._read(first)
            assert isinstance(prediction, Prediction)
            return self._with_prediction(job, prediction)
        return replace(job, missing=tuple(need for need in job.missing if not self._store.has(need.kind, need.key)))

    def _read(self, need: Need) -> Record:
        return self._store.read(need.kind, need.key)

    def _halve(self, job: Job) -> bool:
        """Halve the tokens that go through the model at once; return False where they already are fewer than the passage's."""
        if self.classifier.device.type == "cuda":
            torch.cuda.empty_cache()
        elif self.classifier.device.type == "mps":
            torch.mps.empty_cache()
        tokens = self.classifier.batch_tokens
        if tokens <= len(self.classifier.tokenize(job.passage.text).ids):
            return False
        self.classifier = self.classifier.with_batch_tokens(max(1, tokens // 2))
        self._notes.append(f"Out of memory: going on with half, {self.classifier.batch_tokens} tokens at once.")
        return True


def run_local(
    explainer: Explainer, jobs: Iterable[Job], begun: Callable[[str], None] = lambda title: None, stopped: Callable[[], bool] = lambda: False
) -> Iterator[Outcome]:
    """Explain every job in this process; yield their outcomes in order.

    begun: called with the title of each passage; stopped: asked before each passage whether to leave the rest.

    An entry is in the store soon after it is computed, so an interrupted run goes on where it stopped.
    """
    for job in ahead(jobs, _AHEAD):
        if stopped():
            break
        begun(job.passage.title)
        yield explainer.explain(job)
    explainer.finish()


def ahead(items: Iterable[_Item], count: int) -> Iterator[_Item]:
    """Yield the items in order, the next `count` of them made ready in another thread."""
    source, end = iter(items), object()
    with ThreadPoolExecutor(1, thread_name_prefix="reader") as reader:
        waiting = deque(reader.submit(next, source, end) for _ in range(count))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(reader.submit(next, source, end))
            yield item  # type: ignore[misc]


def device_name(device: torch.device) -> str:
    """Return the name under which times on a device are kept."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads" if device.type == "cpu" else device.type


def _check_finite(record: Record) -> None:
    """Raise FloatingPointError where a number of a record is not finite: a page could not draw it."""
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
    """Tell whether memory ran out. CUDA raises an exception of its own; the allocators of MPS and CPU say it in the message."""
    words = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "out of memory" in words or "can't allocate memory" in words


def _reason(error: Exception, classifier: Classifier) -> str:
    if _out_of_memory(error):
        return f"it does not fit into the memory of {classifier.device} even alone; use another device, or dtype: bfloat16"
    known = isinstance(error, ArithmeticError | RuntimeError)
    return reason(error, line=0) if known else f"{type(error).__name__}: {reason(error, line=0)}"
