"""docs/plugins.md: its code, as a package of somebody else, adds a method and a source."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fetching import ROOT
from tests.support.galleries import make_gallery

PAGE = (ROOT / "docs" / "plugins.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """Return the page's fenced blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Give the folder of the page's package, as an installer would leave it."""
    folder = tmp_path / "installed"
    folder.mkdir()
    for name, code in zip(re.findall(r"^`(\w+\.py)`", PAGE, re.MULTILINE), blocks("python"), strict=True):
        (folder / name).write_text(code, "utf-8")
    project = tomllib.loads(blocks("toml")[0])["project"]
    about = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", "utf-8")
    groups = [f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items()) for group, points in project["entry-points"].items()]
    (about / "entry_points.txt").write_text("\n".join(groups), "utf-8")
    return folder


def gallery(config_file: Path, package: Path | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a shell would, with the package installed or without."""
    path = os.pathsep.join(str(folder) for folder in (ROOT, package) if folder)
    command = [sys.executable, str(ROOT / "build.py"), *arguments, "--config-file", str(config_file)]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, cwd=config_file.parent, capture_output=True, text=True, timeout=300, check=False)


def test_a_package_adds_a_method_and_a_source(tiny: Callable[[str], Path], package: Path, tmp_path: Path) -> None:
    config_file = make_gallery(tmp_path / "gallery", Path("nowhere"), language="en", settings="    random_orders: 0\n    bertviz_tokens: 0\n")
    wanted = re.sub(r"^.*?gallery:\n", "", blocks("yaml")[0], flags=re.DOTALL)
    config_file.write_text(config_file.read_text("utf-8").replace("    model: nowhere\n", wanted), "utf-8")
    (config_file.parent / "models").mkdir()
    (config_file.parent / "models" / "authors").symlink_to(tiny("bert"), target_is_directory=True)

    without = gallery(config_file, None, "explain")
    assert without.returncode == 1
    assert "word_length" in without.stderr

    for command in ("explain", "render"):
        done = gallery(config_file, package, command)
        assert done.returncode == 0, done.stdout + done.stderr
    page = (config_file.parent / "site" / "passages" / "white-wall" / "index.html").read_text("utf-8")
    assert "length of the word" in page
    table = (config_file.parent / "site" / "methods" / "index.html").read_text("utf-8")
    assert "which word is the longest" in table
    assert "shelf:authors" in (config_file.parent / "site" / "model" / "index.html").read_text("utf-8")
    assert tomllib.loads(blocks("toml")[0])["tool"]["setuptools"]["py-modules"] == ["word_length", "shelf"], "pip could not install the package"


def test_the_pages_method_passes_the_kit(package: Path) -> None:
    program = "import gallery, word_length; gallery.check_method(word_length.METHOD); print('torch' in __import__('sys').modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(package)])}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.strip() == "True", done.stderr


def test_the_page_stays_short() -> None:
    assert sum(len(block.strip().splitlines()) for block in blocks("python")) <= 40
