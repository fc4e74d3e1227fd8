"""The declared dependencies are the imported ones, and the built package renders outside the clone without the extra `explain`."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gallery import __version__
from tests.support.browser import serving
from tests.support.galleries import contents, make_gallery, run

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

FOR_ENGINEERS = {"docs", "test"}
"""Extras that the package itself never needs."""
NOT_IMPORTED = {
    "fontpkg-pt-serif": "fontpkg finds its font",
    "mkdocs-material": "mkdocs.yml names it as the theme",
    "mpld3": "its d3 is read as a file",
}
"""Dependencies of the package that no module imports, and the reason why they are needed."""
TOOLS = {"build", "mypy", "pytest", "pytest-xdist", "ruff", "setuptools", "types-pyyaml", "types-regex", "wheel"}
"""Dependencies of the tests that are run, not imported."""
EXTRAS = {
    "attention": {"explain"},
    "attribution": {"explain"},
    "compat": {"explain", "ray"},
    "evaluation": {"explain"},
    "explain": {"explain", "ray"},
    "files": {"remote"},
    "model": {"adapters", "explain"},
    "passages": {"tables"},
    "site": {"ru"},
    "sources": {"explain"},
    "testing": {"explain"},
    "training": {"explain", "train"},
}
"""Extras whose packages a room may import; the others import core dependencies alone."""
RENDER_HALF = {"files", "passages", "site", "sources"}
"""Rooms that are imported without the extras: they import a package of theirs when it is needed, within a function."""
ON_FETCHING = {"sources.peers"}
"""Modules of the render half that are themselves imported when something is fetched."""


def _declared(extra: str | None = None) -> set[str]:
    lists = PROJECT["dependencies"] if extra is None else PROJECT["optional-dependencies"][extra]
    return {canonicalize_name(Requirement(line).name) for line in lists} - {"explanation-gallery"}


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield (distribution, whether the import stands within a function) for each import of another package."""
    names: list[tuple[str, bool]] = []

    def walk(node: ast.AST, within: bool) -> None:
        if isinstance(node, ast.Import):
            names.extend((alias.name, within) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append((node.module, within))
        for child in ast.iter_child_nodes(node):
            walk(child, within or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    walk(ast.parse(path.read_text("utf-8")), within=False)
    for name, within in names:
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names | {"gallery", "tests"} and not (path.parent / f"{top}.py").is_file():
            yield canonicalize_name(DISTRIBUTIONS[top][0]), within


DISTRIBUTIONS = packages_distributions()
MODULES = {".".join(path.relative_to(ROOT / "gallery").with_suffix("").parts): path for path in sorted((ROOT / "gallery").rglob("*.py"))}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_what_its_room_may_have(module: str) -> None:
    room = module.partition(".")[0]
    extras = set().union(*(_declared(extra) for extra in EXTRAS.get(room, ())))
    imported = set(_imports(MODULES[module]))
    assert {name for name, _ in imported} - _declared() - extras == set(), "declare it in pyproject.toml"
    if room in RENDER_HALF and module not in ON_FETCHING:
        assert {name for name, within in imported if not within} - _declared() == set(), "import it within the function that needs it"


def test_every_dependency_is_imported_or_has_a_reason() -> None:
    imported = {name for path in MODULES.values() for name, _ in _imports(path)}
    declared = _declared() | {name for extra in PROJECT["optional-dependencies"] if extra not in FOR_ENGINEERS for name in _declared(extra)}
    assert declared - imported == NOT_IMPORTED.keys()


def test_the_tests_import_what_is_declared() -> None:
    declared = _declared() | {name for extra in PROJECT["optional-dependencies"] for name in _declared(extra)}
    imported = {name for path in (ROOT / "tests").rglob("*.py") for name, _ in _imports(path)}
    assert imported - declared == set()
    assert _declared("test") - imported - TOOLS == set()


def test_every_dependency_has_a_tested_version() -> None:
    tested = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)}
    declared = _declared() | {name for extra in PROJECT["optional-dependencies"] for name in _declared(extra)}
    assert declared - tested == set()


def test_the_workflow_tries_every_python_that_is_promised() -> None:
    promised = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)}
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8"))["jobs"]
    matrix = jobs["versions"]["strategy"]["matrix"]["include"]
    tried = [(row["os"].partition("-")[0], row["python"]) for row in matrix]
    tried += [("ubuntu", step["with"]["python-version"]) for step in jobs["test"]["steps"] if "python-version" in step.get("with", {})]
    assert {python for system, python in tried if system == "ubuntu"} == promised
    assert {system for system, _ in tried} == {"ubuntu", "macos", "windows"}
    assert PROJECT["requires-python"] == f">={min(promised, key=lambda version: int(version.partition('.')[2]))}"


def test_the_changelog_begins_with_this_version() -> None:
    newest = re.search(r"^## (\S+) \((.+)\)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == __version__.removesuffix(".dev0")
    assert (newest[2] == "unreleased") == __version__.endswith(".dev0")
    places = [path for path in (*ROOT.glob("*.toml"), *MODULES.values()) if f'"{__version__}"' in path.read_text("utf-8")]
    assert places == [ROOT / "gallery" / "__init__.py"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give the source distribution of the clone, and the wheel built from it."""
    folder = tmp_path_factory.mktemp("package")
    clone = folder / "clone"
    leave_out = shutil.ignore_patterns(".git", ".mypy_cache", "__pycache__", "*.egg-info", "build", "site", "site_src", "store", "node_modules")
    shutil.copytree(ROOT / "gallery", clone / "gallery", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests", clone / "tests", ignore=leave_out)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, clone)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist")]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (source,) = (folder / "dist").glob("*.tar.gz")
    (wheel,) = (folder / "dist").glob("*.whl")
    return source, wheel


def _packaged(names: Iterable[str]) -> set[str]:
    return {name for name in names if name.startswith("gallery/") and not name.endswith("/")}


def test_the_wheel_holds_the_package_and_nothing_else(built: tuple[Path, Path]) -> None:
    source, wheel = built
    tracked = subprocess.run(["git", "ls-files", "gallery"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    wanted = {name for name in tracked if name and not name.startswith("gallery/demo/")}
    assert {"gallery/py.typed", "gallery/templates/passage.html", "gallery/documents/ru/index.md"} <= wanted
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    assert _packaged(names) == wanted
    assert {name.split("/")[0] for name in names} == {"gallery", f"explanation_gallery-{__version__}.dist-info"}
    assert f"\nVersion: {__version__}\n" in metadata
    assert wheel.stat().st_size < 3_000_000
    with tarfile.open(source) as tar:
        sources = {name.partition("/")[2] for name in tar.getnames()}
    assert wanted <= sources
    assert {"CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md", "pyproject.toml"} <= sources
    assert not {name for name in sources if name.startswith(("tests/", "gallery/demo/", "site_src/"))}


BLOCKER = """
import sys


class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}: only what rendering needs is here", name=name)


sys.meta_path.insert(0, Blocker())
"""


def _closure(names: Iterable[str]) -> set[str]:
    """Return distributions and everything that they need here."""
    needed: set[str] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in needed:
            continue
        needed.add(name)
        further = map(Requirement, distribution(name).requires or ())
        waiting += [line for line in further if not line.marker or any(line.marker.evaluate({"extra": extra}) for extra in requirement.extras or {""})]
    return needed


@pytest.fixture(scope="module")
def installed(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the scripts of an environment with the wheel; of the packages installed here it sees those that rendering needs."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    own = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # else pip may think that the package is there
    install = [sys.executable, "-m", "pip", "--python", str(folder), "install", "-q", "--no-deps", "--no-index", str(built[1])]
    subprocess.run(install, env=clean, check=True)
    core = _closure([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["ru"]])  # pages differ without the extra ru
    blocked = {top for top, names in DISTRIBUTIONS.items() if not {canonicalize_name(name) for name in names} & core} - {"gallery"}
    assert {"torch", "transformers", "captum", "wandb", "pyarrow"} <= blocked
    (own / "blocker.py").write_text(BLOCKER.format(blocked=blocked), "utf-8")
    paths = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    (own / "of-these-tests.pth").write_text("".join(f"{line}\n" for line in ("import blocker", *paths)), "utf-8")
    return scripts


def _run(installed: Path, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the installed `gallery` in a folder outside the clone."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([installed / "gallery", *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def test_the_wheel_renders_the_same_bytes_outside_the_clone_without_what_explaining_needs(installed: Path, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tiny("bert"), settings="    methods: [gradient_norm]\n    random_orders: 0\n")
    assert run(config).exit_code == 0
    here = contents(tmp_path / "site")
    shutil.rmtree(tmp_path / "site")
    shutil.rmtree(tmp_path / "build")
    assert _run(installed, tmp_path, "--version").stdout == f"gallery, version {__version__}\n"
    rendered = _run(installed, tmp_path, "render")
    assert rendered.returncode == 0, rendered.stderr
    assert contents(tmp_path / "site") == here
    assert re.search(rf"^all +{len(here)} ", _run(installed, tmp_path, "check").stdout, re.MULTILINE)


def test_the_installed_command_names_the_extra_that_it_lacks(installed: Path, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    make_gallery(tmp_path, tiny("bert"))
    explained = _run(installed, tmp_path, "explain")
    assert explained.returncode == 1
    assert 'Run: pip install "explanation-gallery[explain]"' in explained.stderr
    assert "Traceback" not in explained.stderr


NO_NETWORK = """
import socket

_connect = socket.socket.connect


def connect(self, address):
    if isinstance(address, tuple) and not str(address[0]).startswith(("127.", "::1", "localhost")):
        raise OSError(f"the network is cut: {address}")
    return _connect(self, address)


socket.socket.connect = connect
"""


@pytest.fixture(scope="module")
def maker(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the scripts of an environment with the wheel and all that explaining needs, in which the network is cut."""
    folder = tmp_path_factory.mktemp("maker")
    venv.create(folder, with_pip=False)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    install = [sys.executable, "-m", "pip", "--python", str(folder), "install", "-q", "--no-deps", "--no-index", str(built[1])]
    subprocess.run(install, env=clean, check=True)
    (own / "no_network.py").write_text(NO_NETWORK, "utf-8")
    paths = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    (own / "of-these-tests.pth").write_text("".join(f"{line}\n" for line in ("import no_network", *paths)), "utf-8")
    return folder / ("Scripts" if os.name == "nt" else "bin")


@pytest.mark.browser
def test_the_makers_way_from_an_empty_folder_to_a_page_without_a_clone_or_a_network(
    maker: Path, tiny: Callable[[str], Path], tmp_path: Path, chromium: Any
) -> None:
    begun = _run(maker, tmp_path, "new", "own", "--model", str(tiny("bert")), "--language", "en", "--name", "My texts")
    assert begun.returncode == 0, begun.stderr
    assert "    gallery serve" in begun.stdout
    own = tmp_path / "own"
    early = _run(maker, own, "check")
    assert early.returncode == 0, early.stderr
    assert "Classes: 3: " in early.stdout
    assert "Run: gallery\n" in early.stdout
    built = _run(maker, own, "build", "--n-steps", "8", "--random-orders", "2")
    assert built.returncode == 0, built.stderr
    assert "3 of 3 passages explained" in built.stdout
    checked = _run(maker, own, "check")
    assert checked.returncode == 0, checked.stderr
    for words in (["init", "-q"], ["remote", "add", "origin", "git@github.com:ann/own.git"]):
        subprocess.run(["git", *words], cwd=own, check=True)
    published = _run(maker, own, "publish", "--dry-run")
    assert published.returncode == 0, published.stderr
    assert "Would push" in published.stdout

    page, said, asked = chromium.new_page(), list[str](), list[str]()
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    with serving(own / "site") as here:
        page.goto(here, wait_until="networkidle")
        assert page.locator("h1").first.inner_text() == "Which words made the model name an author"
        page.click("a[href*='passages/sample-1']")
        page.wait_for_url(f"{here}passages/sample-1/")
        page.wait_for_load_state("networkidle")
        assert page.locator(".g-text .w[class*='for'], .g-text .w[class*='against']").count() > 0
        assert said == []
        assert {url for url in asked if not url.startswith((here, "data:", "blob:"))} == set()
        page.close()
