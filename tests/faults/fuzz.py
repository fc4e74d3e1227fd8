"""Whatever the gallery reads, with bytes changed at random: an error message at worst, never a crash, never without end.

    python -m tests.faults.fuzz --inputs 1000000 --json fuzz.json

Inputs are made from the examples in tests/faults/readers.py and tests/faults/corpus by seeded mutation, and go through the readers
as files do. What crashed before stands in tests/faults/corpus too, so it is tried first. Each process has a seed of its own; one
that dies, as only a fault in a library's compiled code can make it, counts as a crash, and what it was reading is said.
"""

import argparse
import json
import mmap
import os
import random
import signal
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from tests.faults.readers import READERS, SOUND

CORPUS = Path(__file__).parent / "corpus"
SECONDS = 10
"""Of processor time that an input may take, where most take a ten-thousandth of one."""
_LONGEST = 20_000
_TOKENS = [
    b"---\n", b"\n", b"\r\n", b"\r", b": ", b"- ", b"[", b"]", b"{", b"}", b"&a ", b"*a", b"!!", b"!!python/name:os.system", b"!!binary ", b"!!timestamp ",
    b"!!set ", b"!!int ", b"!!float ", b"!!bool ", b"!!null ", b"<<: ", b"? ", b"|\n", b">\n", b'"', b"'", b"#",
    b"%YAML 1.1\n", b"@", b"`", b"\\", b"\\x", b"\\ud800",
    b"\0", b"\x1b", b"\x85", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\xff", b"\xc3", b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80", b"0x", b"0b_", b"0o", b"1_0", b"1:60", b".inf",
    b".nan", b"-.5e+9999", b"9" * 40, b"2024-99-99", b"2001-12-14t21:59:43.10-25:00", b"0000-00-00", b"true", b"~", b"=",
    b"id", b"true_class", b"title", b"text", b"source",
    b"url", b"sha256", b"start", b"length", b"encoding", b",", b";", b"\t", b'""', b'",', b"null", b"NaN", b"1e999", b"-0", b"\\u0000", b"../", b"con",
    b"javascript:", b"data:text/html,", b"[" * 400, b'{"a":' * 300, b"INHERIT: ../\n", b"!ENV ", b"extra", b"gallery", b"attention",
    b"\xc2\xad", b"e\xcc\x81",
]  # fmt: skip


def main() -> None:
    """Try as many inputs as asked, say what crashed, and write the figures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--inputs", type=int, default=1_000_000)
    arguments.add_argument("--seed", type=int, default=9)
    arguments.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments.add_argument("--keep", type=Path, help="A folder for the inputs that crashed.")
    arguments.add_argument("--json", type=Path)
    asked = arguments.parse_args()
    figures = run(asked.inputs, asked.seed, asked.processes, asked.keep)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    raise SystemExit(bool(figures["fuzz_crashes"]))


def run(inputs: int, seed: int, processes: int = 1, keep: Path | None = None) -> dict[str, object]:
    """Return how many inputs each reader was given, and how many ended in something else than what was read or a message."""
    counts: Counter[str] = Counter()
    crashes: list[str] = []
    for name in READERS:
        for content in examples(name):
            counts[name] += 1
            crashes += tried(name, content, keep)
    left = inputs - counts.total()
    begun = time.monotonic()
    children = [_start(left * (n + 1) // processes - left * n // processes, f"{seed}-{n}", keep) for n in range(processes)]
    for child, reading, last in children:
        with os.fdopen(reading) as stream:
            said = stream.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        found = json.loads(said) if not status else {"counts": {}, "crashes": [f"a process died of {status} at {_read(last)}"]}
        counts += Counter(found["counts"])
        crashes += found["crashes"]
    for crash in crashes[:20]:
        print(crash, flush=True)
    print(f"{counts.total():,} inputs in {time.monotonic() - begun:,.0f} s by {processes} processes, {len(crashes)} crashes: {dict(counts)}", flush=True)
    return {"fuzz_inputs": counts.total(), "fuzz_crashes": len(crashes), "inputs_by_reader": dict(counts), "crashes": crashes[:20], "seed": seed}


def examples(name: str) -> Sequence[bytes]:
    """Return what mutation begins with for a reader: sound input, and all that crashed it before."""
    return [*SOUND[name](), *(path.read_bytes() for path in sorted(CORPUS.glob(f"{name}-*")))]


def mutated(content: bytes, choice: random.Random) -> bytes:
    """Return content with one to eight changes: bytes flipped, cut, doubled, moved, or replaced by what readers stumble over."""
    changed = bytearray(content)
    for _ in range(choice.choice((1, 1, 2, 3, 5, 8))):
        at = choice.randrange(len(changed) + 1)
        how = choice.randrange(7)
        if how == 0 and at < len(changed):
            changed[at] ^= 1 << choice.randrange(8)
        elif how == 1:
            del changed[at : at + choice.choice((1, 2, 8, 40))]
        elif how == 2:
            changed[at:at] = changed[at : at + choice.choice((1, 4, 20))] * choice.choice((1, 2, 30))
        elif how == 3:
            del changed[at:]
        elif how == 4:
            changed[at:at] = bytes(choice.randrange(256) for _ in range(choice.choice((1, 3))))
        else:
            changed[at : at + choice.choice((0, 0, 1, 4))] = choice.choice(_TOKENS)
    return bytes(changed[:_LONGEST])


def tried(name: str, content: bytes, keep: Path | None = None) -> list[str]:
    """Return what went wrong as a reader was given some bytes: nothing, or one line that tells where."""
    signal.signal(signal.SIGVTALRM, _without_end)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        READERS[name][0](content)
    except KeyboardInterrupt:
        raise
    except BaseException:  # a panic in Rust is no Exception
        where = traceback.format_exc().strip().splitlines()
        if keep:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{name}-{abs(hash(content)):x}").write_bytes(content)
        return [f"{name}: {where[-1][:300]} at {where[-3].strip()}: {content[:200]!r}"]
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return []


def _without_end(_: int, __: FrameType | None) -> None:
    raise TimeoutError(f"not read within {SECONDS} s")


def _start(inputs: int, seed: str, keep: Path | None) -> tuple[int, int, mmap.mmap]:
    """Try inputs in a process of its own; return its id, the end of a pipe that it will say its figures to, and what it is at."""
    reading, writing = os.pipe()
    last = mmap.mmap(-1, _LONGEST + 100)
    if child := os.fork():
        os.close(writing)
        return child, reading, last
    status = 70
    try:
        found = _share(inputs, random.Random(seed), last, keep)
        with os.fdopen(writing, "w") as stream:
            json.dump(found, stream)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _share(inputs: int, choice: random.Random, last: mmap.mmap, keep: Path | None) -> dict[str, object]:
    names = [name for name, (_, share) in READERS.items() for _ in range(share)]
    seeds = {name: examples(name) for name in READERS}
    counts = dict.fromkeys(READERS, 0)
    crashes: list[str] = []
    for _ in range(inputs):
        name = choice.choice(names)
        content = mutated(choice.choice(seeds[name]), choice)
        last.seek(0)
        last.write(f"{name} {len(content)} ".encode() + content)
        counts[name] += 1
        crashes += tried(name, content, keep)
    return {"counts": counts, "crashes": crashes}


def _read(last: mmap.mmap) -> str:
    name, length, content = bytes(last).split(b" ", 2)
    return f"{name.decode()}: {content[: int(length)]!r}"


if __name__ == "__main__":
    main()
