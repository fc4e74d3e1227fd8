from pathlib import Path

import numpy as np
import pytest

from gallery.errors import StoreError
from gallery.store.entries import Store
from gallery.store.records import Bertviz, Prediction, decode, encode, entry_key


def prediction() -> Prediction:
    return Prediction(
        text='Свой "sha256":"дом"',
        tokens=("[CLS]", "свои", "[SEP]"),
        ids=np.array([1, 5, 2], np.int32),
        offsets=np.array([[0, 0], [0, 4], [0, 0]], np.int32),
        special=np.array([True, False, True]),
        words=np.array([[0, 4]], np.int32),
        token_words=np.array([-1, 0, -1], np.int32),
        cut=4,
        logits=np.array([0.5, -1.5, 2.0], np.float32),
        versions={"torch": "2"},
    )


KEY = entry_key(text="a")


def test_a_record_comes_back_as_it_went_in() -> None:
    record = prediction()
    again = decode(encode(record), "prediction")
    assert encode(again) == encode(record)
    assert isinstance(again, Prediction)
    assert again.text == record.text
    assert again.word_texts() == ["Свой"]
    assert again.ranking == [2, 0, 1]
    assert again.probabilities.sum() == pytest.approx(1)


def test_every_changed_bit_is_found() -> None:
    blob = encode(prediction())
    for position in range(len(blob)):
        broken = bytearray(blob)
        broken[position] ^= 1 << (position % 8)
        with pytest.raises(ValueError, match=r"checksum|kind"):
            decode(bytes(broken), "prediction")


def test_an_entry_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind"):
        decode(encode(prediction()), "bertviz")


def test_the_key_depends_on_values_and_not_on_their_order() -> None:
    assert entry_key(a=1, b=2) == entry_key(b=2, a=1)
    assert entry_key(a=1, b=2) != entry_key(a=1, b=3)


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "folder"])
def test_a_damaged_entry_is_set_aside_and_never_served(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    store.write(KEY, prediction())
    path = store.path("prediction", KEY)
    content = path.read_bytes()
    if damage == "flip":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "truncate":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.unlink()
        path.mkdir() if damage == "folder" else path.touch()
    with pytest.raises(StoreError, match=KEY):
        store.read("prediction", KEY)
    record, told = store.read_sound("prediction", KEY)
    assert record is None
    assert told is not None
    assert KEY in told
    assert not store.has("prediction", KEY)
    assert len(list((tmp_path / "damaged").iterdir())) == 1


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "bertviz").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match="bertviz"):
        Store(tmp_path).write(KEY, Bertviz(excerpt="", tokens=0, model_view="", head_view="", versions={}))
    assert [path.name for path in tmp_path.iterdir()] == ["bertviz"]


def test_keys_lists_what_is_there(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(KEY, prediction())
    assert list(store.entries()) == [("prediction", KEY)]
