"""Attention as files and back."""

import gzip
import json

import numpy as np
import pytest

from gallery.attention.encoding import (
    Reader,
    attention_files,
    attention_weights,
    decode_mean,
    decode_queries_keys,
    decode_weights,
    encode_mean,
    encode_queries_keys,
    encode_weights,
    pack,
    unpack,
    word_weights,
)
from gallery.store.records import Array, Attention, Prediction


def random_layer(heads: int = 4, tokens: int = 200, size: int = 16) -> tuple[Array, Array]:
    draw = np.random.default_rng(1)
    queries = draw.normal(0, 1.5, (heads, tokens, size)) + draw.normal(0, 1, (heads, 1, size))
    keys = draw.normal(0, 1.5, (heads, tokens, size)) + draw.normal(0, 3, (heads, 1, size))
    return queries.astype(np.float32), keys.astype(np.float32)


def relative_errors(exact: Array, ours: Array) -> Array:
    """Errors of weights above a quarter of uniform, relative to them."""
    counted = exact > 0.25 / exact.shape[-1]
    result: Array = np.abs(ours - exact)[counted] / exact[counted]
    return result


@pytest.mark.parametrize(("precision", "median", "worst"), [("int8", 0.01, 0.05), ("exact", 0.0005, 0.0025)])
def test_products_come_back_as_nearly_as_their_precision_says(precision: str, median: float, worst: float) -> None:
    queries, keys = random_layer()
    decoded = decode_queries_keys(encode_queries_keys(queries, keys, 0.25, precision), 4, 200, 16)
    errors = relative_errors(attention_weights(queries, keys, 0.25, None), attention_weights(*decoded, 0.25, None))
    assert np.median(errors) < median
    assert np.percentile(errors, 99) < worst


def test_centring_keys_changes_no_weight() -> None:
    queries, keys = random_layer()
    centred = keys - keys.mean(axis=1, keepdims=True)
    assert np.allclose(attention_weights(queries, keys, 0.25, None), attention_weights(queries, centred, 0.25, None), atol=1e-5)


def test_a_token_that_stands_far_out_keeps_its_size() -> None:
    queries, keys = random_layer()
    keys[:, 0] *= 40
    decoded = decode_queries_keys(encode_queries_keys(queries, keys, 0.25, "int8"), 4, 200, 16)
    assert np.abs(decoded[1] - (keys - keys.mean(axis=1, keepdims=True))).max() < 0.1


def test_a_dead_head_is_uniform() -> None:
    nothing = np.zeros((2, 10, 4), np.float32)
    decoded = decode_queries_keys(encode_queries_keys(nothing, nothing, 0.5, "int8"), 2, 10, 4)
    assert np.allclose(attention_weights(*decoded, 0.5, None), 0.1)


def test_a_local_layer_sees_no_further_than_its_window() -> None:
    weights = attention_weights(*random_layer(), 0.25, 3)
    place = np.arange(200)
    assert (weights[:, np.abs(place[:, None] - place) > 3] == 0).all()
    assert np.allclose(weights.sum(axis=-1), 1, atol=1e-5)


def test_stored_weights_keep_diffuse_rows_and_add_up_to_one() -> None:
    draw = np.random.default_rng(2)
    weights = draw.dirichlet(np.full(300, 3.0), 300)[None].astype(np.float32)
    decoded = decode_weights(encode_weights(weights), 300)
    assert np.allclose(decoded.sum(axis=-1), 1, atol=1e-5)
    assert np.median(relative_errors(weights, decoded)) < 0.01


@pytest.mark.parametrize("sharpness", [0.25, 1.0])
@pytest.mark.parametrize(("fineness", "worst"), [("int8", 0.0025), ("exact", 0.0002)])
def test_the_stored_mean_is_no_coarser_than_the_mean_of_what_is_stored_of_each_head(fineness: str, worst: float, sharpness: float) -> None:
    """The page computes the mean of chosen heads from queries and keys; that of all heads must not tell less."""
    queries, keys = random_layer(12, 300)
    exact = attention_weights(queries * sharpness, keys, 0.25, None).mean(axis=0, dtype=np.float64)
    again = decode_queries_keys(encode_queries_keys(queries * sharpness, keys, 0.25, fineness), 12, 300, 16)
    computed = np.abs(attention_weights(*again, 0.25, None).mean(axis=0) - exact) / exact
    stored = np.abs(decode_mean(encode_mean(exact, fineness), 300, fineness) - exact) / exact
    for percentile in (50, 99):
        assert np.percentile(stored, percentile) <= np.percentile(computed, percentile)
    assert np.percentile(stored, 99.9) < worst


@pytest.mark.parametrize("shares", [False, True])
def test_a_mean_with_weights_of_nothing_comes_back(shares: bool) -> None:
    weights = np.tril(np.random.default_rng(4).dirichlet(np.full(40, 0.05), 40)).astype(np.float32)
    weights[0] = 0
    wanted = weights if shares else weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)
    assert np.allclose(decode_mean(encode_mean(weights, "int8", shares), 40, "int8", shares), wanted, rtol=3e-3, atol=1e-9)


def test_files_are_plain_gzip_without_time() -> None:
    data = bytes(range(256)) * 50
    assert gzip.decompress(pack(data)) == unpack(pack(data)) == data
    assert pack(data) == pack(data)
    assert pack(data)[4:8] == bytes(4)


def test_word_weights_sum_over_the_target_and_average_over_the_source() -> None:
    weights = np.random.default_rng(3).dirichlet(np.ones(6), 6)
    words = word_weights(weights, np.array([-1, 0, 0, 1, -1, -1]))
    assert words.shape == (5, 5)
    assert words[1, 1] == pytest.approx(weights[1:3, 1:3].sum() / 2)
    assert words[1, 2] == pytest.approx(weights[1:3, 3].mean())
    assert np.allclose(words.sum(axis=1), 1)


def test_the_index_counts_characters_as_browsers_do() -> None:
    text = "А 🌍 ё"
    prediction = Prediction(
        text=text,
        tokens=("[CLS]", "а", "🌍", "е", "[SEP]"),
        ids=np.arange(5, dtype=np.int32),
        offsets=np.array([[0, 0], [0, 1], [2, 3], [4, 5], [0, 0]], np.int32),
        special=np.array([True, False, False, False, True]),
        words=np.array([[0, 1], [2, 3], [4, 5]], np.int32),
        token_words=np.array([-1, 0, 1, 2, -1], np.int32),
        cut=5,
        logits=np.zeros(2, np.float32),
        versions={},
    )
    queries, keys = random_layer(2, 5, 4)
    attention = Attention(
        shape=(1, 2, 5, 4),
        encoding={"kind": "products", "precision": "exact", "scaling": [0.5], "windows": [None]},
        packed={"00": np.frombuffer(encode_queries_keys(queries, keys, 0.5, "exact"), np.uint8)},
        mean=np.zeros(0, np.uint8),
        rollout=np.zeros(0, np.uint8),
        picture=np.zeros(3, np.uint8),
        summary=np.zeros((1, 2, 1), np.float32),
        summary_names=("previous",),
        versions={},
    )
    files = attention_files(prediction, attention)
    index = json.loads(files["index.json"])
    units = text.encode("utf-16-le")
    assert [units[2 * start : 2 * end].decode("utf-16-le") for start, end in index["words"]] == ["А", "🌍", "ё"]
    assert (index["mean"], index["rollout"]) == (None, None)
    assert np.allclose(Reader(files).weights(0), attention_weights(queries, keys, 0.5, None), atol=2e-3)


def test_a_vector_far_from_the_mean_of_its_channel_is_not_clipped() -> None:
    """Steps so fine that a deviation needs more than 16 bits, though each vector itself fits."""
    queries = np.full((1, 5, 4), 6.0, np.float32)
    queries[0, 1, 1] = -4.0
    keys = np.zeros((1, 5, 4), np.float32)
    keys[0, 0, 1], keys[0, 1, 0] = -9.0, 5.0
    again = decode_queries_keys(encode_queries_keys(queries, keys, 0.5, "exact"), 1, 5, 4)
    np.testing.assert_allclose(again[0], queries, atol=1e-3)
    np.testing.assert_allclose(again[1], keys - keys.mean(axis=1, keepdims=True), atol=1e-3)
