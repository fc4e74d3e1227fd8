"""The site is replaced in one step: whoever reads it meanwhile reads a whole one."""

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from gallery.site.build import put_in_place as module


def _write(folder: Path, content: str) -> Path:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "index.html").write_text(content, "utf-8")
    return folder


@pytest.mark.parametrize("exchanges", [True, False])
def test_the_new_folder_stands_where_the_old_one_was_and_the_old_one_where_the_new_one_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanges: bool
) -> None:
    if not exchanges:
        monkeypatch.setattr(module, "_system_call", lambda: None)
    site, fresh = _write(tmp_path / "site", "old"), _write(tmp_path / "build" / "site", "new")
    module.put_in_place(fresh, site)
    assert (site / "deep" / "er" / "index.html").read_text() == "new"
    assert (fresh / "deep" / "er" / "index.html").read_text() == "old"
    module.put_in_place(fresh, tmp_path / "first")
    assert (tmp_path / "first" / "deep" / "er" / "index.html").read_text() == "old"
    assert not fresh.exists()


def test_a_refusal_leaves_the_old_one_where_it_was(tmp_path: Path) -> None:
    site = _write(tmp_path / "site", "old")
    with pytest.raises(OSError, match=r".+"):
        module.put_in_place(tmp_path / "none", site)
    assert (site / "deep" / "er" / "index.html").read_text() == "old"


def _read(path: Path, done: Any, seen: Any) -> None:
    """Count how often the old, the new, and anything else was read."""
    while not done.is_set():
        try:
            content = path.read_text("utf-8")
        except OSError:
            content = "nothing"
        seen[{"old": 0, "new": 1}.get(content, 2)] += 1


@pytest.mark.skipif(module._system_call() is None, reason="this system cannot exchange two folders")
def test_a_reader_never_finds_nothing_or_half(tmp_path: Path) -> None:
    site, fresh = _write(tmp_path / "site", "old"), _write(tmp_path / "fresh", "new")
    context = multiprocessing.get_context("spawn")
    done, seen = context.Event(), context.Array("i", 3)
    reader = context.Process(target=_read, args=(site / "deep" / "er" / "index.html", done, seen))
    reader.start()
    swaps = 0
    while reader.is_alive() and (swaps < 2000 or min(seen[:2]) < 100):  # until both have been read often enough
        module.put_in_place(fresh, site)
        swaps += 1
    done.set()
    reader.join()
    assert reader.exitcode == 0
    assert seen[2] == 0
