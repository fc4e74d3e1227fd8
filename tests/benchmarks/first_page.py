"""How long a maker waits: from `python build.py` in a fresh clone to the first site that can be read, and to the last one.

    python tests/benchmarks/first_page.py --json first_page.json
    python tests/benchmarks/first_page.py --compare     # builds once more in one go, and compares the bytes

Clones the repository as it is committed, builds the demo gallery there, and looks at the first site as soon as it is in place: every
passage must have a page with shaded words. Prints the time of each part of the work, and a digest of the last site.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
_POLL = 0.1
"""Seconds between two looks for the first site."""


def main() -> None:
    """Build, look, and print; end with status 1 where the first site has a passage that cannot be read, or the last one differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="Also write the figures to this file.")
    parser.add_argument("--compare", action="store_true", help="Build once more with --in-one-go, and compare the sites byte by byte.")
    parser.add_argument("--repository", type=Path, default=ROOT, help="The repository to clone; this one without it.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="first-page-") as folder:
        clone = _clone(arguments.repository, Path(folder) / "clone")
        figures = measured(clone, Path(folder) / "first")
        print_figures(figures)
        problems = [f"{ident}: no readable page in the first site" for ident in figures["unreadable"]]
        if arguments.compare:
            again = _clone(arguments.repository, Path(folder) / "again")
            subprocess.run([sys.executable, "build.py", "build", "--in-one-go"], cwd=again, check=True)
            figures["digest_in_one_go"] = digest(again / "site")
            problems += ["the site built in one go differs"] if figures["digest_in_one_go"] != figures["digest"] else []
        if arguments.json:
            arguments.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", "utf-8")
    if problems:
        sys.exit("\n".join(problems))


def measured(clone: Path, first: Path) -> dict[str, Any]:
    """Build a clone; return the figures. first: where the first site is kept, as links."""
    begun, found = time.perf_counter(), None
    building = subprocess.Popen([sys.executable, "build.py"], cwd=clone)
    while building.poll() is None:
        if found is None and (clone / "site" / "index.html").is_file():
            found = time.perf_counter() - begun
            shutil.copytree(clone / "site", first, copy_function=os.link)
        time.sleep(_POLL)
    whole = time.perf_counter() - begun
    if building.returncode:
        sys.exit(f"build.py ended with status {building.returncode}")
    if found is None:
        found, first = whole, clone / "site"
    stats = json.loads(subprocess.run([sys.executable, "build.py", "stats", "--json"], cwd=clone, check=True, capture_output=True, text=True).stdout)
    passages = sorted(path.parent.name for path in (clone / "site" / "passages").glob("*/index.html"))
    return {
        "first_site_s": round(found, 1),
        "whole_build_s": round(whole, 1),
        "passages": len(passages),
        "parts": {part: round(values["seconds"], 1) for part, values in stats["parts"].items()},
        "unreadable": [ident for ident in passages if not readable(first / "passages" / ident / "index.html")],
        "still_computed": "g-unfinished" in (first / "index.html").read_text("utf-8"),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "digest": digest(clone / "site"),
    }


def readable(page: Path) -> bool:
    """Tell whether a passage's page is there, with its verdict and at least one shaded word."""
    text = page.read_text("utf-8") if page.is_file() else ""
    return "g-verdict" in text and re.search(r'class="w (?:for|against)\d', text) is not None


def digest(site: Path) -> str:
    """Return the sha256 of all files of a site, names and contents."""
    total = hashlib.sha256()
    for path in sorted(path for path in site.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(site).as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def print_figures(figures: dict[str, Any]) -> None:
    """Print the figures as a table of parts, and three lines."""
    console = Console()
    table = Table("part", "seconds", "share")
    total = sum(figures["parts"].values()) or 1.0
    for part, seconds in sorted(figures["parts"].items(), key=lambda pair: -pair[1]):
        table.add_row(part, f"{seconds:.1f}", f"{seconds / total:.0%}")
    console.print(table)
    console.print(f"first readable site of {figures['passages']} passages: {figures['first_site_s']:.1f} s on {figures['cores']} cores")
    console.print(f"whole build: {figures['whole_build_s']:.1f} s")
    console.print(f"last site: sha256 {figures['digest']}")


def _clone(repository: Path, folder: Path) -> Path:
    subprocess.run(["git", "clone", "-q", "--local", str(repository), str(folder)], check=True)
    return folder


if __name__ == "__main__":
    main()
