"""Front matter, tables, records and attention files with bytes changed at random: an error message at worst, never a crash.

    python -m tests.faults.fuzz --inputs 1000000 --json fuzz.json

Inputs are made from the examples below and in tests/faults/corpus by seeded mutation, and go through the readers as files do.
What crashed before stands in tests/faults/corpus too, so it is tried first.
"""

import argparse
import json
import random
import re
import time
import traceback
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from gallery import passages, tables
from gallery.attention.encoding import decode_products, decode_weights, encode_products, encode_weights
from gallery.errors import PassageError
from gallery.passages import Passage
from gallery.records import Scripts, decode, encode
from gallery.sources.references import Texts

CORPUS = Path(__file__).parent / "corpus"
_TOKENS = [
    b"---\n", b"\n", b"\r\n", b"\r", b": ", b"- ", b"[", b"]", b"{", b"}", b"&a ", b"*a", b"!!", b"!!python/name:os.system", b"!!binary ", b"!!timestamp ",
    b"!!set ", b"!!int ", b"!!float ", b"!!bool ", b"!!null ", b"<<: ", b"? ", b"|\n", b">\n", b'"', b"'", b"#",
    b"%YAML 1.1\n", b"@", b"`", b"\\", b"\\x", b"\\ud800",
    b"\0", b"\x1b", b"\x85", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\xff", b"\xc3", b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80", b"0x", b"0b_", b"0o", b"1_0", b"1:60", b".inf",
    b".nan", b"-.5e+9999", b"9" * 40, b"2024-99-99", b"2001-12-14t21:59:43.10-25:00", b"0000-00-00", b"true", b"~", b"=",
    b"id", b"true_class", b"title", b"text", b"source",
    b"url", b"sha256", b"start", b"length", b"encoding", b",", b";", b"\t", b'""', b'",', b"null", b"NaN", b"1e999", b"-0", b"\\u0000", b"../", b"con",
    b"javascript:", b"data:text/html,",
]  # fmt: skip
_FRONT = """---
id: one
true_class: Чехов
title: 'Заглавие: первое'
work: Ёлка
source: https://example.org/
note: |
  Два
  слова
---
Текст с ёлкой.
""".encode()
_CSV = 'id,true_class,title,text\none,2,"Заглавие, с запятой","Первая строка.\nВторая ""в кавычках""."\ntwo,Чехов,,Текст\n'.encode()
_JSONL = (
    '{"id": "one", "true_class": 2, "title": "Заглавие \\u00e9", "text": "Первая.\\nВторая."}\n{"id": "two", "true_class": "Чехов", "text": "😀"}\n'.encode()
)


def main() -> None:
    """Try as many inputs as asked, say what crashed, and write the figures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--inputs", type=int, default=1_000_000)
    arguments.add_argument("--seed", type=int, default=9)
    arguments.add_argument("--json", type=Path)
    asked = arguments.parse_args()
    figures = run(asked.inputs, asked.seed)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    raise SystemExit(bool(figures["fuzz_crashes"]))


def run(inputs: int, seed: int) -> dict[str, object]:
    """Return how many inputs each reader was given, and how many ended in something else than a passage or a message."""
    choice = random.Random(seed)
    crashes: list[str] = []
    counts = dict.fromkeys(READERS, 0)
    begun = time.monotonic()
    names = [name for name, (_, share) in READERS.items() for _ in range(share)]
    seeds = {name: [*examples(name)] for name in READERS}
    for name, found in seeds.items():
        for content in found:
            counts[name] += 1
            crashes += _tried(name, content)
    for _ in range(inputs - sum(counts.values())):
        name = choice.choice(names)
        content = mutated(choice.choice(seeds[name]), choice)
        counts[name] += 1
        crashes += _tried(name, content)
    for crash in crashes[:20]:
        print(crash, flush=True)
    spent = time.monotonic() - begun
    print(f"{sum(counts.values()):,} inputs in {spent:,.0f} s, {len(crashes)} crashes: {counts}", flush=True)
    return {"fuzz_inputs": sum(counts.values()), "fuzz_crashes": len(crashes), "inputs_by_reader": counts, "crashes": crashes[:20], "seed": seed}


def examples(name: str) -> Sequence[bytes]:
    """Return what mutation begins with for a reader: a sound input, and all that crashed it before."""
    kept = [path.read_bytes() for path in sorted(CORPUS.glob(f"{name}-*"))]
    return [_SOUND[name](), *kept]


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
    return bytes(changed[:20_000])


def _tried(name: str, content: bytes) -> list[str]:
    try:
        READERS[name][0](content)
    except Exception:
        where = traceback.format_exc().strip().splitlines()
        return [f"{name}: {content[:300]!r}: {where[-1]} at {where[-3].strip()}"]
    return []


def _passages(rows: object) -> None:
    """Take rows on to passages, as a build does; every message must be fit to print."""
    library = Texts(CORPUS)
    for origin, row in rows:  # type: ignore[attr-defined]
        try:
            if not isinstance(row, PassageError) and row.get("url") is not None:
                row["url"] = "file:///" + str(row["url"])[:50]  # no fetching here
            found: Passage | PassageError = passages._passage(row, origin, library)
        except PassageError as error:
            found = error
        if isinstance(found, PassageError):
            assert found.message.encode(), "a message that cannot be printed"
            assert len(found.message) < 2000, "a message that nobody reads"
        else:
            assert re.fullmatch(r"[a-z0-9_-]{1,100}", found.id)
            assert "".join((found.text, found.title, found.true_class, found.work, found.source, found.note)).encode()
            assert found.text.strip()


class _File:
    """A file's bytes where a path is asked for."""

    stem = "one"

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read_bytes(self) -> bytes:
        return self._content

    def open(self, mode: str = "r", encoding: str | None = None, newline: str | None = None) -> object:
        import io

        raw = io.BytesIO(self._content)
        return raw if "b" in mode else io.TextIOWrapper(raw, encoding=encoding, newline=newline)


def _front_matter(content: bytes) -> None:
    _passages([("a.md", passages._front_matter(_File(content), "a.md"))])  # type: ignore[arg-type]


def _table(suffix: str) -> Callable[[bytes], None]:
    return lambda content: _passages(tables.TABLES[suffix](_File(content), f"t{suffix}"))  # type: ignore[arg-type]


def _record(content: bytes) -> None:
    try:
        decode(content, "scripts")
    except ValueError:
        return


def _forged_record(content: bytes) -> None:
    """A record whose checksum is right, whatever else it is."""
    from hashlib import sha256

    from gallery.records import _CHECKSUM_AT, _ZEROS

    at = content.find(_CHECKSUM_AT)
    if at >= 0:
        at += len(_CHECKSUM_AT)
        plain = content[:at] + _ZEROS.encode() + content[at + 64 :]
        content = plain[:at] + sha256(plain).hexdigest().encode() + plain[at + 64 :]
    _record(content)


def _attention(content: bytes) -> None:
    for packed in (content, zlib.compress(content, 0, 31)):
        for read in (lambda blob: decode_products(blob, 2, 3, 4), lambda blob: decode_weights(blob, 3)):
            try:
                with np.errstate(all="ignore"):
                    read(packed)
            except (ValueError, zlib.error):
                continue


READERS: dict[str, tuple[Callable[[bytes], None], int]] = {
    "front-matter": (_front_matter, 4),
    "csv": (_table(".csv"), 3),
    "jsonl": (_table(".jsonl"), 3),
    "record": (_record, 1),
    "forged-record": (_forged_record, 1),
    "attention": (_attention, 1),
}
"""Name -> a reader, and its share of the inputs."""
_GRID = np.linspace(-1, 1, 24).reshape(2, 3, 4)
_SOUND: dict[str, Callable[[], bytes]] = {
    "front-matter": lambda: _FRONT,
    "csv": lambda: _CSV,
    "jsonl": lambda: _JSONL,
    "record": lambda: encode(Scripts("d3", "jquery", {"a": "1"})),
    "forged-record": lambda: encode(Scripts("d3", "jquery", {"a": "1"})),
    "attention": lambda: encode_products(_GRID, _GRID[:, ::-1], 0.5, "int8") + encode_weights(np.full((2, 3, 3), 1 / 3)),
}


if __name__ == "__main__":
    main()
