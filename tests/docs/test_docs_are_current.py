"""docs/ is what the code says: the pages that scripts write, the picture of the rooms, and the paths that people wrote."""

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.fetching import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "CONTRIBUTING.md"])


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a script of docs/ as a module."""
    monkeypatch.syspath_prepend(str(DOCS))
    __import__(name)
    return sys.modules[name]


@pytest.mark.parametrize("page", ["settings.md", "commands.md", "reference/api.md"])
def test_a_written_page_is_what_the_script_writes(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    generate = script("generate", monkeypatch)
    assert page in generate.PAGES
    assert (DOCS / page).read_text("utf-8") == generate.PAGES[page](), "run: python docs/generate.py"


def test_the_picture_and_the_list_of_rooms_are_what_the_script_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = script("draw_architecture", monkeypatch)
    assert draw.PICTURE.read_text("utf-8") == draw.picture(), "run: python docs/draw_architecture.py"
    assert draw.PAGE.read_text("utf-8") == draw.page(), "run: python docs/draw_architecture.py"


def test_the_picture_shows_every_room_and_every_import_between_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = script("draw_architecture", monkeypatch)
    picture = draw.PICTURE.read_text("utf-8")
    assert [room for room in draw.ROOMS if f">{room}<title>" not in picture] == []
    assert ("site.pages", "store") in draw.arrows()
    assert [pair for pair in draw.arrows() if f"<title>{pair[0]} → {pair[1]}</title>" not in picture] == []


def test_every_setting_and_command_is_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    generate = script("generate", monkeypatch)
    settings, commands = (DOCS / "settings.md").read_text("utf-8"), (DOCS / "commands.md").read_text("utf-8")
    keys = {key for key, _ in generate.fields()}
    assert {"model", "attention.layers"} <= keys
    assert {key for key in keys if f"| `{key}` |" not in settings} == set()
    names = {name for name, _ in generate.commands()}
    assert {"sanity", "convert", "train", "store pack"} <= names
    assert {name for name in names if f"\n## {name}\n" not in commands} == set()
    options = {flag for _, command in generate.commands() for option in command.params for flag in getattr(option, "opts", ()) if flag.startswith("--")}
    dashed = {"--" + key.replace(".", "-").replace("_", "-") for key in keys}
    assert {flag for flag in options - dashed if f"`{flag}`" not in commands} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    """A walk names a file that its reader writes as `path`: on a line of its own."""
    text = page.read_text("utf-8")
    to_write = set(re.findall(r"^`([\w./-]+)`:$", text, re.MULTILINE))
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`((?:gallery|tests|docs|site_src)/[\w./-]*)`", prose)) - to_write
    assert {path for path in named if not (ROOT / path).exists()} == set()
    links = {link.split("#")[0] for link in re.findall(r"\]\(([^):]+)\)", prose)} - {""}
    folder = DOCS if page.parent.name == "reference" else page.parent
    assert {link for link in links if not (folder / link).exists() and not (DOCS / "reference" / link).exists()} == set()


def test_the_documentation_builds(tmp_path: Path) -> None:
    pytest.importorskip("mkdocstrings")
    command = [sys.executable, "-m", "mkdocs", "build", "-f", str(DOCS / "mkdocs.yml"), "--strict", "-d", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "api" / "index.html").read_text("utf-8")
    import gallery

    assert [name for name in gallery.__all__ if f"gallery.{name}" not in page] == []
    assert (tmp_path / "architecture.svg").exists()
