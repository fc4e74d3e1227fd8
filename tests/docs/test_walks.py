"""The walks of docs/: whoever writes the files of a page, and nothing else, has a method, a source or a page that passes the tests."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fetching import ROOT

WALKS = {
    "add-a-method": ["tests/attribution/test_random_order.py", "tests/site/test_language.py", "tests/test_testing_kit.py::test_own_methods_pass[random_order]"],
    "add-a-source": ["tests/sources/test_zipped.py", "tests/sources/test_kinds.py"],
    "add-a-page": ["tests/site/test_longest.py", "tests/site/test_language.py"],
}
"""Page -> the tests that must pass then."""
MOST_FILES = {"add-a-method": 3, "add-a-source": 2, "add-a-page": 4}


def written(page: str, root: Path) -> set[str]:
    """Write the files of a page into a copy of the repository; return their names."""
    text = (ROOT / "docs" / f"{page}.md").read_text("utf-8")
    files = dict(re.findall(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    for name, content in files.items():
        assert not (root / name).exists(), name
        (root / name).write_text(content, "utf-8")
    touched = set(files)
    for words in re.findall(r"^```po\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        catalogue = "gallery/locale/ru/LC_MESSAGES/gallery.po"
        with (root / catalogue).open("a", encoding="utf-8") as stream:
            stream.write("\n" + words)
        touched.add(catalogue)
    return touched


@pytest.mark.parametrize("page", WALKS)
def test_the_files_of_a_walk_are_enough(page: str, tmp_path: Path) -> None:
    for folder in ("gallery", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "demo", "corpus"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    files = written(page, tmp_path)
    assert len(files) == MOST_FILES[page]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *WALKS[page]]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(tmp_path)}, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    modules = sorted(name for name in files if name.endswith(".py"))
    linted = subprocess.run([sys.executable, "-m", "ruff", "check", *modules], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout
