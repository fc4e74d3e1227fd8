"""The page on reliability shows the figures that the fault programs wrote, and no others."""

import json
import re
import sys
from pathlib import Path

import pytest

from gallery.errors import SiteError
from gallery.site.pages.reliability import FIGURES, KEYS, reliability_page
from tests.faults import __main__ as faults
from tests.faults.damage import DAMAGE
from tests.faults.strings import strings

ROOT = Path(__file__).parents[2]


def _rows(folder: Path) -> dict[str, list[str]]:
    """Return what the table says was tried and came out, by the program that did it."""
    table = str(reliability_page("en", folder).slots["reliability"])
    cells = [[re.sub("<[^>]+>", "", cell) for cell in re.findall(r"<td.*?</td>", row)] for row in table.split("<tr>")]
    return {row[-1].removeprefix("python -m tests.faults."): row[1:-1] for row in cells if row}


def test_each_figure_stands_in_the_row_of_its_program(tmp_path: Path) -> None:
    (tmp_path / FIGURES).write_text(json.dumps(dict(zip(KEYS, range(101, 109), strict=True))), "utf-8")
    assert _rows(tmp_path) == {
        "kills": ["101", "102 ended with the same bytes when run again"],
        "damage": ["103", "104 named, set aside, computed again"],
        "strings": ["105", "106 ran"],
        "fuzz": ["107", "108 crashed a reader"],
    }


def test_a_program_that_has_not_run_has_no_figures(tmp_path: Path) -> None:
    assert set(map(tuple, _rows(tmp_path).values())) == {("—", "not tried yet")}
    (tmp_path / FIGURES).write_text('{"kills": 3, "kills_survived": 2, "damages": 4}', "utf-8")
    rows = _rows(tmp_path)
    assert rows.pop("kills") == ["3", "2 ended with the same bytes when run again"]
    assert set(map(tuple, rows.values())) == {("—", "not tried yet")}, "one figure of two says nothing"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"kills": "many"}', "kills must be a whole number, not 'many'"),
        ('{"kills": 1.5}', "kills must be a whole number, not 1.5"),
        ('{"fuzz_inputs": null}', "fuzz_inputs must be a whole number, not nothing"),
        ("[1, 2]", "must be a JSON object, not a list"),
        ('{"kills": 1', "not readable as JSON"),
        ("\udcff", "not readable as JSON"),
        ("[" * 100_000, "not readable as JSON"),
    ],
)
def test_figures_that_are_none_are_one_message(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / FIGURES).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(SiteError) as raised:
        reliability_page("en", tmp_path)
    message = raised.value.format_message()
    assert message.startswith(f"{tmp_path / FIGURES}: ")
    assert problem in message
    assert message.endswith("Run: python -m tests.faults, or remove the file.")
    assert "\n" not in message


def test_the_programs_figures_replace_their_own_and_leave_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / FIGURES
    place.write_text('{"kills": 1, "kills_survived": 1, "strings": 7, "strings_executed": 0}', "utf-8")
    (tmp_path / "kills.json").write_text('{"kills": 30, "kills_survived": 29, "seed": 9, "failures": ["push: the tree differs"]}', "utf-8")
    monkeypatch.setattr(faults, "PLACE", place)
    monkeypatch.setattr(sys, "argv", ["faults", "--take", str(tmp_path / "kills.json")])
    faults.main()
    assert json.loads(place.read_text("utf-8")) == {"kills": 30, "kills_survived": 29, "strings": 7, "strings_executed": 0}
    assert _rows(tmp_path)["kills"] == ["30", "29 ended with the same bytes when run again"]


def test_the_demo_gallery_shows_a_whole_run_without_losses() -> None:
    """As many faults as the programs make today: figures of an earlier list of strings, or of a shorter run, must be measured again."""
    figures = json.loads((ROOT / "gallery" / "documents" / FIGURES).read_text("utf-8"))
    assert figures["kills"] == figures["kills_survived"] == int(faults.PROGRAMS["kills"][1])
    assert figures["damages"] == figures["damages_found"] > 0
    assert figures["damages"] % len(DAMAGE) == 0, "every kind of damage to every file"
    assert figures["strings"] == len(strings())
    assert figures["fuzz_inputs"] == int(faults.PROGRAMS["fuzz"][1])
    assert figures["strings_executed"] == figures["fuzz_crashes"] == 0
