from pathlib import Path

import numpy as np
import pytest

from gallery.errors import StoreError
from gallery.store.entries import Store, exclusive
from gallery.store.keys import entry_key
from gallery.store.record_files import decode, encode
from gallery.store.records import Bertviz, Prediction


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


def test_an_entry_lies_where_its_kind_and_key_say(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.write(KEY, prediction())
    path = tmp_path / "store" / "prediction" / KEY[:2] / f"{KEY}.safetensors"
    assert path.read_bytes() == encode(prediction())
    assert store.path("prediction", KEY) == path
    assert (store.has("prediction", KEY), store.has("bertviz", KEY), store.has("prediction", KEY[::-1])) == (True, False, False)
    assert (store.size("prediction", KEY), store.size("bertviz", KEY)) == (path.stat().st_size, 0)
    assert encode(store.read("prediction", KEY)) == encode(prediction())
    assert encode(store.read_sound("prediction", KEY)[0]) == encode(prediction())  # type: ignore[arg-type]
    assert store.read_sound("prediction", KEY)[1] is None


def test_a_missing_entry_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(StoreError) as error:
        store.read("prediction", KEY)
    assert error.value.message == f"{store.path('prediction', KEY)}: not in the store. Run: python build.py explain"
    assert store.read_sound("prediction", KEY) == (None, None), "nothing was set aside"
    store.write(KEY, prediction())
    store.path("prediction", KEY).write_bytes(b"no record")
    with pytest.raises(StoreError) as error:
        store.read("prediction", KEY)
    assert error.value.message == f"{store.path('prediction', KEY)}: damaged (no checksum found). Run: python build.py explain"


def test_what_is_damaged_twice_is_set_aside_twice(tmp_path: Path) -> None:
    """Under one name, so that damage that comes again and again does not fill the disk."""
    store = Store(tmp_path)
    path, aside = store.path("prediction", KEY), tmp_path / "damaged" / f"prediction-{KEY}.safetensors"
    for damage in (b"first", b"second"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(damage)
        told = f"{path}: damaged (no checksum found): set aside as {aside}"
        assert store.read_sound("prediction", KEY) == (None, told)
        assert aside.read_bytes() == damage
    (tmp_path / "manifest.jsonl").write_text("{", "utf-8")
    assert store.set_aside("manifest.jsonl", "line 1") == f"{tmp_path}/manifest.jsonl: line 1: set aside as {tmp_path}/damaged/manifest.jsonl"
    assert store.set_aside("manifest.jsonl", "line 1") is None


def test_what_cannot_be_set_aside_is_an_error_that_says_to_remove_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "manifest.jsonl").touch()
    (tmp_path / "damaged").touch()
    with pytest.raises(StoreError, match=r"manifest\.jsonl: line 1, and cannot be set aside: File exists\. Remove it\."):
        store.set_aside("manifest.jsonl", "line 1")


def test_entries_are_listed_by_kind_and_key_and_nothing_else_is(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = sorted(entry_key(n=n) for n in range(4))
    for key in reversed(keys):
        store.write(key, prediction())
    store.write(KEY, Bertviz(excerpt="", tokens=0, model_view="", head_view="", versions={}))
    for stray in (
        "manifest.jsonl",
        "prediction/notes.safetensors",
        "prediction/ab/.writing-x",
        "prediction/ab/deep/er.safetensors",
        "strange/ab/cd.safetensors",
    ):
        (tmp_path / stray).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / stray).touch()
    listed = [("bertviz", KEY), *(("prediction", key) for key in keys)]
    assert list(store.entries()) == listed
    assert list(store.sizes()) == [(kind, key, store.path(kind, key).stat().st_size) for kind, key in listed]


def test_a_sweep_takes_what_is_half_written_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(KEY, prediction())
    half = [tmp_path / ".writing-manifest", store.path("prediction", KEY).parent / ".writing-1"]
    own = [tmp_path / "damaged" / ".writing-kept", tmp_path / "manifest.jsonl"]
    for path in (*half, *own):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    store.sweep()
    assert [path.exists() for path in (*half, *own, store.path("prediction", KEY))] == [False, False, True, True, True]


def test_a_store_behind_a_url_is_no_folder_of_this_machine() -> None:
    pytest.importorskip("fsspec")
    store = Store("memory://gallery-entries")
    with pytest.raises(StoreError, match=r"memory://gallery-entries: no folder of this machine. Name a folder with --store\."):
        store.path("prediction", KEY)
    store.sweep()
    with exclusive("memory://gallery-entries"), exclusive("memory://gallery-entries"):
        store.write(KEY, prediction())
    assert list(store.entries()) == [("prediction", KEY)]


def test_one_build_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "store"
    with exclusive(folder), pytest.raises(StoreError) as error, exclusive(folder):
        pass
    assert error.value.message == f"{folder}: another build is at work there. Wait until it ends, or give this one a folder of its own."
    with pytest.raises(ZeroDivisionError), exclusive(folder):
        _ = 1 / 0
    with exclusive(folder):
        assert [path.name for path in folder.iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "store").touch()
    with (
        pytest.raises(StoreError, match=r"store/\.lock: File exists\. Move away what lies there, or build in another folder\."),
        exclusive(tmp_path / "store"),
    ):
        pass
