"""Every file of a store damaged in turn: is it named, set aside, computed again, and never served?

    python -m tests.faults.damage --json damage.json

For each file and each kind of damage: `check --store` must name the file and change nothing; `explain` must name it, set it
aside and leave the store with the bytes it had. Once for each kind of file and damage, `render` must refuse.
Unreadable means mode 000, and the child gives up root's power to read it nonetheless.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from gallery.store.entries import TIMINGS
from tests.faults import warm
from tests.support.galleries import contents

PASSAGES = 2
_FOUND = "found.json"


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "flipped": _flip,
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "emptied": lambda path: os.truncate(path, 0),
    "folder": _folder,
    "unreadable": lambda path: path.chmod(0),
}


def main() -> None:
    """Damage as many files as asked, say what was missed, and write the figures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--every", type=int, default=1, help="Take only every n-th file and damage.")
    arguments.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="Galleries that are damaged at the same time.")
    arguments.add_argument("--json", type=Path)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="damage-") as room:
        figures = run(Path(room), asked.every, asked.processes)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    raise SystemExit(figures["damages"] != figures["damages_found"])


def run(room: Path, every: int, processes: int) -> dict[str, object]:
    """Return how many files were damaged, and with how many all went as it should."""
    config = warm.make(room / "made", PASSAGES)
    log, store = room / "log", config.parent / "store"
    assert warm.wait(warm.start(warm.command("build", "-f", config), log)) == 0, log.read_text("utf-8")
    (store / TIMINGS).unlink(missing_ok=True)  # how long it took, which no number depends on
    files = len(contents(store))
    seen: set[tuple[str, str]] = set()
    trials = []
    for name, kind in [(name, kind) for name in contents(store) for kind in DAMAGE][::every]:
        trials.append((name, kind, (name.split("/")[0], kind) not in seen))
        seen.add((name.split("/")[0], kind))
    children = []
    for number in range(processes):
        place = room / f"room-{number}"
        shutil.copytree(config.parent, place)
        sys.stdout.flush()
        child = os.fork()
        if not child:
            _end(place, trials[number::processes])
        children.append((child, place))
    failures = []
    for child, place in children:
        failures += json.loads((place / _FOUND).read_text("utf-8")) if warm.wait(child) == 0 else [f"{place.name} went down"] * len(trials)
    return {"damages": len(trials), "damages_found": max(0, len(trials) - len(failures)), "failures": failures, "files": files}


def _end(place: Path, trials: Sequence[tuple[str, str, bool]]) -> NoReturn:
    status = 1
    try:
        (place / _FOUND).write_text(json.dumps(_share(place, trials)), "utf-8")
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def _share(place: Path, trials: Sequence[tuple[str, str, bool]]) -> list[str]:
    """Damage files in a gallery of one's own; return what went otherwise than it should."""
    config, log, store = place / "mkdocs.yml", place / "log", place / "store"
    sound, site = contents(store), contents(place / "site")
    failures = []
    for name, kind, refuses in trials:
        DAMAGE[kind](store / name)
        problem = _trial(config, log, name, sound, refuses)
        failures += [f"{name} {kind}: {problem}"] if problem else []
        print(f"{kind:<10} {name[:50]:<50} {problem or 'found, set aside, computed again'}", flush=True)
        shutil.rmtree(store)
        for other, content in sound.items():
            (store / other).parent.mkdir(parents=True, exist_ok=True)
            (store / other).write_bytes(content)
    assert warm.wait(warm.start(warm.command("build", "-f", config), log)) == 0
    if contents(place / "site") != site:
        failures += ["the site of the repaired store differs"] * len(trials)
    return failures


def _trial(config: Path, log: Path, name: str, sound: dict[str, bytes], refuses: bool) -> str | None:
    """Return what went otherwise than it should with a damaged file, or None."""
    store = config.parent / "store"

    def says(*words: object) -> tuple[int, str]:
        status = warm.wait(warm.start(warm.command(words[0], "-f", config, *words[1:]), log, ordinary=True))
        return status, log.read_text("utf-8")

    status, said = says("check", "--store")
    if status != 1 or Path(name).name not in said:
        return f"check --store ended with {status}: {said[-200:]}"
    if refuses:
        shutil.rmtree(config.parent / "build")  # or pages that are there already would be taken over, and nothing read
        if says("render")[0] != 1:
            return "render served it"
    status, said = says("explain")
    if status or Path(name).name not in said or "set aside" not in said:
        return f"explain ended with {status}: {said[-200:]}"
    aside = [path for path in (store / "damaged").iterdir() if path.name.endswith(Path(name).name)]
    if len(aside) != 1:
        return f"set aside: {aside}"
    aside[0].chmod(0o755 if aside[0].is_dir() else 0o644)
    after = {other: content for other, content in contents(store).items() if not other.startswith("damaged") and other != TIMINGS}
    return None if after == sound else f"the store differs: {sorted(set(after) ^ set(sound))}"


if __name__ == "__main__":
    main()
