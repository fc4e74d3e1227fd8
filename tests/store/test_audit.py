"""`check --store`: every damaged file by name, and nothing changed."""

import shutil
from pathlib import Path

import pytest

from gallery.errors import StoreError
from gallery.store.audit import audit
from gallery.store.entries import Store
from gallery.store.manifest import read_header, read_rows
from tests.support.galleries import contents, run


@pytest.fixture
def own(explained: Path, tmp_path: Path) -> Path:
    shutil.copytree(explained.parent, tmp_path / "own")
    return tmp_path / "own" / "mkdocs.yml"


def test_a_sound_store_passes_and_is_counted(own: Path) -> None:
    files = len(contents(own.parent / "store"))
    checked = run(own, "check", "--store")
    assert checked.exit_code == 0, checked.output
    assert f"{files} of {files} files" in checked.output
    assert run(own, "check", "--store", "store").exit_code == 0


def test_every_damaged_file_is_named_and_left_where_it_is(own: Path) -> None:
    store = own.parent / "store"
    flipped, emptied, folder, gone = sorted(store.rglob("*.safetensors"))[:4]
    flipped.write_bytes(flipped.read_bytes()[:-1] + b"!")
    emptied.write_bytes(b"")
    folder.unlink()
    folder.mkdir()
    gone.unlink()
    before = contents(store)
    checked = run(own, "check", "--store")
    assert checked.exit_code == 1
    for path in (flipped, emptied, folder, gone):
        assert path.stem in checked.output
    assert contents(store) == before


def test_every_changed_character_of_the_manifest_is_found(own: Path) -> None:
    store = Store(own.parent / "store")
    path = store.folder / "manifest.jsonl"
    whole = path.read_bytes()
    for position in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(StoreError, match=r"manifest\.jsonl"):
            [read_header(store), *read_rows(store)]
    for line in range(1, len(whole.splitlines())):
        path.write_bytes(b"".join(whole.splitlines(keepends=True)[:line]))
        assert len(audit(store).damage) == 1, "lines missing at the end"


def test_a_damaged_manifest_and_scripts_are_reported_set_aside_and_written_again(own: Path) -> None:
    store = own.parent / "store"
    before = contents(store)
    manifest, scripts = store / "manifest.jsonl", next((store / "scripts").rglob("*.safetensors"))
    manifest.write_text(manifest.read_text("utf-8").replace("Белая стена", "Чёрная стена"), "utf-8")
    scripts.write_bytes(scripts.read_bytes()[:-1])
    assert run(own, "render").exit_code == 1
    explained = run(own, "explain")
    assert explained.exit_code == 0, explained.output
    assert "manifest.jsonl: line" in explained.output
    assert scripts.name in explained.output
    assert {name: content for name, content in contents(store).items() if not name.startswith("damaged")} == before
    assert {path.name for path in (store / "damaged").iterdir()} == {"manifest.jsonl", f"scripts-{scripts.name}"}


def test_what_a_killed_build_left_half_written_goes(own: Path) -> None:
    leftover = next((own.parent / "store").glob("*/??")) / ".writing-abc"
    leftover.write_bytes(b"half")
    assert run(own, "explain").exit_code == 0
    assert not leftover.exists()
