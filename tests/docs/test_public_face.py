"""The public face: every name is documented by an example that runs, and importing it costs nothing."""

import doctest
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gallery
from tests.support.fetching import ROOT
from tests.support.galleries import make_gallery, run


@pytest.fixture(scope="module")
def explained(tiny: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the mkdocs.yml of a gallery of three passages, explained."""
    config_file = make_gallery(tmp_path_factory.mktemp("face"), tiny("bert"))
    done = run(config_file, "explain")
    assert done.exit_code == 0, done.output
    return config_file


def names_for(config_file: Path) -> dict[str, Any]:
    """Return the names that examples use: the public ones, and a gallery with its first passage."""
    settings = gallery.load_settings(config_file)
    public = {name: getattr(gallery, name) for name in gallery.__all__}
    store = gallery.open_store(settings, config_file)
    rows = {"store": store, "row": next(gallery.read_rows(store))} if (config_file.parent / "store").exists() else {}
    return {**public, **rows, "Path": Path, "config_file": config_file, "settings": settings}


def run_examples(value: object, name: str, names: dict[str, Any]) -> int:
    """Run the examples of a docstring, and of a class's methods; return their number."""
    finder, runner = doctest.DocTestFinder(recurse=isinstance(value, type)), doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF | doctest.ELLIPSIS)
    report: list[str] = []
    tried = 0
    for test in finder.find(value, name, module=False, globs=names):
        runner.run(test, out=report.append)
        tried += len(test.examples)
    assert runner.failures == 0, "".join(report)
    return tried


@pytest.mark.parametrize("name", gallery.__all__)
def test_the_examples_of_each_name_run(name: str, explained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "gallery"
    shutil.copytree(explained.parent, folder, ignore=shutil.ignore_patterns("store" if name == "explain_passages" else ""))
    assert run_examples(getattr(gallery, name), name, names_for(folder / "mkdocs.yml")), f"{name} has no example"


def test_the_example_of_the_package_runs_in_the_folder_of_a_gallery(explained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gallery"
    shutil.copytree(explained.parent, folder, ignore=shutil.ignore_patterns("store"))
    monkeypatch.chdir(folder)
    assert run_examples(gallery, "gallery", {}) > 5


def test_the_list_of_names_is_the_list_of_imports() -> None:
    assert sorted(gallery.__all__) == sorted(gallery._HOME_OF)
    for name, module in gallery._HOME_OF.items():
        value = getattr(gallery, name)
        assert getattr(value, "__module__", module) == module, f"{name} is defined in another module"
    assert set(gallery.__all__) <= set(dir(gallery))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'explain_everything'"):
        _ = gallery.explain_everything  # type: ignore[attr-defined]


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = "import sys, gallery; heavy = {'torch', 'transformers', 'mkdocs', 'pydantic', 'numpy'} & sys.modules.keys(); print(sorted(heavy))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_reading_a_store_imports_no_torch() -> None:
    program = "import sys, gallery; gallery.load_settings, gallery.open_store, gallery.read_rows, gallery.render_site; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "False"
