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
import tempfile
from collections.abc import Callable
from pathlib import Path

from gallery.store import TIMINGS
from tests.faults import warm
from tests.galleries import contents

PASSAGES = 2


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
    arguments.add_argument("--json", type=Path)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="damage-") as room:
        figures = run(Path(room), asked.every)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    raise SystemExit(figures["damages"] != figures["damages_found"])


def run(room: Path, every: int) -> dict[str, object]:
    """Return how many files were damaged, and with how many all went as it should."""
    config = warm.make(room / "made", PASSAGES)
    log, store = room / "log", config.parent / "store"
    assert warm.wait(warm.start(warm.command("build", "-f", config), log)) == 0, log.read_text("utf-8")
    (store / TIMINGS).unlink(missing_ok=True)  # how long it took, which no number depends on
    sound, site = contents(store), contents(config.parent / "site")
    trials = [(name, kind) for name in sound for kind in DAMAGE]
    rendered: set[tuple[str, str]] = set()
    found, failures = 0, []
    for name, kind in trials[::every]:
        DAMAGE[kind](store / name)
        refuses = (name.split("/")[0], kind) not in rendered
        rendered.add((name.split("/")[0], kind))
        problem = _trial(config, log, name, sound, refuses)
        found += problem is None
        if problem:
            failures.append(f"{name} {kind}: {problem}")
        print(f"{kind:<10} {name[:50]:<50} {problem or 'found, set aside, computed again'}", flush=True)
        shutil.rmtree(store)
        for other, content in sound.items():
            (store / other).parent.mkdir(parents=True, exist_ok=True)
            (store / other).write_bytes(content)
    assert warm.wait(warm.start(warm.command("build", "-f", config), log)) == 0
    if contents(config.parent / "site") != site:
        failures.append("the site of the repaired store differs")
        found = 0
    return {"damages": len(trials[::every]), "damages_found": found, "failures": failures, "files": len(sound)}


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
