"""Records on disk: the format as it is written down, read and written here without our own code, and what records say of themselves."""

import hashlib
import json
from math import log

import numpy as np
import pytest
from safetensors.numpy import load, save

from gallery.store.keys import canonical, entry_key
from gallery.store.record_files import decode, encode
from gallery.store.records import Attribution, Prediction, Scripts

ZEROS = "0" * 64
PREDICTION = {
    "text": "Ёж",
    "tokens": ["[CLS]", "ёж", "[SEP]"],
    "cut": 2,
    "versions": {"torch": "2"},
}
TENSORS = {
    "ids": np.array([1, 5, 2], np.int32),
    "offsets": np.array([[0, 0], [0, 2], [0, 0]], np.int32),
    "special": np.array([True, False, True]),
    "words": np.array([[0, 2]], np.int32),
    "token_words": np.array([-1, 0, -1], np.int32),
    "logits": np.array([0.0, log(3)], np.float32),
}


def written(entry: str, tensors: dict[str, np.ndarray]) -> bytes:
    """Return a safetensors file with the sha256 of the whole file, in which 64 zeros stand for it, in its entry."""
    blob = save(tensors, metadata={"entry": entry})
    return blob.replace(ZEROS.encode(), hashlib.sha256(blob).hexdigest().encode(), 1)


def entry(kind: str, values: object, schema: int = 1) -> str:
    return json.dumps({"kind": kind, "schema": schema, "sha256": ZEROS, "values": values}, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def attribution(**changes: object) -> Attribution:
    values: dict[str, object] = {
        "method": "m", "target": 0, "parameters": {}, "tokens": np.array([1.0, -2.0]), "words": np.array([1.0]), "output": "logit", "output_value": 3.0,
        "baseline_value": 1.0, "delta": -0.1, "converged": True, "steps": 1, "baseline_probabilities": np.zeros(0), "versions": {},
    }  # fmt: skip
    return Attribution(**{**values, **changes})  # type: ignore[arg-type]


def test_a_file_written_by_the_description_of_the_format_is_a_record() -> None:
    record = decode(written(entry("prediction", PREDICTION), TENSORS), "prediction")
    assert isinstance(record, Prediction)
    assert (record.text, record.tokens, record.cut, record.versions) == ("Ёж", ("[CLS]", "ёж", "[SEP]"), 2, {"torch": "2"})
    assert {name: getattr(record, name).tolist() for name in TENSORS} == {name: tensor.tolist() for name, tensor in TENSORS.items()}
    assert record.windows.shape == (0, 2), "a field that is younger than the file has its default"


def test_a_record_is_written_as_the_description_says() -> None:
    record = decode(written(entry("prediction", PREDICTION), TENSORS), "prediction")
    blob = encode(record)
    header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
    found = json.loads(header["__metadata__"]["entry"])
    assert hashlib.sha256(blob.replace(found["sha256"].encode(), ZEROS.encode(), 1)).hexdigest() == found["sha256"]
    assert (found["schema"], found["kind"], found["values"]) == (1, "prediction", {**PREDICTION, "start": 0, "problem": "single_label"})
    assert load(blob).keys() == {*TENSORS, "windows"}


def test_kinds_are_the_names_that_stores_have_on_disk() -> None:
    from gallery.store import records

    kinds = {
        "prediction",
        "attribution",
        "every_class",
        "attention",
        "heads",
        "bertviz",
        "scripts",
        "faithfulness",
        "flip",
        "layers",
        "chance",
        "sanity",
        "precision",
        "verification",
        "interactions",
        "fallback",
    }
    assert {record.kind for record in vars(records).values() if isinstance(getattr(record, "kind", None), str)} == kinds


@pytest.mark.parametrize(
    ("blob", "says"),
    [
        (written(entry("scripts", {"d3": "", "jquery": "", "versions": {}}, schema=2), {}), "schema 2 and kind scripts, wanted 1 and scripts"),
        (written(entry("bertviz", {}), {}), "schema 1 and kind bertviz, wanted 1 and scripts"),
        (written(entry("scripts", {"d3": ""}), {}), "not a record: TypeError"),
        (written(entry("scripts", {"d3": "", "jquery": "", "versions": {}, "more": 1}), {}), "not a record: TypeError"),
        (written(entry("scripts", []), {}), "not a record: TypeError"),
        (written(json.dumps({"sha256": ZEROS}, separators=(",", ":")), {}), "not a record: KeyError"),
        (written(entry("scripts", 0).replace("0}", "[" * 100_000 + "]" * 100_000 + "}"), {}), "not a record: RecursionError"),
        (b"", "no checksum found"),
        (save({}, metadata={"entry": "{}"}), "no checksum found"),
        (save({}, metadata={"entry": entry("scripts", {})}), "checksum does not match"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_is_no_record_is_refused_with_the_reason(blob: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        decode(blob, "scripts")


def test_arrays_that_belong_to_one_method_alone_come_back_too() -> None:
    again = decode(encode(attribution(extra={"curve": np.array([0.5, 0.25]), "area": np.array([1.0])})), "attribution")
    assert isinstance(again, Attribution)
    assert {name: array.tolist() for name, array in again.extra.items()} == {"curve": [0.5, 0.25], "area": [1.0]}
    assert decode(encode(Scripts("a", "b", {})), "scripts") == Scripts("a", "b", {}), "an empty dictionary stays one"


def test_the_key_is_the_sha256_of_sorted_json_in_utf8() -> None:
    """Keys name what is stored, so the text they are taken of may never change."""
    text = '{"a":[1,2.5,null],"schema":1,"ё":{"x":true}}'
    assert entry_key(ё={"x": True}, a=(1, 2.5, None)) == hashlib.sha256(text.encode()).hexdigest()
    assert canonical({"б": 1, "a": "ё"}) == '{"a":"ё","б":1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"a": float("nan")})


def _predicted(logits: list[float], **changes: object) -> Prediction:
    values = {**TENSORS, **PREDICTION, "tokens": tuple(PREDICTION["tokens"]), "logits": np.array(logits, np.float32), **changes}  # type: ignore[arg-type]
    return Prediction(**values)  # type: ignore[arg-type]


def test_probabilities_are_the_softmax_in_double_precision() -> None:
    assert _predicted([0.0, log(3)]).probabilities.tolist() == pytest.approx([0.25, 0.75])
    assert _predicted([1000.0, 0.0, 1000.0]).probabilities.tolist() == [0.5, 0.0, 0.5]
    assert _predicted([0.0, 40.0]).probabilities[0] == pytest.approx(np.exp(-40.0), rel=1e-12)


def test_classes_are_ranked_by_logit_and_then_by_number() -> None:
    assert _predicted([1.0, 3.0, 1.0, 2.0]).ranking == [1, 3, 0, 2]


def test_what_the_model_takes_in_at_once_is_all_or_the_first_window_with_special_tokens() -> None:
    ids, special = np.arange(7, dtype=np.int32), np.array([True, *[False] * 5, True])
    assert _predicted([0.0], ids=ids, special=special).first_window().tolist() == [0, 1, 2, 3, 4, 5, 6]
    windows = np.array([[1, 4], [3, 6]], np.int32)
    assert _predicted([0.0], ids=ids, special=special, windows=windows).first_window().tolist() == [0, 1, 2, 3, 6]


@pytest.mark.parametrize(
    ("changes", "share"),
    [
        ({}, 0.05),  # 0.1 of a change of 2
        ({"delta": 0.1}, 0.05),
        ({"output_value": -1.0}, 0.05),
        ({"tokens": np.array([30.0, -28.0])}, 0.1 / 5.8),  # a tenth of all evidence is more than the change
        ({"delta": 0.0, "output_value": 1.0, "tokens": np.zeros(2)}, 0.0),
        ({"delta": 1e-7, "output_value": 1.0, "tokens": np.zeros(2)}, 1.0),
        ({"delta": None}, None),
        ({"baseline_value": None}, None),
        ({"baseline_value": None, "biases": 2.0}, 0.1),  # the biases are where the sum begins
    ],
)
def test_delta_is_shown_as_a_share_of_the_change_or_of_a_tenth_of_all_evidence(changes: dict[str, object], share: float | None) -> None:
    assert attribution(**changes).delta_share == (None if share is None else pytest.approx(share))
