"""Ray's folder of temporary files, and Ray Data's threads, which outlive an iteration that is broken off."""

import threading
from collections.abc import Iterable
from typing import Any

import ray
from ray.data._internal.execution.streaming_executor import StreamingExecutor

_PREFETCHING = "iter_threaded"
"""Name of the thread that fetches the next rows of an iteration."""


def start_here(files: str, **options: Any) -> None:
    """Start a cluster on this machine, with its sockets and logs in the folder `files`; other options as for `ray.init`."""
    ray.init(address="local", include_dashboard=False, _temp_dir=files, **options)


def end_data_threads(threads: Iterable[threading.Thread]) -> None:
    """End the threads of Ray Data among these, and wait up to 10 seconds for each that prefetches.

    A thread that calls Ray after `ray.shutdown` ends the whole process.
    """
    started = list(threads)
    for thread in started:
        if isinstance(thread, StreamingExecutor):
            thread.shutdown(force=True)
    for thread in started:
        if is_prefetching(thread):
            thread.join(10)


def is_prefetching(thread: threading.Thread) -> bool:
    """Tell whether a thread fetches the next rows of an iteration."""
    return thread.name == _PREFETCHING


def is_executing(thread: threading.Thread) -> bool:
    """Tell whether a thread runs a data set's operators."""
    return isinstance(thread, StreamingExecutor)
