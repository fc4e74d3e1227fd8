"""Jobs in small batches of like length, as they come."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from gallery.explain.plan import Job

CHARACTERS = 1
"""Of a batch, so each passage goes alone: rounding depends on what shares a product, and an entry may depend on its key alone."""
_WINDOW = 64
"""Passages looked at together, so that those of like length share a batch."""


def batches(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    """Yield jobs in batches; the same jobs give the same batches."""
    remaining = iter(jobs)
    while window := list(islice(remaining, _WINDOW)):
        window.sort(key=lambda job: len(job.passage.text))
        yield from cut(window, CHARACTERS)


def cut(jobs: Sequence[Job], characters: int) -> Iterator[list[Job]]:
    """Split jobs into batches of at most so many characters, or of one."""
    batch: list[Job] = []
    for job in jobs:
        if batch and sum(len(other.passage.text) for other in [*batch, job]) > characters:
            yield batch
            batch = []
        batch.append(job)
    if batch:
        yield batch
