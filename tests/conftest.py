"""What tests share: tiny classifiers made once, and a real browser."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("WANDB_SILENT", "true")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # a tiny model is slower in two threads than in one


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the folder of a tiny random classifier of an architecture, made on first use."""
    from tests.support.models import save_tiny_classifier

    made: dict[str, Path] = {}

    def folder(architecture: str = "bert") -> Path:
        if architecture not in made:
            made[architecture] = save_tiny_classifier(tmp_path_factory.mktemp(architecture), architecture)
        return made[architecture]

    return folder


@pytest.fixture(scope="session")
def explained(tiny: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a gallery of three passages that has been explained; a test that changes it copies its folder first."""
    from tests.support.galleries import contents, make_gallery, run

    config = make_gallery(tmp_path_factory.mktemp("explained"), tiny("bert"))
    result = run(config, "explain")
    assert result.exit_code == 0, result.output
    before = contents(config.parent)
    yield config
    assert contents(config.parent) == before, "a test has changed the gallery that all share"


@pytest.fixture(scope="session")
def built(explained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the same gallery with its site; a test that changes it copies its folder first."""
    from tests.support.galleries import contents, run

    config = shutil.copytree(explained.parent, tmp_path_factory.mktemp("built") / "gallery") / explained.name
    result = run(config)
    assert result.exit_code == 0, result.output
    before = contents(config.parent)
    yield config
    assert contents(config.parent) == before, "a test has changed the gallery that all share"


@pytest.fixture(scope="session")
def many(explained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a gallery of 250 passages, rendered by two processes."""
    from tests.support.galleries import MANY, multiply, run

    config = shutil.copytree(explained.parent, tmp_path_factory.mktemp("many") / "gallery") / explained.name
    multiply(config, MANY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
        result = run(config, "render")
    assert result.exit_code == 0, result.output
    return config


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """Give a headless Chromium of playwright's; fails where there is none, since tests/run installs one."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--enable-precise-memory-info"]
        )
        yield browser
        browser.close()
