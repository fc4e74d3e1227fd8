"""What holds for any input at all: readers end in a passage or a message, and what is encoded comes back."""

import json
import os  # noqa: F401 (what a probe runs)
import unicodedata
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gallery.attention.encoding import (
    attention_weights,
    decode_mean,
    decode_queries_keys,
    decode_sums,
    decode_weights,
    encode_queries_keys,
    encode_weights,
    pack,
    unpack,
)
from gallery.config import Settings, load_settings
from gallery.errors import ConfigError, GalleryError
from gallery.model.words import group_tokens, split_words
from gallery.passages.read import Passage, read_passages
from gallery.store.record_files import decode, encode
from gallery.store.records import Prediction, Scripts
from tests.faults import fuzz

settings.register_profile("here", derandomize=True, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("here")

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
SPAN = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: (min(pair), max(pair)))


@pytest.mark.parametrize("name", fuzz.READERS)
def test_no_reader_crashes_on_what_crashed_one_before(name: str) -> None:
    assert [crash for content in fuzz.examples(name) for crash in fuzz.tried(name, content)] == []


@pytest.mark.parametrize("name", [name for name in fuzz.READERS if name not in {"words", "record", "forged-record", "attention"}])
def test_mutation_begins_with_input_that_is_read_without_a_message(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(message: str, begins: str = "") -> None:
        raise AssertionError(message)

    monkeypatch.setattr("tests.faults.readers._fit_to_print", refused)
    assert fuzz.tried(name, fuzz.SOUND[name]()[0]) == []


def test_mutation_begins_with_records_that_are_read() -> None:
    kinds = ("scripts", "prediction", "attribution")
    assert [decode(content, kind).kind for content, kind in zip(fuzz.SOUND["record"](), kinds, strict=True)] == [*kinds]


def test_no_reader_crashes_on_bytes_changed_at_random() -> None:
    figures = fuzz.run(10_000, seed=1)
    assert figures["fuzz_inputs"] == 10_000
    assert figures["crashes"] == []


@given(text=TEXT, spans=st.lists(SPAN, max_size=12), flags=st.lists(st.booleans(), max_size=12))
def test_whatever_offsets_a_tokenizer_gives_each_token_has_one_word(text: str, spans: list[tuple[int, int]], flags: list[bool]) -> None:
    count = min(len(spans), len(flags))
    offsets = sorted((min(start, len(text)), min(end, len(text))) for start, end in spans[:count])
    words, token_words = group_tokens(text, offsets, flags[:count])
    assert len(token_words) == count
    assert all((word == -1) == flag or not words for word, flag in zip(token_words, flags, strict=False))
    assert all(-1 <= word < len(words) for word in token_words)
    assert words == sorted(words)
    assert all(end <= start for (_, end), (start, _) in pairwise(words)), "words overlap"


@given(TEXT)
def test_words_leave_out_white_space_alone(text: str) -> None:
    spans = split_words(text)
    assert "".join(text[start:end] for start, end in spans) == "".join(c for c in text if not c.isspace())


SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | TEXT


@given(st.sampled_from(sorted(Settings.model_fields)), SCALAR | st.lists(SCALAR, max_size=3) | st.dictionaries(TEXT, SCALAR, max_size=3))
def test_settings_are_valid_or_an_error_that_names_the_key(tmp_path: Path, key: str, value: object) -> None:
    path = tmp_path / "mkdocs.yml"
    path.write_text(yaml.safe_dump({"extra": {"gallery": {key: value}}}, allow_unicode=True), "utf-8")
    try:
        load_settings(path)
    except ConfigError as error:
        message = error.message
    else:
        message = key
    assert key in message


KEY = st.sampled_from(["extra", "gallery", "attention", "INHERIT", *Settings.model_fields]) | st.integers() | TEXT
DOCUMENT = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=3), max_leaves=10)


@given(DOCUMENT, st.sampled_from([{}, {"attention.tokens": 9}, {"model": "a"}]))
def test_any_document_is_settings_or_an_error_that_names_the_file(tmp_path: Path, document: object, options: dict[str, object]) -> None:
    path = tmp_path / "mkdocs.yml"
    for inner in (document, {"extra": document}, {"extra": {"gallery": document}}):
        path.write_text(yaml.safe_dump(inner, allow_unicode=True), "utf-8")
        try:
            load_settings(path, options)
            message = f"{path}: "
        except ConfigError as error:
            message = error.message
        assert message.startswith(f"{path}: ")


@given(
    st.fixed_dictionaries({"id": TEXT, "true_class": TEXT | st.integers(), "text": TEXT}, optional={"title": TEXT | st.integers() | st.none(), "source": TEXT})
)
def test_a_row_is_a_passage_or_a_message(tmp_path: Path, row: dict[str, object]) -> None:
    (tmp_path / "t.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    (found,) = read_passages(["t.jsonl"], tmp_path)
    assert isinstance(found, Passage) or found.message.startswith("t.jsonl: line 1: ")


@given(TEXT, TEXT, st.dictionaries(TEXT, TEXT, max_size=3))
def test_a_record_of_any_text_comes_back(d3: str, jquery: str, versions: dict[str, str]) -> None:
    record = Scripts(d3, jquery, versions)
    assert decode(encode(record), "scripts") == record


@given(TEXT, arrays(np.float32, st.integers(1, 5), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_a_prediction_comes_back_to_the_bit(text: str, logits: np.ndarray) -> None:
    empty = np.zeros(0, np.int32)
    record = Prediction(text, (), empty, empty.reshape(0, 2), empty.astype(bool), empty.reshape(0, 2), empty, len(text), logits, {})
    again = decode(encode(record), "prediction")
    assert isinstance(again, Prediction)
    assert again.text == text
    assert again.logits.tobytes() == logits.tobytes()


@given(arrays(np.float32, (2, 5, 4), elements=st.floats(-30, 30, width=32)), arrays(np.float32, (2, 5, 4), elements=st.floats(-30, 30, width=32)))
def test_decoded_queries_and_keys_give_the_weights_they_gave(queries: np.ndarray, keys: np.ndarray) -> None:
    """As far as half a step of rounding in each number allows: scores off by at most d move a weight by at most tanh(d / 2)."""
    blob = encode_queries_keys(queries, keys, 0.5, "exact")
    again = decode_queries_keys(blob, 2, 5, 4)
    wanted, found = (attention_weights(q, k, 0.5, None) for q, k in ((queries, keys), again))
    half = np.frombuffer(unpack(blob), "<f4", 4).reshape(2, 2).astype(np.float64) / 2
    centred = np.abs(keys - keys.mean(axis=1, keepdims=True)).sum(2).max(1)
    off = 0.5 * (half[0] * centred + half[1] * np.abs(queries).sum(2).max(1) + 4 * half[0] * half[1])
    assert (np.abs(wanted - found).max((1, 2)) <= np.tanh(off / 2) + 1e-4).all()


@given(arrays(np.float32, (2, 4, 4), elements=st.floats(0, 1, width=32)))
def test_decoded_weights_are_rows_that_add_up(weights: np.ndarray) -> None:
    rows = weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1e-30)
    again = decode_weights(encode_weights(rows), 4)
    sums = again.sum(axis=-1)
    assert np.all((np.abs(sums - 1) < 1e-5) | (rows.sum(axis=-1) < 0.5))


@given(st.binary(max_size=300), st.integers(1, 4), st.integers(1, 5), st.booleans())
def test_any_bytes_are_attention_of_the_right_shape_or_an_error(content: bytes, heads: int, tokens: int, packed: bool) -> None:
    blob = pack(content) if packed else content
    readers: list[tuple[tuple[int, ...], Callable[[], np.ndarray]]] = [
        ((heads, tokens, 2), lambda: decode_queries_keys(blob, heads, tokens, 2)[0]),
        ((heads, tokens), lambda: decode_sums(blob, heads, tokens)),
        ((tokens, tokens), lambda: decode_weights(blob, tokens)[-1]),
        ((tokens, tokens), lambda: decode_mean(blob, tokens, "int8")),
    ]
    for shape, read in readers:
        try:
            with np.errstate(all="ignore"):
                found = read()
        except (ValueError, IndexError, zlib.error):
            continue
        assert found.shape == shape


@given(st.data(), st.integers(1, 4), st.integers(1, 5))
def test_any_bytes_of_the_right_length_are_attention(data: st.DataObject, heads: int, tokens: int) -> None:
    """Lengths by the format in gallery/attention/encoding.py: steps and means of each side, then 16 bits a number; vectors of size 2."""
    size = 8 * heads + 4 * heads * 2 + 4 * heads * 2 * tokens
    products = data.draw(st.binary(min_size=size, max_size=size))
    weights = data.draw(st.binary(min_size=heads * tokens * tokens, max_size=heads * tokens * tokens))
    with np.errstate(all="ignore"):
        assert [side.shape for side in decode_queries_keys(pack(products), heads, tokens, 2)] == [(heads, tokens, 2)] * 2
        assert decode_sums(pack(products + bytes(4 * heads * tokens)), heads, tokens).tolist() == [[0.0] * tokens] * heads
        assert decode_weights(pack(weights), tokens).shape == (heads, tokens, tokens)


@given(st.text(max_size=80))
def test_any_message_can_be_printed_and_moves_no_cursor(text: str) -> None:
    message = GalleryError(text).message
    message.encode()
    assert not [c for c in message if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\t\n"]
    assert GalleryError(message).message == message


@pytest.mark.parametrize(
    ("raised", "says", "crashes"),
    [("1 / 0", "ZeroDivisionError", 3), ("while True: pass", "not read within", 3), ("os.kill(os.getpid(), 9)", "died of -9", 2)],
)
def test_the_program_notices_what_crashes_hangs_and_dies(raised: str, says: str, crashes: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of four inputs one is sound; two processes share the others, and what kills one ends its share."""

    def reader(content: bytes) -> None:
        if content != b"sound":
            exec(raised)

    monkeypatch.setattr(fuzz, "SECONDS", 0.05)
    monkeypatch.setattr(fuzz, "READERS", {"probe": (reader, 1)})
    monkeypatch.setattr(fuzz, "SOUND", {"probe": lambda: [b"sound"]})
    figures = fuzz.run(4, seed=1, processes=2, keep=tmp_path)
    assert figures["fuzz_crashes"] == len(figures["crashes"]) == crashes
    assert [crash for crash in figures["crashes"] if says not in crash] == []
