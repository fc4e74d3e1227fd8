"""The same gallery on a real Ray cluster of two workers: same bytes, and a worker that is killed costs its batch."""

import json
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from gallery.files import WRITING
from gallery.store.entries import Store
from tests.support.galleries import contents, make_gallery, run

pytestmark = pytest.mark.ray

Tiny = Callable[[str], Path]
SETTINGS = "    passages: [site_src/passages, many.jsonl]\n    bertviz_tokens: 0\n    methods: [integrated_gradients, occlusion]\n"


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    import ray

    with tempfile.TemporaryDirectory(prefix="ray-") as folder:  # sockets need a short path
        ray.init(num_cpus=2, include_dashboard=False, _temp_dir=folder, logging_level="ERROR", log_to_driver=False)
        yield
        ray.shutdown()


def gallery(folder: Path, model: Path) -> Path:
    config = make_gallery(folder, model, settings=SETTINGS)
    rows = ({"id": f"p{n}", "true_class": str(n % 3), "text": f"Дорога {n} была пуста, и никто его не ждал. " * (1 + n % 5)} for n in range(12))
    (folder / "many.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return config


def workers() -> list[psutil.Process]:
    """The processes of this cluster that hold the model."""
    return [process for process in psutil.Process().children(recursive=True) if "MapWorker(MapBatches(_Worker))" in " ".join(process.cmdline())]


def test_a_killed_worker_costs_its_batch_and_the_bytes_are_those_of_one_process(cluster: None, tiny: Tiny, tmp_path: Path) -> None:
    config = gallery(tmp_path, tiny("bert"))
    assert run(config, "explain", "--store", "local").exit_code == 0

    victims: list[int] = []
    over = threading.Event()

    def kill() -> None:
        """Kill a worker as soon as the first passages are in the store, and leave what one leaves that was writing."""
        store = Store(tmp_path / "ray")
        while not over.wait(0.02) and not victims:
            if (first := next(store.entries(), None)) and (found := workers()):
                victims.append(found[0].pid)
                os.kill(found[0].pid, signal.SIGKILL)
                (store.path(*first).parent / f"{WRITING}killed").write_bytes(b"half")

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        result = run(config, "explain", "--store", "ray", "--engine", "ray")
    finally:
        over.set()
        killer.join()
    assert result.exit_code == 0, result.output
    assert victims
    assert "15 of 15 passages explained" in result.output
    ray, local = contents(tmp_path / "ray"), contents(tmp_path / "local")
    assert ray.keys() == local.keys()
    assert [name for name, content in ray.items() if content != local[name]] == []
    assert json.loads((tmp_path / "ray" / "timings.json").read_text())["workers"] == 2


def test_a_run_goes_on_where_another_stopped_and_names_what_is_wrong(cluster: None, tiny: Tiny, tmp_path: Path) -> None:
    config = gallery(tmp_path, tiny("bert"))
    (tmp_path / "site_src" / "passages" / "bad.md").write_text("---\ntrue_class: Никто\ntitle: x\n---\nТекст.\n", "utf-8")
    assert run(config, "explain", "--passages", "many.jsonl").exit_code == 0
    damaged = next((tmp_path / "store" / "attention").rglob("*.safetensors"))
    damaged.write_bytes(damaged.read_bytes()[:-3])
    result = run(config, "explain", "--engine", "ray")
    assert result.exit_code == 1
    assert "passages/bad.md: true_class: 'Никто' is no class" in result.output
    assert "4 of 15 passages explained" in result.output
    assert f"set aside as {tmp_path / 'store' / 'damaged'}" in result.output


def test_what_cannot_work_is_said(cluster: None, tiny: Tiny, tmp_path: Path) -> None:
    config = gallery(tmp_path, tiny("bert"))
    result = run(config, "explain", "--engine", "ray", "--store", "memory://gallery")
    assert (result.exit_code, "lives in one process" in result.output) == (1, True)
    before = set(threading.enumerate())
    result = run(config, "explain", "--engine", "ray", "--device", "nonsense")
    assert not [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith(("StreamingExecutor", "iter_threaded"))]
    assert (result.exit_code, "extra.gallery.device: 'nonsense' cannot be used here" in result.output) == (1, True)
