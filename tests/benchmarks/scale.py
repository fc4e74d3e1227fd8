"""How the site grows: time, memory and bytes of 100, 1,000 and 10,000 passages, and of a second build after one change.

    python tests/benchmarks/scale.py [--json FILE] [--store FOLDER] [--folder FOLDER] [--sizes 100 1000 10000] [--pages-only]

Needs a built store, such as the one that `python build.py` leaves in store/. Its passages are drawn again and again
under other names; their entries are shared by hard links, the site gets real files for each. Each size is rendered by
`python build.py render --attention-fit` in a process of its own, the check of links included, as a user would. Memory is the sum of the
resident sizes of that process and its children. Processor time stands beside the clock's, for machines that are busy.
After that, unless `--pages-only`, throughput.py explains 1,000 passages, twice: over an hour on two cores.
"""

import argparse
import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
from paper import paper
from rich.console import Console
from rich.table import Table

from gallery.site.check.sizes import Sizes, measure
from gallery.store.entries import Store
from gallery.store.manifest import read_header, read_rows, write_manifest
from gallery.units import megabytes

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Run:
    """One `python build.py render`."""

    seconds: float
    processor: float
    """Seconds of processor time, of the whole process tree."""
    peak: int
    """Bytes."""
    said: str


def make_gallery(store: Path, folder: Path, count: int) -> Path:
    """Write a gallery of `count` passages, drawn from a store; return its mkdocs.yml."""
    given, made = Store(store), Store(folder / "store")
    header, rows = read_header(given), list(read_rows(given))
    for kind, key in {(name.kind, key) for row in rows for name, key in row.entries.items()}:
        if not made.has(kind, key):
            _link(given.path(kind, key), made.path(kind, key))
    if header.scripts:
        _link(given.path("scripts", header.scripts), made.path("scripts", header.scripts))
    draw = random.Random(0)
    drawn = [draw.choice(rows) for _ in range(count)]
    drawn.sort(key=lambda row: row.id)
    write_manifest(made, header, (replace(row, id=f"{row.id}-{number}", title=f"{row.title}, {number}") for number, row in enumerate(drawn, 1)))
    shutil.copytree(ROOT / "site_src", folder / "site_src", ignore=shutil.ignore_patterns("passages"))
    shutil.copyfile(ROOT / "mkdocs.yml", folder / "mkdocs.yml")
    return folder / "mkdocs.yml"


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def change_one(store: Store) -> None:
    """Give one passage in the middle another title."""
    header, rows = read_header(store), list(read_rows(store))
    middle = len(rows) // 2
    rows[middle] = replace(rows[middle], title=f"{rows[middle].title}, changed")
    write_manifest(store, header, rows)


def render(config: Path) -> Run:
    """Render a gallery as a user would, and watch."""
    command = [sys.executable, str(ROOT / "build.py"), "render", "--config-file", str(config), "--attention-fit"]
    before, started = os.times(), time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    peaks = [0]
    watch = threading.Thread(target=_watch, args=(psutil.Process(process.pid), peaks), daemon=True)
    watch.start()
    said, _ = process.communicate()
    seconds, after = time.perf_counter() - started, os.times()
    watch.join()
    if "Site:" not in said:
        raise SystemExit(said)
    return Run(seconds, after.children_user - before.children_user + after.children_system - before.children_system, peaks[0], said.strip())


def _watch(process: psutil.Process, peaks: list[int]) -> None:
    while True:
        total = 0
        try:
            for part in (process, *process.children(recursive=True)):
                total += part.memory_info().rss
            if process.status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            if not process.is_running():
                return
        peaks[0] = max(peaks[0], total)
        time.sleep(0.1)


def sizes_of(site: Path) -> Sizes:
    """Return what a site takes."""
    return measure(site, (path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()))


def pages(store: Path, folder: Path, counts: Sequence[int], console: Console, save: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Render galleries of each size, and each again with one passage changed; `save` is given what is known after each."""
    table = Table(title=f"python build.py render, {len(os.sched_getaffinity(0))} of {os.cpu_count()} cores")
    for column in ("passages", "seconds", "processor s", "ms a passage", "peak", "site", "KB a passage", "second build, s", "its processor s"):
        table.add_column(column, justify="right")
    rows: list[dict[str, Any]] = []
    figures: dict[str, Any] = {}
    for count in counts:
        place = folder / str(count)
        shutil.rmtree(place, ignore_errors=True)
        config = make_gallery(store, place, count)
        first = render(config)
        sizes = sizes_of(place / "site")
        change_one(Store(place / "store"))
        second = render(config)
        rows.append(
            {
                "passages": count,
                "seconds": first.seconds,
                "processor_s": first.processor,
                "peak_mb": first.peak / 1e6,
                "bytes": sizes.bytes,
                "kinds": {kind: size.bytes for kind, size in sizes.kinds.items() if size.files},
                "incremental_s": second.seconds,
                "incremental_processor_s": second.processor,
                "incremental_peak_mb": second.peak / 1e6,
            }
        )
        mean = 1000 * first.seconds / count
        figures = [first.seconds, first.processor, mean, first.peak / 1e6, sizes.bytes / 1e6, sizes.bytes / 1e3 / count, second.seconds, second.processor]
        table.add_row(f"{count:,}", *(f"{value:,.1f}" for value in figures))
        console.print(f"{count:,}: {first.said}\n{second.said}")
        console.print({key: value for key, value in rows[-1].items() if key != "kinds"})
        kinds = sorted(((size.bytes, kind) for kind, size in sizes.kinds.items() if size.files), reverse=True)
        console.print(", ".join(f"{kind} {megabytes(size)}" for size, kind in kinds))
        shutil.rmtree(place)
        figures = {"pages": rows, "cores": len(os.sched_getaffinity(0)), **keys(rows)}
        save(figures)
    console.print(table)
    return figures


def keys(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the figures that must hold, as far as their sizes were rendered."""
    of = {row["passages"]: row for row in rows}
    found: dict[str, float] = {}
    if 10_000 in of:
        found = {"pages_10000_s": of[10_000]["seconds"], "pages_10000_peak_mb": of[10_000]["peak_mb"], "incremental_s": of[10_000]["incremental_s"]}
        if 1_000 in of:
            found["per_page_ratio"] = of[10_000]["seconds"] / 10 / of[1_000]["seconds"]
            found["per_page_ratio_processor"] = of[10_000]["processor_s"] / 10 / of[1_000]["processor_s"]
    return found


def throughput(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the explain half's figures, where torch is there."""
    if importlib.util.find_spec("torch") is None:
        return {}
    file = folder / "throughput.json"
    counts = [f"--{name}={getattr(options, name.replace('-', '_'))}" for name in ("passages", "longest", "ray-passages")]
    subprocess.run([sys.executable, str(Path(__file__).with_name("throughput.py")), "--json", str(file), *counts], check=True)
    figures: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return figures


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--store", type=Path, default=ROOT / "store", help="a built store")
    parser.add_argument("--folder", type=Path, help="where the galleries are made; they are removed again")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--pages-only", action="store_true", help="leave the explain half out")
    parser.add_argument("--passages", type=int, default=1000, help="that the explain half goes through")
    parser.add_argument("--longest", type=int, default=240, help="characters of the longest of them")
    parser.add_argument("--ray-passages", type=int, default=40)
    options = parser.parse_args()
    console = Console(soft_wrap=True)
    store = Store(options.store)
    reckoned = paper(store, read_header(store), list(read_rows(store)))

    def save(figures: dict[str, Any]) -> None:
        if options.json:
            options.json.write_text(json.dumps({**figures, "paper": reckoned}, indent=1) + "\n", "utf-8")

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures = pages(options.store, Path(folder), options.sizes, console, save)
        if not options.pages_only:
            figures |= throughput(Path(folder), options)
    save(figures)
    console.print({key: value for key, value in figures.items() if key != "pages"})


if __name__ == "__main__":
    main()
