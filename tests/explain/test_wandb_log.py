"""What W&B is told, by its real client over a socket: what was used, and the explanations as an artifact."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gallery.store.archive import unpack
from tests.support.fetching import ROOT, files_of
from tests.support.galleries import contents, make_gallery
from tests.support.loopback_wandb import Version
from tests.support.loopback_wandb_runs import LoopbackRuns

NAME = "wandb:ann/authors/bert:v0"


@pytest.fixture(scope="module")
def wandb(tiny: Callable[[str], Path]) -> Iterator[LoopbackRuns]:
    with LoopbackRuns({("ann", "authors", "bert"): [Version(files_of(tiny("bert")))]}) as server:
        yield server


@pytest.fixture(scope="module")
def gallery(wandb: LoopbackRuns, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a gallery that was explained, and whose explanations went back."""
    folder = tmp_path_factory.mktemp("lineage") / "gallery"
    done = _explain(folder, wandb, "--wandb-log", "ann/galleries")
    assert done.returncode == 0, done.stderr
    return folder


def _explain(gallery: Path, wandb: LoopbackRuns, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    if not gallery.exists():
        make_gallery(gallery, Path(NAME))
    own = {"HOME": str(gallery), "GALLERY_CACHE": str(gallery / "cache"), "WANDB_CACHE_DIR": str(gallery / "wandb-cache"), "WANDB_DATA_DIR": str(gallery)}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return subprocess.run(
        [sys.executable, str(ROOT / "build.py"), "explain", *options],
        cwd=gallery,
        env=kept | wandb.environment() | own | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_the_explanations_go_back_with_their_lineage(gallery: Path, wandb: LoopbackRuns, tmp_path: Path) -> None:
    assert wandb.runs[0] == ("ann", "galleries", "explain")
    assert wandb.used[0] == "ann/authors/bert:v0"
    files = wandb.artifacts["ann", "galleries", "explanations"][0].files
    assert files.keys() == {"store.tar", "passages.table.json"}
    (tmp_path / "store.tar").write_bytes(files["store.tar"])
    unpack(tmp_path / "store.tar", tmp_path / "store")
    assert contents(tmp_path / "store") == contents(gallery / "store")
    table = json.loads(files["passages.table.json"])
    assert [row[0] for row in table["data"]] == ["dusty-road", "old-yorick", "white-wall"]
    assert table["columns"][3:7] == ["true_class", "predicted_class", "probability", "right"]
    assert wandb.metadata["ann/galleries/explanations"]["model"] == NAME


def test_lineage_alone_logs_nothing(gallery: Path, wandb: LoopbackRuns) -> None:
    runs, used, logged = len(wandb.runs), len(wandb.used), len(wandb.artifacts["ann", "galleries", "explanations"])
    done = _explain(gallery, wandb, "--wandb-lineage")
    assert done.returncode == 0, done.stderr
    assert wandb.runs[runs:] == [("ann", "authors", "explain")]
    assert wandb.used[used:] == ["ann/authors/bert:v0"]
    assert len(wandb.artifacts["ann", "galleries", "explanations"]) == logged


def test_a_server_that_cannot_be_told_costs_no_explanation(gallery: Path, wandb: LoopbackRuns) -> None:
    store = contents(gallery / "store")
    failed = _explain(gallery, wandb, "--wandb-log", "ann/galleries", WANDB_API_KEY="f" * 40)
    assert failed.returncode == 1
    assert "W&B: ann/galleries could not be told" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert contents(gallery / "store") == store


def test_lineage_without_an_artifact_is_an_error(gallery: Path, wandb: LoopbackRuns, tiny: Callable[[str], Path]) -> None:
    failed = _explain(gallery, wandb, "--wandb-lineage", "--model", str(tiny("bert")))
    assert failed.returncode == 1
    assert "extra.gallery.wandb_lineage: neither model nor tokenizer is a W&B artifact" in failed.stderr
