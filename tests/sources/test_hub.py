"""Models from a Hugging Face hub, by its real client, over a socket, from a server of our own."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fetching import Fetched, fetch_with, files_of
from tests.support.loopback_hub import LoopbackHub

Tiny = Callable[[str], Path]


@pytest.fixture
def hub(tiny: Tiny) -> Iterator[LoopbackHub]:
    """Give a hub with one model on `main`, and with more beside it than a build needs."""
    files = files_of(tiny("bert"))
    extra = {"README.md": b"# bert", "modeling.py": b"raise SystemExit", "pytorch_model.bin": b"pickle", "onnx/model.onnx": b"onnx"}
    old = {name: content for name, content in files.items() if not name.endswith(".safetensors")} | {"pytorch_model.bin": b"pickle"}
    with LoopbackHub({"ann/bert": {"main": files | extra, "old": old}}) as server:
        yield server


@pytest.fixture
def fetch(tmp_path: Path, hub: LoopbackHub) -> Callable[..., Fetched]:
    """Give a function that fetches from that hub, in a home of its own."""

    def run(name: str = "ann/bert", kind: str = "model", **environment: str) -> Fetched:
        return fetch_with(tmp_path, hub.environment() | environment, name, kind)

    return run


def test_a_model_comes_from_the_hub_and_stays(fetch: Callable[..., Fetched], hub: LoopbackHub, tiny: Tiny) -> None:
    source = fetch()
    commit = hub.commit(hub.repos["ann/bert"]["main"])
    assert source.resolved == f"ann/bert@{commit}"
    assert files_of(Path(source.folder)) == files_of(tiny("bert"))
    assert fetch("ann/bert", "tokenizer").resolved == source.resolved
    hub.die()
    for name, environment in (("ann/bert", {}), (f"ann/bert@{commit}", {}), ("ann/bert@main", {"HF_HUB_OFFLINE": "1"})):
        again = fetch(name, **environment)
        assert (again.resolved, again.digest) == (source.resolved, source.digest)


def test_a_tokenizer_comes_without_the_weights(fetch: Callable[..., Fetched], hub: LoopbackHub) -> None:
    fetch("ann/bert", "tokenizer")
    assert not [name for name, _ in hub.fetched if name.endswith((".safetensors", ".bin"))]


def test_a_vocabulary_arrives_under_whatever_name_it_has_and_is_in_the_digest(fetch: Callable[..., Fetched], hub: LoopbackHub) -> None:
    main = hub.repos["ann/bert"]["main"]
    digests = []
    for content in (b"one", b"two"):
        hub.repos["ann/bert"]["main"] = main | {"spm.model": content, "added.vocabulary": b"words", "tf_model.h5": b"weights", "flax_model.msgpack": b"weights"}
        source = fetch("ann/bert", "tokenizer")
        assert {name: bytes_ for name, bytes_ in files_of(Path(source.folder)).items() if name not in main} == {
            "spm.model": content,
            "added.vocabulary": b"words",
        }
        digests.append(source.digest)
    assert digests[0] != digests[1]


def test_a_revision_with_a_pickle_alone_gives_the_pickle_and_says_so(fetch: Callable[..., Fetched], hub: LoopbackHub) -> None:
    source = fetch("ann/bert@old")
    assert source.resolved == f"ann/bert@{hub.commit(hub.repos['ann/bert']['old'])}"
    assert source.pickled
    assert "convert" in source.notes[0]


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_corrupted_file_is_an_error_and_leaves_nothing(fetch: Callable[..., Fetched], hub: LoopbackHub, file: str) -> None:
    meant = hub.repos["ann/bert"]["main"][file]
    hub.served[file] = meant[:-1] + bytes([meant[-1] ^ 1])
    failed = fetch()
    assert failed.status == 1
    assert failed.message == f"Error: ann/bert: {file}: not what the hub has. It was thrown away; run the same command again."
    hub.served.clear()
    assert (Path(fetch().folder) / file).read_bytes() == meant


def test_a_file_damaged_in_the_cache_is_found(fetch: Callable[..., Fetched], tiny: Tiny) -> None:
    weights = Path(fetch().folder) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    assert fetch().message == "Error: ann/bert: model.safetensors: not what the hub has. It was thrown away; run the same command again."
    assert files_of(Path(fetch().folder)) == files_of(tiny("bert"))


def test_a_broken_connection_is_tried_again(fetch: Callable[..., Fetched], hub: LoopbackHub, tiny: Tiny) -> None:
    hub.breaks_after = 20_000
    assert files_of(Path(fetch().folder)) == files_of(tiny("bert"))
    assert [name for name, _ in hub.fetched].count("model.safetensors") == 2


def test_a_hub_that_dies_half_way_is_gone_on_with_when_it_is_back(fetch: Callable[..., Fetched], hub: LoopbackHub, tiny: Tiny) -> None:
    hub.breaks_after, hub.dies = 20_000, True
    failed = fetch()
    assert failed.status == 1
    assert failed.message.startswith("Error: ann/bert: ")
    assert failed.message.endswith("Run the same command again: it goes on with what is missing.")
    with LoopbackHub(hub.repos, hub.port):
        assert files_of(Path(fetch().folder)) == files_of(tiny("bert"))


def test_what_was_never_verified_is_not_used_offline(fetch: Callable[..., Fetched], tmp_path: Path) -> None:
    fetch()
    next((tmp_path / "cache").rglob("*.json")).unlink()
    failed = fetch(HF_HUB_OFFLINE="1")
    assert failed.status == 1
    assert "never verified" in failed.message


@pytest.mark.parametrize(
    ("name", "environment", "says"),
    [
        ("ann/gpt", {}, "no such model on the hub"),
        ("ann/bert@v9", {}, "not this revision"),
        ("ann/bert", {"HF_ENDPOINT": "http://127.0.0.1:9"}, "the hub cannot be reached"),
        ("ann/bert", {"HF_HUB_OFFLINE": "1"}, "the hub cannot be reached"),
    ],
)
def test_what_cannot_be_had_ends_with_one_message(fetch: Callable[..., Fetched], name: str, environment: dict[str, str], says: str) -> None:
    failed = fetch(name, **environment)
    assert failed.status == 1
    assert failed.message.startswith(f"Error: {name}: ")
    assert says in failed.message
    assert len(failed.message.splitlines()) == 1


def test_a_name_that_leads_outside_is_never_written(fetch: Callable[..., Fetched], hub: LoopbackHub, tmp_path: Path) -> None:
    hub.repos["ann/bert"]["main"]["../../../config.json"] = json.dumps({"evil": 1}).encode()
    source = fetch()
    assert not [name for name, _ in hub.fetched if ".." in name]
    assert "evil" not in (Path(source.folder) / "config.json").read_text()
