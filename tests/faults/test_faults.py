"""No room, no permission, another build, a clock that runs backwards: a clear message, and nothing half-written."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from operator import attrgetter
from pathlib import Path

import pytest

from gallery.errors import StoreError
from gallery.store.entries import exclusive
from tests.faults import kills
from tests.support.galleries import contents, make_gallery, run

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
LEAN = "    methods: [gradient_x_input]\n    random_orders: 0\n    bertviz_tokens: 8\n"


@pytest.fixture(scope="module")
def built(tiny: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = make_gallery(tmp_path_factory.mktemp("faults"), tiny("bert"), settings=LEAN)
    made = run(config)
    assert made.exit_code == 0, made.output
    return config


@pytest.fixture
def own(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built.parent, tmp_path / "own")
    return tmp_path / "own" / "mkdocs.yml"


def _python(code: str, *arguments: object) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


_ORDINARY = """
import sys
from tests.faults.warm import _drop_powers
from gallery.cli import main
_drop_powers()
main(sys.argv[1:])
"""


def _as_ordinary(*words: object) -> "subprocess.CompletedProcess[str]":
    """Run a command as someone whom permissions bind, even where the tests run as root."""
    process = _python(_ORDINARY, *words)
    said = process.communicate()[0]
    return subprocess.CompletedProcess(words, process.returncode, said, "")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of two megabytes."""
    place = tmp_path / "small"
    place.mkdir()
    if sys.platform != "linux" or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("a file system of its own needs root on Linux")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_ends_with_a_message_and_what_was_there_stays_whole(own: Path, small_disk: Path) -> None:
    gallery = small_disk / "g"
    shutil.copytree(own.parent / "site_src", gallery / "site_src")
    shutil.copyfile(own, gallery / "mkdocs.yml")
    shutil.copytree(own.parent / "store", gallery / "store")
    (gallery / "site").mkdir()
    (gallery / "site" / "index.html").write_text("the old site", "utf-8")
    store = contents(gallery / "store")
    rendered = run(gallery / "mkdocs.yml", "render")  # the theme alone is larger
    assert rendered.exit_code == 1
    assert "No space left on device" in rendered.output
    assert "Traceback" not in rendered.output
    assert contents(gallery / "site") == {"index.html": b"the old site"}
    shutil.rmtree(gallery / "build")
    (gallery / "ballast").write_bytes(bytes(max(0, shutil.disk_usage(gallery).free - 12_000)))
    explained = run(gallery / "mkdocs.yml", "explain", "--n-steps", "9", "--methods", "integrated_gradients")
    assert explained.exit_code == 1
    assert "No space left on device" in explained.output
    assert "Make room" in explained.output
    after = contents(gallery / "store")
    assert {name: after[name] for name in store} == store
    assert not [name for name in after if ".writing-" in name]
    assert run(gallery / "mkdocs.yml", "check", "--store").exit_code == 0
    (gallery / "ballast").unlink()
    assert run(gallery / "mkdocs.yml", "explain", "--methods", "integrated_gradients").exit_code == 0


@pytest.mark.parametrize("what", ["store", "build", "site_src/passages/white-wall.md", "site", "."])
def test_what_may_not_be_touched_is_named(own: Path, what: str) -> None:
    before = contents(own.parent / "store")
    place = own.parent / what
    if what == "store":
        shutil.rmtree(place / "attention")
        before = contents(place)
    if what == "site":
        place = own.parent  # a folder is renamed by whoever may write its parent
    mode = place.stat().st_mode
    place.chmod(0 if place.is_file() else 0o500)
    try:
        done = _as_ordinary("build", "-f", own)
    finally:
        place.chmod(mode)
    assert done.returncode == 1, done.stdout
    assert "Permission denied" in done.stdout
    assert place.name in done.stdout
    assert "Traceback" not in done.stdout
    after = contents(own.parent / "store")
    assert {name: after[name] for name in before if name != "manifest.jsonl"} == {name: before[name] for name in before if name != "manifest.jsonl"}


def test_a_second_build_in_the_same_folder_is_turned_away_and_a_killed_one_holds_nothing(own: Path) -> None:
    hold = """
import sys, time
from pathlib import Path
from gallery.store.entries import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""
    store, site = own.parent / "store", contents(own.parent / "site")
    for folder in ("store", "build"):
        holder = _python(hold, own.parent / folder)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        refused = run(own)
        assert refused.exit_code == 1
        assert f"{own.parent / folder}: another build is at work there" in refused.output
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert run(own).exit_code == 0, "a dead process holds the lock"
    assert contents(own.parent / "site") == site
    (store / ".lock").unlink()
    (store / ".lock").mkdir()
    with pytest.raises(StoreError, match=r"\.lock: "), exclusive(store):
        pass


def test_a_clock_that_runs_backwards_changes_nothing(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, store = contents(own.parent / "site"), contents(own.parent / "store")
    future = time.time() + 10**8
    for path in own.parent.rglob("*"):
        os.utime(path, (future, future))
    ticks = iter(range(10**9, 0, -1))
    monkeypatch.setattr(time, "time", lambda: float(next(ticks)))
    assert run(own).exit_code == 0
    assert contents(own.parent / "site") == site
    assert contents(own.parent / "store") == store


@pytest.mark.parametrize("function", [function for functions in kills.PHASES.values() for function in functions])
def test_the_phases_in_which_builds_are_killed_are_there(function: str) -> None:
    module, _, path = function.partition(":")
    assert callable(attrgetter(path)(import_module(module)))


@pytest.mark.parametrize(("program", "asked"), [("kills", ["--kills", "4"]), ("damage", ["--every", "40"])])
def test_a_few_of_the_faults_that_the_programs_make_by_the_hundred(program: str, asked: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", f"tests.faults.{program}", *asked], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
