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
    (tmp_path / FIGURES).write_text('{"kills": "many"}', "utf-8")
    with pytest.raises(SiteError, match=r"reliability\.json"):
        reliability_page("en", tmp_path)


def test_the_demo_gallery_carries_figures_of_a_real_run_without_losses() -> None:
    found = json.loads((ROOT / "site_src" / FIGURES).read_text("utf-8"))
    assert set(found) == set(KEYS)
    assert found["kills"] == found["kills_survived"] >= 100
    assert found["damages"] == found["damages_found"] >= 100
    assert found["strings"] >= 300
    assert found["strings_executed"] == 0
    assert found["fuzz_inputs"] >= 1_000_000
    assert found["fuzz_crashes"] == 0
