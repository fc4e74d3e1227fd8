"""The page on reliability shows the figures that the fault programs wrote, and no others."""

import json
from pathlib import Path

import pytest

from gallery.errors import SiteError
from gallery.site.pages.reliability import FIGURES, KEYS, reliability_page

ROOT = Path(__file__).parents[2]


def test_the_table_is_made_of_the_figures(tmp_path: Path) -> None:
    (tmp_path / FIGURES).write_text(json.dumps(dict(zip(KEYS, range(101, 109), strict=True))), "utf-8")
    table = str(reliability_page("en", tmp_path).slots["reliability"])
    for figure in range(101, 109):
        assert f">{figure}" in table
    (tmp_path / FIGURES).write_text('{"kills": 3, "kills_survived": 2}', "utf-8")
    table = str(reliability_page("en", tmp_path).slots["reliability"])
    assert table.count("not tried yet") == 3


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


def test_the_demo_gallery_carries_figures_of_a_real_run_without_losses() -> None:
    found = json.loads((ROOT / "site_src" / FIGURES).read_text("utf-8"))
    assert set(found) == set(KEYS)
    assert found["kills"] == found["kills_survived"] >= 100
    assert found["damages"] == found["damages_found"] >= 100
    assert found["strings"] >= 300
    assert found["strings_executed"] == 0
    assert found["fuzz_inputs"] >= 1_000_000
    assert found["fuzz_crashes"] == 0
