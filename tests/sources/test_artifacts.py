"""Models from W&B, by its real client, over a socket, from a server of our own."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fetching import Fetched, fetch_with, files_of
from tests.support.loopback_wandb import LoopbackWandb, Version

NAME = "wandb:ann/authors/bert:v1"
Tiny = Callable[[str], Path]


@pytest.fixture
def wandb(tiny: Tiny) -> Iterator[LoopbackWandb]:
    """Give a server with two versions of one model."""
    files = files_of(tiny("bert"))
    with LoopbackWandb({("ann", "authors", "bert"): [Version({"config.json": b"{}"}), Version(files)]}) as server:
        yield server


@pytest.fixture
def fetch(tmp_path: Path, wandb: LoopbackWandb) -> Callable[..., Fetched]:
    """Give a function that fetches from that server, in a home of its own."""

    def run(name: str = NAME, kind: str = "model", **environment: str) -> Fetched:
        return fetch_with(tmp_path, wandb.environment() | environment, name, kind)

    return run


def test_a_model_and_its_tokenizer_come_from_an_artifact_and_stay(fetch: Callable[..., Fetched], wandb: LoopbackWandb, tiny: Tiny) -> None:
    source = fetch("wandb:ann/authors/bert:latest")
    assert source.resolved == NAME
    assert files_of(Path(source.folder)) == files_of(tiny("bert"))
    wandb.die()
    again = fetch(NAME, WANDB_API_KEY="")
    assert (again.folder, again.digest) == (source.folder, source.digest)
    assert fetch(NAME, "tokenizer").resolved == NAME
    latest = fetch("wandb:ann/authors/bert:latest")
    assert latest.digest == source.digest
    assert "fetched before" in latest.notes[0]


def test_latest_is_asked_for_each_time(fetch: Callable[..., Fetched], wandb: LoopbackWandb, tiny: Tiny) -> None:
    first = fetch("wandb:ann/authors/bert:latest")
    newer = files_of(tiny("bert")) | {"note.txt": b"newer"}
    wandb.artifacts["ann", "authors", "bert"].append(Version(newer))
    second = fetch("wandb:ann/authors/bert:latest")
    assert (first.resolved, second.resolved) == (NAME, "wandb:ann/authors/bert:v2")


def test_a_checkpoint_within_an_artifact_is_chosen_by_its_name(fetch: Callable[..., Fetched], wandb: LoopbackWandb, tiny: Tiny) -> None:
    files = files_of(tiny("bert"))
    both = {f"checkpoint-{step}/{name}": content for step in (500, 1000) for name, content in files.items()}
    wandb.artifacts["ann", "authors", "bert"].append(Version(both))
    name = "wandb:ann/authors/bert:v2"
    assert f"Name one as extra.gallery.model: {name}/checkpoint-500, {name}/checkpoint-1000." in fetch(name).message
    chosen = fetch(f"{name}/checkpoint-500")
    assert chosen.resolved == f"{name}/checkpoint-500"
    assert files_of(Path(chosen.folder)) == files
    assert "Folders in it: checkpoint-1000, checkpoint-500." in fetch(f"{name}/checkpoint-7").message


def test_a_corrupted_file_is_an_error_and_leaves_nothing(fetch: Callable[..., Fetched], wandb: LoopbackWandb, tmp_path: Path) -> None:
    version = wandb.artifacts["ann", "authors", "bert"][1]
    meant = version.files["model.safetensors"]
    version.served["model.safetensors"] = meant[:-1] + bytes([meant[-1] ^ 1])
    failed = fetch()
    assert failed.status == 1
    assert (
        failed.message
        == f"Error: {NAME}: what arrived is not what was logged: Digest mismatch for file: model.safetensors. It was thrown away; run the same command again."
    )
    assert not list((tmp_path / "cache").rglob("*.safetensors"))
    version.served.clear()
    assert fetch().resolved == NAME


def test_a_file_damaged_in_the_cache_is_fetched_again(fetch: Callable[..., Fetched], tiny: Tiny) -> None:
    weights = Path(fetch().folder) / "model.safetensors"
    meant = weights.read_bytes()
    weights.write_bytes(meant[:-1] + bytes([meant[-1] ^ 1]))
    assert files_of(Path(fetch().folder)) == files_of(tiny("bert"))


def test_a_server_that_dies_half_way_leaves_a_part_to_go_on_with(fetch: Callable[..., Fetched], wandb: LoopbackWandb, tiny: Tiny) -> None:
    wandb.dies_on = "model.safetensors"
    failed = fetch()
    assert failed.status == 1
    assert failed.message.startswith(f"Error: {NAME}: the connection broke off")
    arrived = set(wandb.fetched) - {"model.safetensors"}
    with LoopbackWandb(wandb.artifacts, wandb.port) as revived:
        source = fetch()
        assert files_of(Path(source.folder)) == files_of(tiny("bert"))
        assert not arrived & set(revived.fetched)


@pytest.mark.parametrize(
    ("name", "environment", "says"),
    [
        ("wandb:ann/authors/bert:v7", {}, "no such artifact"),
        ("wandb:ann/authors/gpt:latest", {}, "no such artifact"),
        ("wandb:ann/novels/bert:v1", {}, "no such artifact: project 'novels' not found"),
        (NAME, {"WANDB_API_KEY": "f" * 40}, "does not take the API key"),
        (NAME, {"WANDB_API_KEY": "short"}, "does not take the API key"),
        (NAME, {"WANDB_API_KEY": ""}, "no API key. Set WANDB_API_KEY"),
        (NAME, {"WANDB_BASE_URL": "http://127.0.0.1:9"}, "http://127.0.0.1:9 does not answer, and it was not fetched before"),
        (NAME, {"WANDB_MODE": "offline"}, "keeps wandb off the network, and it was not fetched before"),
    ],
)
def test_what_cannot_be_had_ends_with_one_message(fetch: Callable[..., Fetched], name: str, environment: dict[str, str], says: str) -> None:
    failed = fetch(name, **environment)
    assert failed.status == 1
    assert failed.message.startswith(f"Error: {name}: ")
    assert says in failed.message
    assert len(failed.message.splitlines()) == 1


@pytest.mark.parametrize("path", ["../evil.json", "/tmp/evil.json", "a/../../evil.json"])
def test_a_file_name_that_leads_outside_is_refused(fetch: Callable[..., Fetched], wandb: LoopbackWandb, tmp_path: Path, path: str) -> None:
    wandb.artifacts["ann", "authors", "bert"][1].files[path] = b"{}"
    failed = fetch()
    assert failed.status == 1
    assert "outside its folder" in failed.message
    assert not list(tmp_path.rglob("evil.json"))
    assert not wandb.fetched


def test_a_reference_to_another_place_is_not_followed(fetch: Callable[..., Fetched], wandb: LoopbackWandb, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("mine")
    wandb.artifacts["ann", "authors", "bert"][1].references["config.yaml"] = (tmp_path / "secret").as_uri()
    failed = fetch()
    assert failed.status == 1
    assert "only a reference" in failed.message


def test_a_receipt_that_was_tampered_with_is_not_believed(fetch: Callable[..., Fetched], tmp_path: Path, tiny: Tiny) -> None:
    source = fetch()
    receipt = Path(source.folder).with_suffix(".json")
    receipt.write_text(json.dumps(json.loads(receipt.read_text()) | {"files": {"model.safetensors": "0" * 64}}))
    shutil.rmtree(tmp_path / "wandb-cache")
    assert files_of(Path(fetch().folder)) == files_of(tiny("bert"))
