"""The whole way of a user with a W&B model: one machine explains, another, without torch, renders and publishes.

The commands are those of a section of docs/guide.md, run as a shell runs them, against servers on the loopback and a
bare repository on disk.
"""

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.support.fetching import ROOT, files_of
from tests.support.galleries import make_gallery
from tests.support.loopback_hub import LoopbackHub
from tests.support.loopback_wandb import Version
from tests.support.loopback_wandb_runs import LoopbackRuns

EXPLAINS = [
    "python build.py convert wandb:ann/authors/baseline:v1 models/baseline --tokenizer ann/bert",
    "python build.py explain",
    "python build.py store pack store.tar",
]
PUBLISHES = [
    "python build.py store unpack store.tar",
    "python build.py render",
    "python build.py check",
    "python build.py publish --dry-run",
    "python build.py publish",
]


def _shell(folder: Path, command: str, environment: dict[str, str]) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "HF_", "GALLERY_"))}
    own = {
        "HOME": str(folder),
        "HF_HOME": str(folder / ".hf"),
        "GALLERY_CACHE": str(folder / ".cache"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "Ann",
        "GIT_COMMITTER_NAME": "Ann",
        "GIT_AUTHOR_EMAIL": "ann@example.org",
        "GIT_COMMITTER_EMAIL": "ann@example.org",
    }
    words = command.split()
    if words[0] == "python":
        words[:2] = [sys.executable, str(ROOT / words[1])]
    done = subprocess.run(
        words, cwd=folder, env={**kept, **own, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def published(tiny: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Go the whole way once; give the folder that holds `box`, `runner` and `remote.git`."""
    import torch
    from safetensors.torch import load_file

    home = tmp_path_factory.mktemp("way")
    files = files_of(tiny("bert"))
    torch.save(load_file(tiny("bert") / "model.safetensors"), home / "pytorch_model.bin")
    pickled = {"config.json": files["config.json"], "pytorch_model.bin": (home / "pytorch_model.bin").read_bytes()}
    words = {name: content for name, content in files.items() if name.startswith("tokenizer")}

    config = make_gallery(home / "box", Path("wandb_model"))
    config.write_text(
        config.read_text("utf-8")
        .replace("model: wandb_model", "model: wandb:ann/authors/baseline:v1\n    tokenizer: ann/bert\n    wandb_log: ann/galleries")
        .replace("https://example.org/gallery/", "https://ann.github.io/novels/"),
        "utf-8",
    )
    (home / "box" / ".gitignore").write_text("/build/\n/site/\n/store/\n/models/\n.*\nstore.tar\n", "utf-8")
    _shell(home, "git init -q --bare remote.git", {})
    for command in ("git init -q -b main", "git add .", "git commit -q -m Begin", "git remote add origin ../remote.git", "git push -q origin main"):
        _shell(home / "box", command, {})

    with LoopbackRuns({("ann", "authors", "baseline"): [Version({}), Version(pickled)]}) as wandb, LoopbackHub({"ann/bert": {"main": words}}) as hub:
        (home / "said.txt").write_text("".join(_shell(home / "box", command, wandb.environment() | hub.environment()) for command in EXPLAINS), "utf-8")
        assert wandb.used == ["ann/authors/baseline:v1"]
        assert ("ann", "galleries", "explanations") in wandb.artifacts

    _shell(home, "git clone -q -b main remote.git runner", {})
    shutil.copyfile(home / "box" / "store.tar", home / "runner" / "store.tar")
    (home / "without").mkdir()
    for package in ("torch", "transformers", "wandb", "captum", "bertviz", "huggingface_hub", "pooch"):
        (home / "without" / f"{package}.py").write_text(f"raise ImportError('{package} is not installed here')", "utf-8")
    for command in PUBLISHES:
        _shell(home / "runner", command, {"PYTHONPATH": str(home / "without")})
    return home


def test_the_box_says_what_it_fetched(published: Path) -> None:
    said = (published / "said.txt").read_text("utf-8")
    assert "wandb:ann/authors/baseline:v1 in models/baseline, as safetensors." in said
    assert "its weights are a pickle" in said
    assert "3 of 3 passages explained" in said
    assert (published / "box" / "models" / "baseline" / "model.safetensors").is_file()


def test_the_branch_holds_every_page_and_where_the_model_came_from(published: Path) -> None:
    _shell(published, "git clone -q -b gh-pages remote.git pages", {})
    pages = published / "pages"
    assert (pages / ".nojekyll").exists()
    assert {path.name for path in (pages / "passages").iterdir()} == {"dusty-road", "old-yorick", "white-wall"}
    model = (pages / "model" / "index.html").read_text("utf-8")
    assert "wandb:ann/authors/baseline:v1" in model
    assert re.search(r"ann/bert@[0-9a-f]{40}", model)


@pytest.mark.browser
def test_the_site_works_under_a_path_of_its_own(published: Path, chromium: Any) -> None:
    """As at https://ann.github.io/novels/, where / is another site."""
    root = published / "served"
    root.mkdir()
    shutil.copytree(published / "runner" / "site", root / "novels")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    Thread(target=server.serve_forever, daemon=True).start()
    here = f"http://127.0.0.1:{server.server_address[1]}"
    page = chromium.new_page()
    failed: list[str] = []
    # What is still loading when the reader goes on is broken off by the browser, and is no failure of the site.
    page.on("requestfailed", lambda request: None if "ERR_ABORTED" in (request.failure or "") else failed.append(request.url))
    page.on("response", lambda response: failed.append(response.url) if response.status >= 400 else None)
    page.on("pageerror", lambda error: failed.append(str(error)))
    try:
        page.goto(f"{here}/novels/", wait_until="networkidle")
        page.click("a[href*='passages/white-wall']")
        page.wait_for_url(f"{here}/novels/passages/white-wall/")
        page.wait_for_load_state("networkidle")
        assert page.locator("h1").first.inner_text() == "Белая стена"
        page.click("a[href*='authors/chekhov']")
        page.wait_for_url(f"{here}/novels/authors/chekhov/")
        assert failed == []
        with urllib.request.urlopen(f"{here}/novels/404.html") as answer:
            wrong = answer.read().decode()
        absolute = re.findall(r'(?:href|src)="(/[^"]*)"', wrong)
        assert absolute
        assert all(path.startswith("/novels/") for path in absolute)
    finally:
        page.close()
        server.shutdown()
        server.server_close()


def test_the_guide_shows_no_other_commands() -> None:
    """Those of the section on two machines; the installation before them is what tests/run does."""
    guide = (ROOT / "docs" / "guide.md").read_text("utf-8")
    section = re.search(r"^## Explain on one machine, publish from another$(.*?)^## ", guide, re.DOTALL | re.MULTILINE)
    assert section
    shown = [line.split("#")[0].strip() for line in re.findall(r"^python build\.py .*$", section[1], re.MULTILINE)]
    assert shown
    assert set(shown) <= {*EXPLAINS, *PUBLISHES}
