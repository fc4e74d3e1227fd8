"""What W&B is told, by its real client over a socket: what was used, and the explanations as an artifact."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gallery.packing import unpack
from tests.fetching import ROOT, files_of
from tests.galleries import contents, make_gallery
from tests.loopback_wandb import Version
from tests.loopback_wandb_runs import LoopbackRuns

NAME = "wandb:ann/authors/bert:v0"


@pytest.fixture
def wandb(tiny: Callable[[str], Path]) -> Iterator[LoopbackRuns]:
    with LoopbackRuns({("ann", "authors", "bert"): [Version(files_of(tiny("bert")))]}) as server:
        yield server


def _explain(gallery: Path, wandb: LoopbackRuns, model: str = NAME, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    config = make_gallery(gallery, Path(model)) if not gallery.exists() else gallery / "mkdocs.yml"
    config.write_text(config.read_text("utf-8").replace("wandb:/", "wandb:"), "utf-8")
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


def test_the_explanations_go_back_with_their_lineage(wandb: LoopbackRuns, tmp_path: Path) -> None:
    done = _explain(tmp_path / "gallery", wandb, NAME, "--wandb-log", "ann/galleries")
    assert done.returncode == 0, done.stderr
    assert wandb.runs == [("ann", "galleries", "explain")]
    assert wandb.used == ["ann/authors/bert:v0"]
    files = wandb.artifacts["ann", "galleries", "explanations"][0].files
    assert files.keys() == {"store.tar", "passages.table.json"}
    (tmp_path / "store.tar").write_bytes(files["store.tar"])
    unpack(tmp_path / "store.tar", tmp_path / "store")
    assert contents(tmp_path / "store") == contents(tmp_path / "gallery" / "store")
    table = json.loads(files["passages.table.json"])
    assert [row[0] for row in table["data"]] == ["dusty-road", "old-yorick", "white-wall"]
    assert table["columns"][3:7] == ["true_class", "predicted_class", "probability", "right"]
    assert wandb.metadata["ann/galleries/explanations"]["model"] == NAME


def test_lineage_alone_logs_nothing(wandb: LoopbackRuns, tmp_path: Path) -> None:
    done = _explain(tmp_path / "gallery", wandb, NAME, "--wandb-lineage")
    assert done.returncode == 0, done.stderr
    assert wandb.runs == [("ann", "authors", "explain")]
    assert wandb.used == ["ann/authors/bert:v0"]
    assert ("ann", "authors", "explanations") not in wandb.artifacts


def test_a_server_that_cannot_be_told_costs_no_explanation(wandb: LoopbackRuns, tmp_path: Path) -> None:
    assert _explain(tmp_path / "gallery", wandb).returncode == 0
    store = contents(tmp_path / "gallery" / "store")
    failed = _explain(tmp_path / "gallery", wandb, NAME, "--wandb-log", "ann/galleries", WANDB_API_KEY="f" * 40)
    assert failed.returncode == 1
    assert "W&B: ann/galleries could not be told" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert contents(tmp_path / "gallery" / "store") == store


def test_lineage_without_an_artifact_is_an_error(wandb: LoopbackRuns, tmp_path: Path, tiny: Callable[[str], Path]) -> None:
    failed = _explain(tmp_path / "gallery", wandb, str(tiny("bert")), "--wandb-lineage")
    assert failed.returncode == 1
    assert "extra.gallery.wandb_lineage: neither model nor tokenizer is a W&B artifact" in failed.stderr
