"""Builds killed with SIGKILL at random moments: does a plain rerun end with the bytes of an undisturbed build?

    python -m tests.faults.kills --kills 100 --json kills.json

After each kill the same command is run again. It must end well, the store and the site (or, for publishing, what the bare
repository holds) must be byte for byte those of a build that nobody disturbed, no entry that was whole may have been
computed again, and no more passages than are in flight at once may have been begun twice.
"""

import argparse
import json
import os
import random
import re
import select
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from gallery.explain.stages import stages_of
from gallery.store.entries import TIMINGS
from gallery.store.manifest import EntryName
from tests.faults import warm
from tests.support.galleries import contents

PHASES = {
    "explain": ["gallery.explain.passage:explain"],
    "encode": ["gallery.attention.encoding:encode_queries_keys"],
    "store": ["gallery.files:write_chunks"],
    "render": ["gallery.site.pages.passage:passage_fragment"],
    "MkDocs": ["mkdocs.commands.build:build"],
    "swap": ["gallery.site.build.put_in_place:put_in_place"],
    "publish": ["gallery.site.build.publish:publish"],
    "push": ["ghp_import:Git.check_call"],
}
"""Phase -> the functions whose calls say that a build is in it."""
PASSAGES = 6
IN_FLIGHT = 2
"""Passages that may be half done when the build dies: one that is computed, one that is written."""


@dataclass(frozen=True)
class Sound:
    """An undisturbed build."""

    store: dict[str, bytes]
    site: dict[str, bytes]
    tree: str
    """Of the published branch."""
    marks: dict[str, list[float]]
    """Phase -> seconds from one of its marks to the next mark of any phase."""


def main() -> None:
    """Kill as often as asked, say how it went, and write the figures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--kills", type=int, default=100)
    arguments.add_argument("--seed", type=int, default=9)
    arguments.add_argument("--json", type=Path)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as room:
        figures = run(Path(room), asked.kills, asked.seed)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    raise SystemExit(figures["kills"] != figures["kills_survived"])


def run(room: Path, kills: int, seed: int) -> dict[str, object]:
    """Return how many builds were killed, how many reruns were right, and in which phase they died."""
    os.environ |= {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "Ann"), ("EMAIL", "ann@example.org"))}
    os.environ["GIT_CONFIG_GLOBAL"] = os.devnull
    sound = undisturbed(room)
    choice = random.Random(seed)
    died: Counter[str] = Counter()
    survived = tried = 0
    failures = []
    while sum(died.values()) < kills:
        phase = list(PHASES)[tried % len(PHASES)]
        tried += 1
        where, problem = one_kill(room, sound, phase, choice)
        if where is None:  # it had ended before the blow fell
            continue
        died[where] += 1
        survived += problem is None
        if problem:
            failures.append(f"{where}: {problem}")
        print(f"{sum(died.values()):>4} killed in {where:<8} {problem or 'as if nothing had been'}", flush=True)
    return {"kills": kills, "kills_survived": survived, "died_in": dict(sorted(died.items())), "failures": failures, "seed": seed}


def undisturbed(room: Path) -> Sound:
    """Build and publish once without a kill, and note when each phase is entered."""
    config = warm.make(room / "made", PASSAGES)
    folder = config.parent
    _git(room, "init", "-q", "--bare", "remote.git")
    _git(folder, "init", "-q", "-b", "main")
    _git(folder, "commit", "-q", "--allow-empty", "-m", "Begin")
    _git(folder, "remote", "add", "origin", "../../remote.git")
    shutil.copytree(folder, room / "fresh" / "gallery", symlinks=True)
    marks: dict[str, list[float]] = {phase: [] for phase in PHASES}
    for words in ("build", "publish"):
        reading, writing = os.pipe()
        child = warm.start(warm.command(words, "-f", config), room / "log", PHASES, writing)
        os.close(writing)
        moments = []
        while mark := os.read(reading, 1):
            moments.append((list(PHASES)[mark[0]], time.monotonic()))
        os.close(reading)
        assert warm.wait(child) == 0, (room / "log").read_text("utf-8")
        moments.append(("", time.monotonic()))
        for (phase, begun), (_, ended) in pairwise(moments):
            marks[phase].append(ended - begun)
    assert all(marks.values()), f"phases that no mark tells of: {[phase for phase, found in marks.items() if not found]}"
    return Sound(entries(folder / "store"), contents(folder / "site"), _published(room / "remote.git"), marks)


def one_kill(room: Path, sound: Sound, phase: str, choice: random.Random) -> tuple[str | None, str | None]:
    """Start a build, kill it in a phase, run it again; return the phase it died in, and what was wrong afterwards."""
    place = room / "made" / "gallery"
    shutil.rmtree(place)
    shutil.rmtree(room / "remote.git")
    _git(room, "init", "-q", "--bare", "remote.git")
    shutil.copytree(room / "fresh" / "gallery", place)
    config = place / "mkdocs.yml"
    publishing = phase in {"publish", "push"}
    words = ["publish" if publishing else "build", "-f", config]
    if publishing or phase in {"render", "MkDocs", "swap"}:
        for name, content in sound.store.items():
            _put(place / "store" / name, content)
    if publishing or phase == "swap":
        for name, content in sound.site.items():
            _put(place / "site" / name, content)
    number = choice.randrange(len(sound.marks[phase]))
    delay = choice.uniform(0, sound.marks[phase][number])
    where = _start_and_kill(room, words, phase, number, delay)
    if where is None:
        return None, None
    before = {path: path.stat().st_mtime_ns for path in (place / "store").rglob("*.safetensors")}
    flying, finished = _progress(sound, {path.stem for path in before})
    status = warm.wait(warm.start(warm.command(*words), room / "log"))
    said = (room / "log").read_text("utf-8")
    if status:
        return where, f"the rerun ended with {status}: {said[-300:]}"
    if not publishing:
        explained = re.search(r"(\d+) of (\d+) passages explained", said)
        again = int(explained[1]) if explained else 0
        if again > PASSAGES - finished:
            return where, f"{again} passages explained again, {finished} of {PASSAGES} had been whole"
        if flying > IN_FLIGHT:
            return where, f"{flying} passages were in flight at once"
        if any(path.stat().st_mtime_ns != moment for path, moment in before.items()):
            return where, "an entry that was whole was written again"
        if entries(place / "store") != sound.store:
            return where, f"the store differs: {sorted(entries(place / 'store').items() ^ sound.store.items())[:3]}"
        if contents(place / "site") != sound.site:
            return where, "the site differs"
    elif _published(room / "remote.git") != sound.tree:
        return where, "what is published differs"
    return where, None


def _start_and_kill(room: Path, words: list[object], phase: str, number: int, delay: float) -> str | None:
    """Kill a build some time after a phase was entered for the n-th time; return the phase it was in, None if it had ended."""
    reading, writing = os.pipe()
    child = warm.start(warm.command(*words), room / "killed.log", PHASES, writing)
    os.close(writing)
    wanted, last, left = list(PHASES).index(phase), phase, number
    while mark := os.read(reading, 1):
        last = list(PHASES)[mark[0]]
        if mark[0] == wanted:
            if not left:
                break
            left -= 1
    ends = time.monotonic() + delay
    while (remains := ends - time.monotonic()) > 0 and select.select([reading], [], [], remains)[0]:
        mark = os.read(reading, 1)
        if not mark:
            break
        last = list(PHASES)[mark[0]]
    status = warm.kill(child)
    os.close(reading)
    return None if status >= 0 else last


def entries(store: Path) -> dict[str, bytes]:
    """Return a store's files, but for how long it took, which no number depends on."""
    return {name: content for name, content in contents(store).items() if name != TIMINGS}


def _progress(sound: Sound, keys: set[str]) -> tuple[int, int]:
    """Return how many passages a store of these entries has begun and not ended in the same stage of the work, and how many are whole."""
    finished, flying = 0, [0, 0, 0]
    for line in sound.store["manifest.jsonl"].decode().splitlines()[1:]:
        entries = json.loads(line).get("entries")
        if entries:
            finished += set(entries.values()) <= keys
            names = {EntryName.parse(name): key for name, key in entries.items()}
            methods = list(dict.fromkeys(name.method for name in names if name.kind == "attribution"))
            stages = stages_of(methods)
            for number, stage in enumerate(stages):
                own = {key for name, key in names.items() if stage.has(name) and not any(earlier.has(name) for earlier in stages[:number])}
                flying[number] += bool(keys & own) and not own <= keys
    return max(flying), finished


def _published(repository: Path) -> str:
    return _git(repository, "rev-parse", "gh-pages^{tree}")


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
