"""Canaries: each fails, and says what to do, when a new Ray Data runs an iteration in other threads than gallery/compat/ray.py ends.

tests/explain/test_on_ray.py breaks off a real run, and looks for threads that are left.
"""

import inspect
import threading
from collections.abc import Iterator

import pytest

pytest.importorskip("ray")

import ray
from ray.data._internal.block_batching import iter_batches, util

from gallery.compat.ray import StreamingExecutor, end_data_threads, is_executing, is_prefetching

REMEDY = "Find the new thread by threading.enumerate() in a broken-off ray.data iteration, and end it in gallery/compat/ray.py."


def test_a_cluster_takes_a_folder_for_its_files() -> None:
    source = inspect.getsource(inspect.unwrap(ray.init))
    assert '"_temp_dir"' in source, "ray.init has no _temp_dir: pass its successor in gallery/compat/ray.py, or a cluster leaves its files behind"


def test_operators_run_in_a_thread_that_can_be_ended() -> None:
    assert issubclass(StreamingExecutor, threading.Thread), f"StreamingExecutor is no thread any more. {REMEDY}"
    named = inspect.signature(StreamingExecutor.shutdown).parameters
    assert "force" in named, f"StreamingExecutor.shutdown takes {sorted(named)}, and no `force`. {REMEDY}"


def test_rows_are_fetched_in_a_thread_that_is_known_by_its_name() -> None:
    started: list[threading.Thread] = []

    def fetch(numbers: Iterator[int]) -> Iterator[int]:
        for number in numbers:
            started.append(threading.current_thread())
            yield number

    assert iter_batches.iter_threaded is util.iter_threaded, f"iterations no longer fetch by iter_threaded. {REMEDY}"
    assert list(util.iter_threaded(iter([1, 2]), fn=fetch)) == [1, 2]
    assert started
    assert all(is_prefetching(thread) for thread in started), f"threads that fetch rows are named {sorted({t.name for t in started})} now. {REMEDY}"


def test_threads_of_others_go_on_and_those_that_fetch_are_waited_for() -> None:
    over = threading.Event()
    other, fetching = threading.Thread(target=over.wait, name="other"), threading.Thread(target=lambda: over.wait(0.05), name="iter_threaded")
    for thread in (other, fetching):
        thread.start()
    assert not is_executing(other)
    end_data_threads([other, fetching])
    assert (other.is_alive(), fetching.is_alive()) == (True, False)
    over.set()
    other.join()
