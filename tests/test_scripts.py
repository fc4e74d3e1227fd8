"""The scripts of the site: their types, and how its modules hang together."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STATIC = ROOT / "gallery" / "static"
SCRIPTS = {path.name: path.read_text("utf-8") for path in sorted(STATIC.glob("*.js"))}
ENTRY = "gallery.js"
BERTVIZ = "require.js"
"""A classic script of bertviz's frames, no module of the pages."""
IMPORT = re.compile(r'^import (?:\{ ([^}]+) \} from )?"\./([\w-]+\.js)";$', re.MULTILINE)
TYPE = re.compile(r'import\("\./([\w-]+\.js)"\)\.(\w+)')
EXPORT = re.compile(r"^export (?:async )?(?:function|class|const) (\w+)", re.MULTILINE)
TSC = shutil.which("tsc", path=str(ROOT / "node_modules" / ".bin"))


def imported(name: str) -> dict[str, set[str]]:
    """Return what a script imports, by the script that exports it."""
    return {other: set(filter(None, names.split(", "))) for names, other in IMPORT.findall(SCRIPTS[name])}


@pytest.mark.skipif(TSC is None, reason="no TypeScript here: `npm install` brings it, and tests/run calls that where npm is there")
def test_types_are_sound() -> None:
    done = subprocess.run([str(TSC), "--project", str(ROOT)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_are_said() -> None:
    """`any` would switch the check off, and so would the comments that TypeScript has for that."""
    assert [(name, line) for name, text in SCRIPTS.items() for line in text.splitlines() if re.search(r"\{[^}]*\bany\b|@ts-", line)] == []


def test_scripts_stay_short() -> None:
    assert {name: text.count("\n") for name, text in SCRIPTS.items() if text.count("\n") > 300} == {}


def test_every_script_is_reached_and_nothing_is_exported_in_vain() -> None:
    reached, waiting = set(), [ENTRY]
    used: dict[str, set[str]] = {}
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            for other, names in imported(name).items():
                used[other] = used.get(other, set()) | names
                waiting.append(other)
    assert reached == SCRIPTS.keys() - {BERTVIZ}
    for text in SCRIPTS.values():
        for other, name in TYPE.findall(text):
            used[other].add(name)
    exported = {name: set(EXPORT.findall(SCRIPTS[name])) for name in reached - {ENTRY}}
    assert {name: names - used[name] for name, names in exported.items() if names - used[name]} == {}


def test_a_browser_asks_for_all_scripts_in_three_waves() -> None:
    """It learns of a script's imports when it has the script; the way to the server and back is long on a phone."""
    asked, wave = {ENTRY}, {ENTRY}
    for _ in range(2):
        wave = {other for name in wave for other in imported(name)} - asked
        asked |= wave
    assert asked == SCRIPTS.keys() - {BERTVIZ}


def test_every_import_is_of_a_form_that_an_exported_page_can_rename() -> None:
    for name, text in SCRIPTS.items():
        assert len(re.findall(r"^import\b", text, re.MULTILINE)) == len(IMPORT.findall(text)), name
        assert not re.search(r"(?<!\{)\bimport\(", re.sub(r"/\*\*.*?\*/", "", text, flags=re.DOTALL)), name


def test_scripts_import_in_no_circle() -> None:
    arrows = {name: set(imported(name)) for name in SCRIPTS}
    while arrows:
        free = {name for name, others in arrows.items() if not others & arrows.keys()}
        assert free, f"a circle among {sorted(arrows)}"
        arrows = {name: others for name, others in arrows.items() if name not in free}


def test_each_element_has_a_file_and_all_are_registered_in_one() -> None:
    elements = {name: re.findall(r"^export class (\w+) extends HTMLElement", text, re.MULTILINE) for name, text in SCRIPTS.items()}
    assert max(map(len, elements.values())) == 1
    assert [name for name, text in SCRIPTS.items() if "customElements.define" in text] == [ENTRY]
    registered = dict(re.findall(r'\["(gallery-\w+)", (\w+)\]', SCRIPTS[ENTRY]))
    assert sorted(registered.values()) == sorted(name for names in elements.values() for name in names)
    templates = "".join(path.read_text("utf-8") for path in (ROOT / "gallery" / "templates").glob("*.html"))
    assert set(re.findall(r"<(gallery-\w+)", templates)) == registered.keys()


def test_typescript_is_the_only_package_and_pinned_by_hash() -> None:
    """The site itself needs no package; the lock names no host, so any registry will do."""
    package = json.loads((ROOT / "package.json").read_text("utf-8"))
    assert list(package["devDependencies"]) == ["typescript"]
    assert "dependencies" not in package
    lock = json.loads((ROOT / "package-lock.json").read_text("utf-8"))
    locked = {name: entry for name, entry in lock["packages"].items() if name}
    assert locked["node_modules/typescript"]["version"] == package["devDependencies"]["typescript"]
    assert [name for name, entry in locked.items() if "integrity" not in entry or "resolved" in entry or "typescript" not in name] == []
