"""A store as one file: the same bytes each time, whole on the other side, and nothing let in that was not packed."""

import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from gallery.errors import StoreError
from gallery.store.archive import pack, unpack
from gallery.store.entries import Store
from gallery.store.manifest import Header, Row, read_header, read_rows, write_manifest
from gallery.store.records import Model, Prediction, Scripts

KEYS = ["ab" + "0" * 62, "cd" + "1" * 62]
SCRIPTS = "ef" + "2" * 62
STALE = "aa" + "3" * 62
EMPTY = np.zeros(0, np.int32)


def _prediction(text: str) -> Prediction:
    pairs = EMPTY.reshape(0, 2)
    return Prediction(text, (), EMPTY, pairs, EMPTY.astype(bool), pairs, EMPTY, len(text), np.array([0.5, -0.5], np.float32), {})


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Give a store of two passages, with an entry that none of them needs."""
    store = Store(tmp_path / "store")
    for key, text in zip([*KEYS, STALE], ["Он вошёл.", "Она вышла.", "Никто."], strict=True):
        store.write(key, _prediction(text))
    store.write(SCRIPTS, Scripts(d3="d3", jquery="jquery", versions={}))
    model = Model("m", "m", "0", "0", "bert", ("Гоголь", "Чехов"), 1, 1, 8, 64)
    rows = [Row(f"p{n}", "", "", "", "", 0, (0,), {"prediction": key}) for n, key in enumerate(KEYS)]
    write_manifest(store, Header(model, ("integrated_gradients",), SCRIPTS), rows)
    return tmp_path / "store"


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", ["store.tar", "store.tar.gz"])
def test_a_packed_store_is_the_same_bytes_each_time_and_comes_out_whole(store: Path, tmp_path: Path, name: str) -> None:
    assert pack(store, tmp_path / name) == (4, (tmp_path / name).stat().st_size)
    pack(store, tmp_path / f"again-{name}")
    assert (tmp_path / name).read_bytes() == (tmp_path / f"again-{name}").read_bytes()
    assert unpack(tmp_path / name, tmp_path / "other") == 4
    needed = {path: content for path, content in _files(store).items() if STALE not in path}
    assert _files(tmp_path / "other") == needed


def test_everything_takes_stale_entries_too(store: Path, tmp_path: Path) -> None:
    pack(store, tmp_path / "store.tar", everything=True)
    unpack(tmp_path / "store.tar", tmp_path / "other")
    assert _files(tmp_path / "other") == _files(store)


def test_a_damaged_entry_is_not_packed(store: Path, tmp_path: Path) -> None:
    path = Store(store).path("prediction", KEYS[0])
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(StoreError, match=f"{KEYS[0]}.*damaged"):
        pack(store, tmp_path / "store.tar")
    path.unlink()
    with pytest.raises(StoreError, match=KEYS[0]):
        pack(store, tmp_path / "store.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_store_is_never_unpacked_over_another(store: Path, tmp_path: Path) -> None:
    pack(store, tmp_path / "store.tar")
    before = _files(store)
    with pytest.raises(StoreError, match="not an empty folder"):
        unpack(tmp_path / "store.tar", store)
    assert _files(store) == before


def test_a_lock_alone_is_no_store(store: Path, tmp_path: Path) -> None:
    pack(store, tmp_path / "store.tar")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / ".lock").touch()
    assert unpack(tmp_path / "store.tar", tmp_path / "other") == 4


@pytest.mark.parametrize("name", ["store.tar", "store.tar.gz"])
def test_no_part_of_a_packed_store_is_taken_for_the_whole(store: Path, tmp_path: Path, name: str) -> None:
    pack(store, tmp_path / name)
    content = (tmp_path / name).read_bytes()
    for length in range(0, len(content.rstrip(b"\0")) - 100, len(content) // 40):  # past that is only tar's padding
        (tmp_path / "part.tar").write_bytes(content[:length])
        with pytest.raises(StoreError, match="not a packed store, or damaged"):
            unpack(tmp_path / "part.tar", tmp_path / "other")
        assert not (tmp_path / "other").exists()


def test_a_flipped_bit_is_found_wherever_it_would_matter(store: Path, tmp_path: Path) -> None:
    pack(store, tmp_path / "store.tar")
    content = (tmp_path / "store.tar").read_bytes()
    for position in range(0, len(content), 97):
        changed = bytearray(content)
        changed[position] ^= 4
        (tmp_path / "changed.tar").write_bytes(changed)
        try:
            unpack(tmp_path / "changed.tar", tmp_path / f"other{position}")
        except StoreError:
            assert not (tmp_path / f"other{position}").exists()
        else:
            assert _files(tmp_path / f"other{position}") == {path: content for path, content in _files(store).items() if STALE not in path}


def _tar(path: Path, members: list[tuple[tarfile.TarInfo, bytes]], listed: dict[str, list[object]] | None = None) -> None:
    listing = {m.name: [len(content), sha256(content).hexdigest()] for m, content in members} if listed is None else listed
    first = json.dumps(listing).encode()
    with tarfile.open(path, "w") as archive:
        for member, content in [(tarfile.TarInfo("contents.json"), first), *members]:
            member.size = len(content) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(content))


def _member(name: str, **attributes: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    for key, value in attributes.items():
        setattr(member, key, value)
    return member


ENTRY = f"prediction/ab/{KEYS[0]}.safetensors"
HOSTILE: dict[str, Callable[[Path], None]] = {
    "a name that leads outside": lambda path: _tar(path, [(_member("../evil"), b"x")]),
    "an absolute name": lambda path: _tar(path, [(_member("/tmp/evil"), b"x")]),
    "a name within that leads outside": lambda path: _tar(path, [(_member("prediction/../../evil"), b"x")]),
    "a file no store has": lambda path: _tar(path, [(_member("run.py"), b"x")]),
    "an entry in the wrong drawer": lambda path: _tar(path, [(_member(f"prediction/cd/{KEYS[0]}.safetensors"), b"x")]),
    "a symbolic link": lambda path: _tar(path, [(_member("manifest.jsonl", type=tarfile.SYMTYPE, linkname="/etc/passwd"), b"")]),
    "a hard link": lambda path: _tar(path, [(_member("manifest.jsonl", type=tarfile.LNKTYPE, linkname="../secret"), b"")]),
    "a device": lambda path: _tar(path, [(_member("manifest.jsonl", type=tarfile.CHRTYPE), b"")]),
    "a folder": lambda path: _tar(path, [(_member("prediction", type=tarfile.DIRTYPE), b"")]),
    "the same name twice": lambda path: _tar(path, [(_member("manifest.jsonl"), b"x"), (_member("manifest.jsonl"), b"x")]),
    "a file that was not listed": lambda path: _tar(path, [(_member("manifest.jsonl"), b"x")], {}),
    "a file that is not there": lambda path: _tar(path, [], {"manifest.jsonl": [1, sha256(b"x").hexdigest()]}),
    "a file larger than listed": lambda path: _tar(path, [(_member("manifest.jsonl"), b"xx")], {"manifest.jsonl": [1, sha256(b"xx").hexdigest()]}),
    "a file of another content": lambda path: _tar(path, [(_member("manifest.jsonl"), b"y")], {"manifest.jsonl": [1, sha256(b"x").hexdigest()]}),
    "a size that is no number": lambda path: _tar(path, [(_member("manifest.jsonl"), b"y")], {"manifest.jsonl": [True, "x"], "a": []}),
    "a list that is no object": lambda path: _tar(path, [], []),  # type: ignore[arg-type]
    "an entry that is no record": lambda path: _tar(path, [(_member(ENTRY), b"not a record")]),
    "a list too long": lambda path: path.write_bytes(_bomb("contents.json")) and None,
    "a header too long": lambda path: path.write_bytes(_bomb("././@PaxHeader", b"x")) and None,
    "no list": lambda path: path.write_bytes(b"PK\x03\x04") and None,
    "nothing": lambda path: path.write_bytes(b"") and None,
}


def _bomb(name: str, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Half a gigabyte of zeros in half a megabyte."""
    member = _member(name, size=600 << 20, type=kind)
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as stream:
        stream.write(member.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(300):
            stream.write(bytes(2 << 20))
    return packed.getvalue()


@pytest.mark.parametrize("what", HOSTILE)
def test_what_no_store_would_hold_is_refused_and_leaves_nothing(tmp_path: Path, what: str) -> None:
    HOSTILE[what](tmp_path / "store.tar")
    with pytest.raises(StoreError, match="not a packed store, or damaged"):
        unpack(tmp_path / "store.tar", tmp_path / "inner" / "store")
    assert {path.name for path in tmp_path.rglob("*")} == {"store.tar", "inner"}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none\.tar: no such file"):
        unpack(tmp_path / "none.tar", tmp_path / "store")


def test_a_packed_store_begins_with_its_list_and_can_be_read_by_any_tar(store: Path, tmp_path: Path) -> None:
    for name in ("store.tar", "store.tar.gz", "store.tgz"):
        pack(store, tmp_path / "made" / name)
        assert (tmp_path / "made" / name).stat().st_mode & 0o777 == 0o644
        with tarfile.open(tmp_path / "made" / name) as archive:
            members = archive.getmembers()
            contents = {member.name: archive.extractfile(member).read() for member in members}  # type: ignore[union-attr]
        assert [member.name for member in members[:2]] == ["contents.json", "manifest.jsonl"]
        assert {(member.mode, member.mtime, member.uid) for member in members} == {(0o644, 0, 0)}
        listed = json.loads(contents.pop("contents.json"))
        assert listed == {name: [len(content), sha256(content).hexdigest()] for name, content in contents.items()}
    sizes = [(tmp_path / "made" / name).stat().st_size for name in ("store.tar", "store.tar.gz", "store.tgz")]
    assert sizes[1] == sizes[2] < sizes[0] / 2
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["store.tar", "store.tar.gz", "store.tgz"]


def test_a_gallery_without_bertviz_packs_no_scripts(store: Path, tmp_path: Path) -> None:
    other = Store(store)
    write_manifest(other, replace(read_header(other), scripts=None), list(read_rows(other)))
    assert pack(store, tmp_path / "store.tar")[0] == 3


def test_a_store_is_unpacked_into_an_empty_folder_that_anybody_may_read(store: Path, tmp_path: Path) -> None:
    pack(store, tmp_path / "store.tar")
    (tmp_path / "other").mkdir(mode=0o700)
    unpack(tmp_path / "store.tar", tmp_path / "other")
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o755
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="not an empty folder"):
        unpack(tmp_path / "store.tar", tmp_path / "file")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "other", "store", "store.tar"]


def test_more_than_the_disk_has_room_for_is_refused_before_anything_is_unpacked(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(store, tmp_path / "store.tar")
    total = sum(len(content) for name, content in _files(store).items() if STALE not in name)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=total - 1))
    with pytest.raises(StoreError, match=rf"{total:,} bytes, but there is room for {total - 1:,}\. Make room"):
        unpack(tmp_path / "store.tar", tmp_path / "other")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=total))
    assert unpack(tmp_path / "store.tar", tmp_path / "other") == 4


@pytest.mark.parametrize("size", [-1, (512 << 20) + 1, "9", None, 1.0])
def test_a_list_says_how_large_each_file_is_and_none_is_larger_than_half_a_gigabyte(tmp_path: Path, size: object) -> None:
    _tar(tmp_path / "store.tar", [], {"manifest.jsonl": [size, "0" * 64]})
    with pytest.raises(StoreError, match=f"manifest.jsonl is listed with {size} bytes"):
        unpack(tmp_path / "store.tar", tmp_path / "other")


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("a symbolic link", "'manifest.jsonl' is no plain file"),
        ("a name that leads outside", "'../evil' is not the name of an entry"),
        ("the same name twice", "'manifest.jsonl' is not listed, or is there twice"),
        ("a file that is not there", "manifest.jsonl is missing"),
        ("a file larger than listed", "2 bytes where 1 were listed"),
        ("a file of another content", "manifest.jsonl: the checksum does not match"),
        ("an entry that is no record", "no checksum found"),
    ],
)
def test_a_refusal_says_why(tmp_path: Path, what: str, says: str) -> None:
    HOSTILE[what](tmp_path / "store.tar")
    with pytest.raises(StoreError) as error:
        unpack(tmp_path / "store.tar", tmp_path / "store")
    assert error.value.message == f"{tmp_path / 'store.tar'}: not a packed store, or damaged: {says}. Fetch it again."


def test_a_folder_that_cannot_be_written_is_named(store: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file: File exists\. Allow writing there"):
        pack(store, tmp_path / "file" / "store.tar")
    pack(store, tmp_path / "store.tar")
    with pytest.raises(StoreError, match=r"file: File exists\. Allow writing there"):
        unpack(tmp_path / "store.tar", tmp_path / "file" / "store")
    (tmp_path / "folder.tar").mkdir()
    with pytest.raises(StoreError, match=r"folder\.tar: Is a directory\. Move away what lies there, or name another file\."):
        pack(store, tmp_path / "folder.tar")
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
