"""The rooms of gallery/: who may import whom, and who may import torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.rooms import FLOOR_OF, MODULES, ROOMS, ROOT, TORCH_FREE, TORCH_ROOMS, imports_of, room_of


def test_every_module_lies_in_a_room() -> None:
    assert [module for module in MODULES if module and not any(module == room or module.startswith(f"{room}.") for room in ROOMS)] == []


@pytest.mark.parametrize("module", sorted(module for module in MODULES if module))
def test_no_arrow_points_upward(module: str) -> None:
    own = room_of(module)
    upward = {other for other in imports_of(MODULES[module]) if room_of(other) != own and FLOOR_OF[room_of(other)] >= FLOOR_OF[own]}
    assert upward == set(), f"{module} imports from its own floor or a higher one"


def test_modules_import_in_no_circle() -> None:
    arrows = {module: imports_of(path) for module, path in MODULES.items()}
    while arrows:
        free = {module for module, others in arrows.items() if not (others - {module}) & arrows.keys()}
        assert free, f"a circle among {sorted(arrows)}"
        arrows = {module: others for module, others in arrows.items() if module not in free}


def test_nothing_imports_the_commands() -> None:
    assert [module for module, path in MODULES.items() if "cli" in imports_of(path)] == []


def test_only_rooms_of_the_explain_half_name_torch() -> None:
    def names_torch(path: Path) -> bool:
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        names += [node.module or "" for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]
        return any(name.split(".")[0] in {"torch", "transformers", "captum"} for name in names)

    naming = {module for module, path in MODULES.items() if module and names_torch(path)}
    assert {module for module in naming if room_of(module).split(".")[0] not in TORCH_ROOMS} == set()
    assert naming & TORCH_FREE == set()


def test_the_render_half_is_imported_without_torch() -> None:
    declarations = {module for module in MODULES if module.startswith("attribution.methods")}
    halves = sorted(TORCH_FREE | declarations | {module for module in MODULES if module and room_of(module).split(".")[0] not in TORCH_ROOMS})
    program = f"""
import importlib, sys
for module in {halves!r}:
    importlib.import_module(f"gallery.{{module}}")
print(sorted({{"torch", "transformers", "captum"}} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_rooms_say_what_they_are_for() -> None:
    for room in ROOMS:
        if MODULES[room].name == "__init__.py":
            words = ast.get_docstring(ast.parse(MODULES[room].read_text(encoding="utf-8"))) or ""
            assert all(label in words for label in ("In: ", "Out: ", "Torch: ")), f"gallery/{room.replace('.', '/')}/__init__.py"


TESTS = ROOT / "tests"
PROGRAMS = {"support", "faults", "benchmarks"}
"""Folders of tests/ that hold more than tests: what tests share, and programs that some tests run a little of."""


def imports_within_tests(path: Path) -> set[str]:
    """Return the modules of tests that a file there imports, from tests/ on, with dots."""
    package = ["tests", *path.relative_to(TESTS).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1], *filter(None, [node.module])] if node.level else [node.module or ""]
            found |= {".".join([*base, alias.name]) for alias in node.names}
    return {module for module in found if module.split(".")[0] == "tests"}


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda path: path.relative_to(TESTS).as_posix())
def test_no_test_imports_another(path: Path) -> None:
    """Nor a conftest: what two tests share lies in tests/support, so that a room's tests can be changed or left out alone."""
    others = {module for module in imports_within_tests(path) if any(part.startswith("test_") or part == "conftest" for part in module.split(".")[1:])}
    assert others == set()


def test_what_tests_share_lies_in_one_place() -> None:
    shared = {path.relative_to(TESTS).as_posix() for path in TESTS.rglob("*.py") if not path.name.startswith("test_")}
    shared -= {name for name in shared if name.split("/")[0] in PROGRAMS or name.endswith(("__init__.py", "conftest.py"))}
    assert shared == set()


def test_tests_lie_in_the_rooms_of_what_they_test() -> None:
    folders = {path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py") if path.parent != TESTS}
    assert folders - {room.split(".")[0] for room in ROOMS} == {"faults", "browser", "docs"}, "a folder of tests/ that is no room"
    assert {room for room in ROOMS if "." not in room and MODULES[room].name == "__init__.py"} - folders == set(), "a room without tests"
