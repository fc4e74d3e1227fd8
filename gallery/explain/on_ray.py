"""Explaining on a Ray cluster: each worker has the model on a GPU or some cores, and all write into the same store.

Passages flow from one reader through the workers. Each is explained alone, as in one process, so results are the same. The worker
that gets a passage looks up what it lacks. A worker that dies is started again, and its passages with it.
"""

import logging
import os
import pickle
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow
import ray
from ray.data import ActorPoolStrategy, DataContext, Datasource
from ray.data.block import BlockMetadata
from ray.data.datasource import ReadTask
from ray.exceptions import RayError

from gallery.compat.ray import end_data_threads, start_here
from gallery.config import Settings
from gallery.errors import GalleryError, PassageError, SourceError, StoreError, reason
from gallery.explain.fallback import check_fast_encoder
from gallery.explain.plan import Job, Planner, jobs, mending
from gallery.files import store_location
from gallery.passages.read import Passage, passage_paths, read_passages
from gallery.passages.true_class import Classes, class_numbers
from gallery.sources.resolve import resolve_model, resolve_tokenizer
from gallery.store.entries import Store
from gallery.store.timings import Timings

if TYPE_CHECKING:  # torch is loaded by the workers alone
    from gallery.explain.local import Explainer, Outcome


def run_ray(
    settings: Settings, root: Path, planner: Planner, classes: Classes, earlier: Timings, pending: int, unverified: str | None = None
) -> "Iterator[Outcome]":
    """Explain what the configured passages lack; yield the outcomes, in no certain order.

    unverified: id of the passage that the worker which gets it holds against Captum.

    The passages are read on this machine; model and store must be where every node finds them.
    Raises GalleryError where there is no cluster, or where a worker cannot work at all; FastEncoderError where its fast encoder is wrong.
    """
    if settings.store.startswith("memory://"):
        raise StoreError(f"{settings.store}: lives in one process, and Ray's workers are others. Name a shared folder, or another URL, as extra.gallery.store.")
    root = root.resolve()
    with _cluster(settings):
        gpus, cores = (int(ray.cluster_resources().get(name, 0)) for name in ("GPU", "CPU"))
        on_gpu = gpus > 0 and settings.device != "cpu"
        workers = max(1, min(gpus if on_gpu else cores // settings.ray_cpus, pending))
        passages = ray.data.read_datasource(
            _Passages(settings, root, classes),
            override_num_blocks=1,
            num_cpus=0,
            label_selector={"ray.io/node-id": ray.get_runtime_context().get_node_id()},
        )
        share = {"num_gpus": 1} if on_gpu else {"num_cpus": settings.ray_cpus}
        explained = passages.map_batches(
            _Worker,
            batch_size=1,
            compute=ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=2),
            fn_constructor_args=(settings, root, planner, classes, earlier, unverified),
            **share,
        )
        try:
            rows: Any = iter(explained.iter_rows())
            with closing(rows):  # with an error on its way, nothing else would
                for row in rows:
                    result = pickle.loads(row["outcome"])
                    if isinstance(result, GalleryError):
                        raise result
                    yield replace(result, workers=workers)
        except RayError as error:
            raise GalleryError(f"Ray: {reason(error, line=-1)}. What is finished is in the store; run the same command again.") from error


class _Passages(Datasource):
    """The passages, each in a block of its own, so that a lost worker costs no more than the passages it had."""

    def __init__(self, settings: Settings, root: Path, classes: Classes) -> None:
        super().__init__()
        self._settings, self._root, self._classes = settings, root, classes

    def estimate_inmemory_data_size(self) -> int | None:
        """Return None: the size is not known before the passages are read."""
        return None

    def get_read_tasks(self, parallelism: int, per_task_row_limit: int | None = None, data_context: DataContext | None = None) -> list[ReadTask]:
        """Return the task that reads all passages."""
        settings, root, classes = self._settings, self._root, self._classes

        def read() -> Iterator[pyarrow.Table]:
            for passage in _usable(settings, root, classes):
                yield pyarrow.table({"passage": pyarrow.array([pickle.dumps(passage)], pyarrow.binary())})

        return [ReadTask(read, BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None))]


def _usable(settings: Settings, root: Path, classes: Classes) -> Iterator[Passage]:
    """Yield the passages that can be explained; the process that started the run reports the others."""
    for passage in read_passages(passage_paths(settings), root, root / settings.texts if settings.texts else None):
        if not isinstance(passage, PassageError):
            try:
                class_numbers(passage, classes)
            except PassageError:
                continue
            yield passage


class _Worker:
    """A process with the model: explains the passages it gets and returns their outcomes."""

    def __init__(self, settings: Settings, root: Path, planner: Planner, classes: Classes, earlier: Timings, unverified: str | None) -> None:
        self._planner, self._classes = planner, classes
        self._settings, self._root, self._unverified = settings, root, unverified
        self._notes: list[str] = []
        try:
            self._store = Store(store_location(settings.store, root))
            self._explainer: Explainer | GalleryError = _explainer(settings, root, planner, self._store, earlier)
        except GalleryError as error:  # raised here, Ray would start the worker again and again
            self._explainer = error

    def __call__(self, rows: dict[str, np.ndarray]) -> dict[str, list[bytes]]:
        """Explain a block of passages, and write their entries."""
        outcomes = [self._explain(pickle.loads(passage)) for passage in rows["passage"]]
        return {"outcome": [pickle.dumps(outcome) for outcome in outcomes if outcome is not None]}

    def _explain(self, passage: Passage) -> "Outcome | GalleryError | None":
        """Return the passage's outcome; None where it lacks nothing."""
        if isinstance(self._explainer, GalleryError):
            return self._explainer
        job = next(jobs([passage], self._classes, self._planner, mending(self._store, self._notes.append)))
        unverified = passage.id == self._unverified
        if not isinstance(job, Job) or not (job.missing or unverified):
            return None
        try:
            outcome = self._explainer.explain(job)
            self._explainer.finish()
            if unverified and outcome.problem is None:
                model = resolve_model(self._settings.model, self._root)
                check_fast_encoder(self._store, self._planner, model, self._explainer.classifier, passage, job.true_classes, self._notes.append)
        except GalleryError as error:
            return error
        if not job.missing:
            return None
        notes, self._notes = [*self._notes, *outcome.notes], []
        return replace(outcome, notes=notes)


def _explainer(settings: Settings, root: Path, planner: Planner, store: Store, earlier: Timings) -> "Explainer":
    import torch

    from gallery.explain.local import Explainer
    from gallery.model.loading import load_classifier

    if not torch.cuda.is_available():
        torch.set_num_threads(settings.ray_cpus)
    model, tokenizer = resolve_model(settings.model, root), resolve_tokenizer(settings.tokenizer or settings.model, root)
    if not planner.is_for(model, tokenizer):
        raise SourceError(
            f"{settings.model}: another model or tokenizer on {os.uname().nodename} than where the run was started. Bring the same to every node."
        )
    return Explainer(load_classifier(model, tokenizer, settings, planner.fast), planner, store, earlier)


@contextmanager
def _cluster(settings: Settings) -> Iterator[None]:
    """Join the configured cluster, or start a cluster on this machine and remove it, with all its files, at the end.

    A process that has joined a cluster already, such as a Ray job, uses that cluster and leaves it running.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False, "configure_logging": True}
    joined = ray.is_initialized()
    files = "" if settings.ray_address or joined else tempfile.mkdtemp(prefix="gallery-ray-")
    context = DataContext.get_current()
    before = context.target_max_block_size, context.enable_progress_bars
    others = set(threading.enumerate())
    try:
        try:
            if settings.ray_address and not joined:
                ray.init(address=settings.ray_address, **quiet)
            elif not joined:
                start_here(files, **quiet)
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            raise GalleryError(f"Ray: {reason(error, line=-1)}. Correct extra.gallery.ray_address, or leave it out for a cluster on this machine.") from error
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context.target_max_block_size, context.enable_progress_bars = 1, False
        yield
    finally:
        context.target_max_block_size, context.enable_progress_bars = before
        end_data_threads(set(threading.enumerate()) - others)
        if not joined:
            ray.shutdown()
        if files:
            shutil.rmtree(files, ignore_errors=True)
