"""The gallery's readers as functions of bytes, each with sound input: what they may end with, and what must hold of what they return."""

import io
import json
import re
import struct
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from gallery.attention.encoding import decode_mean, decode_queries_keys, decode_sums, decode_weights, encode_mean, encode_queries_keys, encode_weights
from gallery.config import Settings, load_settings
from gallery.errors import ConfigError, PassageError, StoreError
from gallery.model.words import group_tokens
from gallery.passages import read as passages
from gallery.passages import tables
from gallery.passages.front_matter import read_markdown
from gallery.passages.read import Passage
from gallery.passages.references import Texts
from gallery.store import archive as packing
from gallery.store.entries import MANIFEST, Store
from gallery.store.keys import canonical
from gallery.store.manifest import Header, Row, read_header, read_rows, write_manifest
from gallery.store.record_files import _CHECKSUM_AT, _ZEROS, decode, encode
from gallery.store.records import RECORD_TYPES, Attribution, Model, Prediction, Scripts
from gallery.store.timings import read_timings

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
_REFERENCES = f"id,true_class,url,sha256,start,length,encoding\none,Чехов,x,{'0' * 64},10,20,cp1251\n".encode()
_JSONL = (
    '{"id": "one", "true_class": 2, "title": "Заглавие \\u00e9", "text": "Первая.\\nВторая."}\n{"id": "two", "true_class": "Чехов", "text": "😀"}\n'.encode()
)


def _fit_to_print(message: str, begins: str = "") -> None:
    assert message.startswith(begins), "a message that names no file"
    assert message.encode(), "a message that cannot be printed"
    assert not re.search(r"[\0-\x08\x0b-\x1f\x7f-\x9f]", message), "a message that moves the cursor"
    assert len(message) < 2000, "a message that nobody reads"


def _passages(rows: Iterable[tuple[str, Any]]) -> None:
    """Take rows on to passages, as a build does; every message must be fit to print."""
    library = Texts(Path(__file__).parent)
    for origin, row in rows:
        if isinstance(row, tables.Note):
            _fit_to_print(row)
            continue
        try:
            if not isinstance(row, PassageError) and row.get("url") is not None:
                row["url"] = "file:///" + str(row["url"])  # no fetching here
            found: Passage | PassageError = passages._passage(row, origin, library, {})
        except PassageError as error:
            found = error
        if isinstance(found, PassageError):
            _fit_to_print(found.message)
        else:
            assert re.fullmatch(r"[a-z0-9_-]{1,100}", found.id)
            assert "".join((found.text, found.title, found.true_class, found.work, found.source, found.note)).encode()
            assert found.text.strip()


class _File:
    """A file's bytes where a path is asked for."""

    stem = "one"
    parent = Path("here")

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __str__(self) -> str:
        return "one.yml"

    def read_bytes(self) -> bytes:
        return self._content

    def open(self, mode: str = "r", encoding: str | None = None, newline: str | None = None) -> object:
        raw = io.BytesIO(self._content)
        raw.name = "one.yml"
        return raw if "b" in mode else io.TextIOWrapper(raw, encoding=encoding, newline=newline)


def _front_matter(content: bytes) -> None:
    _passages(read_markdown(_File(content), "a.md"))  # type: ignore[arg-type]


def _table(suffix: str) -> Callable[[bytes], None]:
    return lambda content: _passages(tables.TABLES[suffix](_File(content), f"t{suffix}"))  # type: ignore[arg-type]


def _parquet(content: bytes) -> None:
    _passages(tables.TABLES[".parquet"](io.BytesIO(content), "t.parquet"))  # type: ignore[arg-type]


def _settings(content: bytes) -> None:
    """mkdocs.yml; without YAML's tags for Python, which would run what they name: whoever writes that file writes the site."""
    try:
        found = load_settings(_File(content.replace(b"!!python", b"!!pythons")), {"attention.tokens": 9})  # type: ignore[arg-type]
    except ConfigError as error:
        _fit_to_print(error.message, "one.yml: ")
    else:
        assert isinstance(found, Settings)


def _words(content: bytes) -> None:
    """Any text, cut into any tokens in order: every token has one word, and no words overlap."""
    size = struct.unpack("<H", content[:2].ljust(2, b"\1"))[0] % 200 + 1
    cuts, text = content[2 : 2 + size], content[2 + size :].decode("utf-8", "ignore")
    places, at = [], 0
    for cut in cuts:
        end = min(len(text), at + cut % 16)
        places.append((max(0, at - cut // 128), end))
        at = min(len(text), end + cut // 64 % 2)
    special = [cut == 255 for cut in cuts]
    words, token_words = group_tokens(text, places, special)
    assert all((word == -1) == flag for word, flag in zip(token_words, special, strict=True)) or not words
    assert all(word < len(words) for word in token_words)
    assert all(end <= start for (_, end), (start, _) in pairwise(words))


def _record(content: bytes) -> None:
    kind = next((kind for kind in RECORD_TYPES if f'"kind\\":\\"{kind}'.encode() in content), "scripts")
    try:
        decode(content, kind)
    except ValueError:
        return


def _forged_record(content: bytes) -> None:
    """A record whose checksum is right, whatever else it is."""
    at = content.find(_CHECKSUM_AT)
    if at >= 0:
        at += len(_CHECKSUM_AT)
        plain = content[:at] + _ZEROS.encode() + content[at + 64 :]
        content = plain[:at] + sha256(plain).hexdigest().encode() + plain[at + 64 :]
    _record(content)


class _Held(Store):
    """A store that has one file, of these bytes."""

    def __init__(self, content: bytes) -> None:
        super().__init__(Path("held"))
        self.files = _OneFile(content)  # type: ignore[assignment]


class _OneFile:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def where(self, name: str) -> str:
        return name

    def read(self, name: str) -> bytes:
        return self._content

    def lines(self, name: str) -> Iterable[str]:
        return io.TextIOWrapper(io.BytesIO(self._content), encoding="utf-8")


def _manifest(content: bytes) -> None:
    store = _Held(content)
    for read in (read_header, lambda store: list(read_rows(store))):
        try:
            read(store)
        except StoreError as error:
            _fit_to_print(error.message)
    timings = read_timings(store)
    for part in timings.by_part():
        timings.estimate(part, "a", 100)


def _forged_manifest(content: bytes) -> None:
    """A manifest whose lines all carry the right checksum, whatever else they say."""
    lines = []
    for line in content.splitlines():
        try:
            values = json.loads(line)
            values.pop("sha256", None)
            lines.append(canonical({**values, "sha256": sha256(canonical(values).encode()).hexdigest()}).encode())
        except (ValueError, AttributeError, RecursionError, TypeError):
            lines.append(line)
    _manifest(b"\n".join(lines))


def _packed(content: bytes) -> None:
    """A packed store; what is left unpacked has only names that a store has."""
    with tempfile.TemporaryDirectory() as room:
        file, store = Path(room) / "store.tar", Path(room) / "store"
        file.write_bytes(content)
        try:
            packing.unpack(file, store)
        except StoreError as error:
            _fit_to_print(error.message)
            assert [path.name for path in Path(room).iterdir()] == ["store.tar"], "something half-written stays"
        else:
            found = [path.relative_to(store).as_posix() for path in store.rglob("*") if not path.is_dir()]
            assert all(packing._NAME.fullmatch(name) for name in found)


def _attention(content: bytes) -> None:
    for packed in (content, zlib.compress(content, 0, 31)):
        for read in (
            lambda blob: decode_queries_keys(blob, 2, 3, 4),
            lambda blob: decode_sums(blob, 2, 3),
            lambda blob: decode_weights(blob, 3),
            lambda blob: decode_weights(blob, 3, shares=True),
            lambda blob: decode_mean(blob, 3, "int8"),
            lambda blob: decode_mean(blob, 3, "exact", shares=True),
        ):
            try:
                with np.errstate(all="ignore"):
                    read(packed)
            except (ValueError, zlib.error):
                continue


READERS: dict[str, tuple[Callable[[bytes], None], int]] = {
    "front-matter": (_front_matter, 8),
    "csv": (_table(".csv"), 5),
    "jsonl": (_table(".jsonl"), 5),
    "parquet": (_parquet, 1),
    "settings": (_settings, 3),
    "words": (_words, 3),
    "record": (_record, 1),
    "forged-record": (_forged_record, 4),
    "manifest": (_manifest, 1),
    "forged-manifest": (_forged_manifest, 2),
    "packed": (_packed, 1),
    "attention": (_attention, 3),
}
"""Name -> a reader, and its share of the inputs."""

_GRID = np.linspace(-1, 1, 24).reshape(2, 3, 4)
_SETTINGS = """site_name: Галерея
extra:
  gallery:
    model: org/name@1
    passages: [a, b.csv]
    methods: [integrated_gradients, occlusion]
    labels: {0: Толстой, 1: Чехов}
    delta_tolerance: 0.01
    random_orders: 10
    wandb_log: a/b
    attention: {precision: exact, layers: [1, 2], tokens: 9, fit: true}
""".encode()
_TIMINGS = canonical({
    "device": "cpu", "workers": 1, "groups": [
        {"group": {"part": "attention", "settings": "a", "device": "cpu", "size": size}, "spent": {"entries": 2, "characters": 900, "seconds": 0.5}}
        for size in (3, 9)
    ],
}).encode()  # fmt: skip


def _records() -> list[bytes]:
    spans = np.array([[0, 0], [0, 2], [2, 5], [0, 0]], np.int32)
    prediction = Prediction(
        text="Ёж и", tokens=("[CLS]", "ё", "##ж", "[SEP]"), ids=np.arange(4, dtype=np.int32), offsets=spans, special=np.array([1, 0, 0, 1], bool),
        words=spans[1:2], token_words=np.array([-1, 0, 0, -1], np.int32), cut=4, logits=np.array([0.5, -1], np.float32), versions={"torch": "2"},
    )  # fmt: skip
    attribution = Attribution(
        method="occlusion", target=1, parameters={"erase": "mask"}, tokens=np.arange(4.0), words=np.arange(1.0), output="logit", output_value=0.5,
        baseline_value=None, delta=None, converged=None, steps=3, baseline_probabilities=np.zeros(0), versions={}, extra={"kept": [0]},
    )  # fmt: skip
    return [encode(record) for record in (Scripts("d3", "jquery", {"a": "1"}), prediction, attribution)]


def _manifests() -> list[bytes]:
    with tempfile.TemporaryDirectory() as room:
        model = Model("a", "b", "0" * 64, "1" * 64, "BertForSequenceClassification", ("Чехов", "Гоголь"), 2, 2, 8, 512, figures={"top1": 0.5})
        rows = [Row(f"p{n}", "Заглавие", "", "", "", 1, (1, 0), {"prediction": "ab" * 32}) for n in range(2)]
        write_manifest(Store(Path(room)), Header(model, ("occlusion",), "cd" * 32, {"occlusion": {"erase": "mask"}}), rows)
        return [(Path(room) / MANIFEST).read_bytes(), _TIMINGS]


def _tars() -> list[bytes]:
    entry, manifest = _records()[0], _manifests()[0]
    key = sha256(entry).hexdigest()
    files = {MANIFEST: manifest, f"scripts/{key[:2]}/{key}.safetensors": entry}
    contents = json.dumps({name: [len(content), sha256(content).hexdigest()] for name, content in files.items()}).encode()
    with io.BytesIO() as stream:
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name, content in {packing.LIST: contents, **files}.items():
                packing._add(archive, name, content)
        return [stream.getvalue()]


def _parquets() -> list[bytes]:
    import pyarrow
    import pyarrow.parquet

    stream = io.BytesIO()
    table = pyarrow.table({"id": ["one", "two"], "true_class": ["Чехов", "2"], "text": ["Текст.", "Ёж."], "title": [None, "Да"]})
    pyarrow.parquet.write_table(table, stream)
    return [stream.getvalue()]


SOUND: dict[str, Callable[[], Sequence[bytes]]] = {
    "front-matter": lambda: [_FRONT],
    "csv": lambda: [_CSV, _REFERENCES],
    "jsonl": lambda: [_JSONL],
    "parquet": _parquets,
    "settings": lambda: [_SETTINGS],
    "words": lambda: [b"\x20\0" + bytes(range(0, 256, 5)) + "Ёж-ёж вышел; e\u0301 👩‍👩‍👧 — \u200dи… 12'000".encode()],
    "record": _records,
    "forged-record": _records,
    "manifest": _manifests,
    "forged-manifest": _manifests,
    "packed": _tars,
    "attention": lambda: [
        encode_queries_keys(_GRID, _GRID[:, ::-1], 0.5, "int8", np.zeros((2, 3))),
        encode_weights(np.full((2, 3, 3), 1 / 3), shares=True),
        encode_mean(np.full((3, 3), 1 / 3), "int8", shares=True),
    ],
}
"""Name -> what a reader reads well."""
