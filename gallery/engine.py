"""Many passages through one classifier, in this process."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from gallery.classifier import Classifier
from gallery.config import Settings
from gallery.explain import explain
from gallery.plan import Job, Planner
from gallery.store import Store

_WINDOW = 64  # passages looked at together, so that those of like length share a batch
_BATCH_CHARACTERS = 1  # each passage alone: rounding depends on what shares a product, and an entry may depend on its key alone


def run_local(classifier: Classifier, jobs: Iterable[Job], planner: Planner, store: Store, settings: Settings, done: Callable[[Job], None]) -> Iterator[str]:
    """Explain every job and write its entries; yield a message for each passage that could not be explained.

    An entry is in the store as soon as it is computed, so an interrupted run goes on where it stopped.
    """
    for batch in _batches(jobs):
        try:
            _write(classifier, batch, planner, store, settings)
        except (ArithmeticError, RuntimeError):
            # Which passage of the batch was at fault shows when each goes alone.
            for job in batch:
                try:
                    _write(classifier, [job], planner, store, settings)
                except (ArithmeticError, RuntimeError) as error:
                    yield f"{job.passage.origin}: {job.passage.id} could not be explained: {str(error).splitlines()[0]}."
        for job in batch:
            done(job)


def _write(classifier: Classifier, batch: Sequence[Job], planner: Planner, store: Store, settings: Settings) -> None:
    for key, record in explain(classifier, batch, planner, store, settings):
        store.write(key, record)


def _batches(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    """Yield jobs in small batches of like length."""
    remaining = iter(jobs)
    while window := list(islice(remaining, _WINDOW)):
        window.sort(key=lambda job: len(job.passage.text))
        batch: list[Job] = []
        for job in window:
            if batch and sum(len(other.passage.text) for other in [*batch, job]) > _BATCH_CHARACTERS:
                yield batch
                batch = []
            batch.append(job)
        yield batch
