"""Draws docs/architecture.svg from the imports of gallery/, and writes the list of rooms into docs/architecture.md.

Run: python docs/draw_architecture.py
"""

import ast
import sys
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.rooms import FLOORS, MODULES, ROOMS, TORCH_ROOMS, imports_of, room_of  # noqa: E402 (the repository is on the path now)

PICTURE = ROOT / "docs" / "architecture.svg"
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- rooms: written by draw_architecture.py -->", "<!-- end of rooms -->"

WIDTH, ROW, TOP = 1000, 52, 30
BOX, HEIGHT = 96, 26
COLUMNS = {"torch": (10, 230), "shared": (230, 760), "site": (760, 990)}
"""Column -> its left and right edge."""
COLOURS = {"torch": ("#fbe3cf", "#b4541a"), "shared": ("#eceff1", "#546e7a"), "site": ("#dbe7f6", "#2f5f9e")}
"""Column -> fill and line of its boxes."""


def arrows() -> set[tuple[str, str]]:
    """Return (room, other room that it imports from)."""
    pairs = {(room_of(module), room_of(other)) for module, path in MODULES.items() if module for other in imports_of(path)}
    return {(room, other) for room, other in pairs if room != other}


def direct(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the arrows that no chain of other arrows replaces."""
    below: dict[str, set[str]] = {}
    for room in ROOMS:  # from the lowest floor
        own = {other for first, other in pairs if first == room}
        below[room] = own.union(*(below[other] for other in own))
    return {(room, other) for room, other in pairs if not any(first == room and other in below[middle] for first, middle in pairs)}


def column(room: str) -> str:
    """Return the column of a room: what needs torch to the left, the site's rooms to the right, all else between."""
    if room.split(".")[0] == "site":
        return "site"
    return "torch" if room in TORCH_ROOMS and room != "compat" else "shared"


def places() -> dict[str, tuple[float, float]]:
    """Return room -> the middle of its box. The highest floor is the first row."""
    found = {}
    for row, floor in enumerate(reversed(FLOORS)):
        for name, (left, right) in COLUMNS.items():
            rooms = [room for room in floor if column(room) == name]
            for number, room in enumerate(rooms):
                lean = 0.18 * (right - left) * (-1) ** row if len(rooms) == 1 else 0  # so that arrows need not cross the boxes between
                found[room] = (left + (right - left) * (number + 0.5) / len(rooms) + lean, TOP + ROW * row + HEIGHT / 2)
    return found


def picture() -> str:
    """Return the SVG."""
    at, pairs = places(), arrows()
    strong = direct(pairs)
    height = TOP + ROW * len(FLOORS)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12" role="img">',
        "<title>The rooms of Explanation Gallery, each above all that it imports from</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for name, label in (("torch", "needs torch"), ("shared", "both halves"), ("site", "renders, without torch")):
        left, right = COLUMNS[name]
        lines.append(f'<text x="{(left + right) / 2:g}" y="16" text-anchor="middle" fill="{COLOURS[name][1]}">{label}</text>')
    for room, other in sorted(pairs, key=lambda pair: (pair in strong, pair)):
        (x, y), (end_x, end_y) = at[room], at[other]
        y, end_y = y + HEIGHT / 2, end_y - HEIGHT / 2
        look = 'stroke="#37474f" marker-end="url(#tip)"' if (room, other) in strong else 'stroke="#b0bec5" stroke-width="0.5"'
        path = f"M{x:.1f} {y:.1f}C{x:.1f} {y + 20:.1f} {end_x:.1f} {end_y - 24:.1f} {end_x:.1f} {end_y:.1f}"
        lines.append(f'<path d="{path}" fill="none" {look}><title>{room} → {other}</title></path>')
    for room, (x, y) in sorted(at.items()):
        fill, line = COLOURS[column(room)]
        lines.append(f'<rect x="{x - BOX / 2:.1f}" y="{y - HEIGHT / 2:.1f}" width="{BOX}" height="{HEIGHT}" rx="4" fill="{fill}" stroke="{line}"/>')
        lines.append(f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{room}<title>{escape(purpose(room))}</title></text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def purpose(room: str) -> str:
    """Return the first sentence of a room's docstring."""
    text = ast.get_docstring(ast.parse(MODULES[room].read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def rooms_list() -> str:
    """Return the rooms as a Markdown table, from the highest floor."""
    rows = ["| floor | room | what it is for |", "|---|---|---|"]
    for number, floor in reversed(list(enumerate(FLOORS, 1))):
        for room in floor:
            path = MODULES[room].relative_to(ROOT).as_posix().removesuffix("__init__.py")
            rows.append(f"| {number} | `{path}` | {purpose(room).replace('|', chr(92) + '|')} |")
    return "\n".join(rows)


def page() -> str:
    """Return docs/architecture.md with the list of rooms brought up to date."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{rooms_list()}\n\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
