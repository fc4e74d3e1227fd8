"""The rooms of gallery/ on their floors, and what each imports; the tests of the architecture and its picture in docs/ read them."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]

FLOORS: list[list[str]] = [
    ["errors", "units", "disk_dict", "softmax", "compat"],
    ["files", "mkdocs_config"],
    ["methods"],
    ["config"],
    ["store"],
    ["sources"],
    ["passages"],
    ["model"],
    ["attention"],
    ["attribution"],
    ["evaluation"],
    ["site"],
    ["site.pictures"],
    ["site.pages"],
    ["site.check"],
    ["site.build"],
    ["explain"],
    ["training", "testing", "beginning"],
    ["halves", "options"],
    ["cli"],
]
"""Rooms from the lowest to the highest. A room imports from lower floors alone, not from its neighbours."""

TORCH_ROOMS = {"compat", "model", "attention", "attribution", "evaluation", "explain", "training", "testing"}
TORCH_FREE = {
    "attention.encoding",
    "attention.picture",
    "attribution.method",
    "compat",
    "compat.glibc",
    "compat.mkdocs",
    "compat.ray",
    "evaluation.calibration",
    "evaluation.calibration_file",
    "evaluation.metrics",
    "explain.in_stages",
    "explain.plan",
    "explain.plan_report",
    "explain.prepared",
    "explain.run",
    "explain.stages",
    "explain.state",
    "model.labels",
    "model.words",
}
"""Modules of rooms with torch that the render half, or the plan, imports."""

MODULES = {
    ".".join(path.relative_to(ROOT / "gallery").with_suffix("").parts).removesuffix("__init__").removesuffix("."): path
    for path in sorted((ROOT / "gallery").rglob("*.py"))
}
ROOMS = [room for floor in FLOORS for room in floor]
FLOOR_OF = {room: number for number, floor in enumerate(FLOORS) for room in floor}


def room_of(module: str) -> str:
    """Return the innermost room that holds a module; a module of the ground is a room of its own."""
    return max((room for room in ROOMS if module == room or module.startswith(f"{room}.")), key=len)


def imports_of(path: Path) -> set[str]:
    """Return the modules of gallery that a file imports, wherever in the file, without the leading `gallery.`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("gallery.") for alias in node.names if alias.name.startswith("gallery.")}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "gallery":
            base = node.module.removeprefix("gallery").removeprefix(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".removeprefix(".")
                found.add(inner if inner in MODULES else base)
    return found - {""}
