"""What `--plan` says: what would be done, why, and for how long; and that it does nothing."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gallery import methods
from gallery.config import Settings
from gallery.explain.plan import sanity_parameters
from gallery.store.entries import Store
from gallery.store.manifest import read_rows
from gallery.store.timings import Group, Spent, Timings, size_of
from tests.support.galleries import contents, make_gallery, run
from tests.support.models import save_tiny_classifier

Tiny = Callable[[str], Path]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def own(explained: Path, tmp_path: Path) -> Path:
    shutil.copytree(explained.parent, tmp_path / "own")
    return tmp_path / "own" / "mkdocs.yml"


def planned(config: Path, *options: str) -> str:
    """What --plan says; it must not have changed a file."""
    before = contents(config.parent)
    result = run(config, "build", "--plan", *options)
    assert result.exit_code == 0, result.output
    assert contents(config.parent) == before
    return result.output


def test_nothing_to_do_is_said(own: Path) -> None:
    assert "Nothing to explain: all 3 passages" in planned(own)


def test_a_tokenizer_of_which_more_files_count_now_says_so(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gallery.sources import resolve

    model = shutil.copytree(tiny("bert"), tmp_path / "model")
    (model / "spm.model").write_bytes(b"pieces")
    config = make_gallery(tmp_path / "g", model, settings="    bertviz_tokens: 0\n    random_orders: 0\n    methods: [gradient_norm]\n")
    with monkeypatch.context() as patch:
        patch.setattr(resolve, "tokenizer_files", lambda folder: [folder / "tokenizer.json", folder / "tokenizer_config.json"])
        assert run(config, "explain").exit_code == 0
    assert "3  tokenizer: all files of its folder count now" in planned(config)
    (model / "tokenizer_config.json").write_text((model / "tokenizer_config.json").read_text("utf-8") + "\n", "utf-8")
    said = planned(config)
    assert "3  tokenizer\n" in said


def test_a_plan_before_the_first_build_makes_no_store_and_promises_no_time(tiny: Tiny, tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tiny("bert"))
    said = planned(config)
    assert "3 of 3 passages to explain; how long it takes is not known" in said
    assert "3  new passage" in said
    assert not (tmp_path / "store").exists()


def test_a_new_passage_and_an_edited_one_are_told_apart(own: Path) -> None:
    folder = own.parent / "site_src" / "passages"
    (folder / "new.md").write_text("---\ntrue_class: 1\ntitle: Новый\n---\nДругой текст.\n", "utf-8")
    (folder / "white-wall.md").write_text((folder / "white-wall.md").read_text("utf-8").replace("поздно", "рано"), "utf-8")
    said = planned(own)
    assert "2 of 4 passages to explain, about" in said
    assert "new: new passage" in said
    assert "white-wall: text edited" in said
    assert "old-yorick" not in said


@pytest.mark.parametrize(
    ("options", "why", "parts"),
    [
        (("--n-steps", "9"), "n_steps: 8 → 9", {"attribution/integrated_gradients", "faithfulness/integrated_gradients", "flip/integrated_gradients"}),
        (("--random-orders", "3"), "random_orders: 5 → 3", {"chance", "flip/integrated_gradients"}),
        (("--attention-precision", "exact"), "precision: int8 → exact", {"attention"}),
        (("--bertviz-tokens", "16"), "bertviz_tokens: 32 → 16", {"bertviz"}),
        (
            ("--methods", "integrated_gradients", "--methods", "gradient_x_input", "--methods", "occlusion"),
            "new method: occlusion",
            {"attribution/occlusion", "faithfulness/occlusion", "faithfulness/gradient_x_input"},
        ),
        (
            ("--methods", "integrated_gradients", "--methods", "gradient_x_input"),
            "put to the test: gradient_x_input",
            {"faithfulness/gradient_x_input"},
        ),
        (("--dtype", "bfloat16"), "dtype: float32 → bfloat16", None),
    ],
)
def test_a_changed_setting_is_the_reason_and_only_what_depends_on_it_is_done(own: Path, options: tuple[str, ...], why: str, parts: set[str] | None) -> None:
    said = planned(own, *options)
    assert f"         3  {why}\n" in said
    if parts is not None:
        rows = [line.split() for line in said.split("part\n")[1].split("\n\n")[0].splitlines()]
        assert {row[-1] for row in rows} == parts


def test_another_rule_for_the_points_of_a_path_is_the_reason(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own.write_text(own.read_text("utf-8").replace("n_steps: 8", "methods: [integrated_gradients]"), "utf-8")
    assert run(own, "explain").exit_code == 0
    declared = methods.method_of("integrated_gradients")
    newer = replace(declared, version=declared.version + 1)
    monkeypatch.setitem(methods._own(), newer.name, newer)
    assert f"rule: {declared.version} → {newer.version}" in planned(own)
    own.write_text(own.read_text("utf-8").replace("methods: [integrated_gradients]", "n_steps: 8"), "utf-8")
    assert "Nothing to explain" in planned(own)
    assert "rule" not in sanity_parameters(Settings(), "integrated_gradients")  # its points are counted beforehand


def test_another_model_or_tokenizer_is_the_reason(own: Path, tmp_path: Path) -> None:
    save_tiny_classifier(tmp_path / "other", seed=1)
    said = planned(own, "--model", str(tmp_path / "other"))
    assert "         3  model\n" in said
    tokenizer = tmp_path / "other" / "tokenizer_config.json"
    tokenizer.write_text(json.dumps({**json.loads(tokenizer.read_text("utf-8")), "extra": 1}), "utf-8")
    said = planned(own, "--tokenizer", str(tmp_path / "other"))
    assert "         3  tokenizer\n" in said


def test_another_true_class_is_the_reason(own: Path) -> None:
    row = next(row for row in read_rows(Store(own.parent / "store")) if len(row.targets) < 3)
    path = own.parent / "site_src" / "passages" / f"{row.id}.md"
    other = next(number for number in range(3) if number not in row.targets)
    path.write_text(re.sub("true_class: .*", f"true_class: {other}", path.read_text("utf-8")), "utf-8")
    assert f"{row.id}: another class is explained" in planned(own)


def test_a_damaged_entry_is_named_and_stays_where_it_is(own: Path) -> None:
    victim = next((own.parent / "store" / "attention").rglob("*.safetensors"))
    victim.write_bytes(victim.read_bytes()[:-7])
    said = planned(own)
    assert "attention: damaged; it would be set aside" in said
    assert "1  lost or damaged in the store" in said
    assert victim.is_file()


def test_the_plan_is_what_the_build_then_does(own: Path) -> None:
    (own.parent / "site_src" / "passages" / "new.md").write_text("---\ntrue_class: 1\ntitle: Новый\n---\nДругой текст.\n", "utf-8")
    log = own.parent.parent / "log.jsonl"
    assert run(own, "explain", "--plan", "--log-json", str(log)).exit_code == 0
    assert run(own, "explain", "--log-json", str(log)).exit_code == 0
    plan, start, passage, end = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [plan["event"], start["event"], passage["event"], end["event"]] == ["plan", "start", "passage", "end"]
    assert (plan["pending"], plan["reasons"]) == (1, {"new passage": 1})
    assert plan["estimate_s"] > 0
    assert start["parts"] == plan["parts"]
    assert (passage["id"], passage["done"], passage["of"], passage["left_s"]) == ("new", 1, 1, 0)
    assert (end["explained"], end["problems"]) == (1, 0)


def test_a_plan_needs_no_torch(own: Path) -> None:
    script = (
        "import sys\nfor name in ('torch', 'transformers', 'captum', 'bertviz', 'tokenizers'): sys.modules[name] = None\nfrom gallery.cli import main\nmain()"
    )
    command = [sys.executable, "-c", script, "--plan", "-f", str(own), "--n-steps", "20"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "n_steps: 8 → 20" in done.stdout


def test_time_is_judged_by_length_device_and_settings() -> None:
    timings = Timings(device="gpu")
    for device, settings, characters, seconds in (("gpu", "a", 1000, 2.0), ("gpu", "b", 1000, 9.0), ("gpu", "a", 100, 0.5), ("cpu", "a", 1000, 70.0)):
        timings.add(Group("faithfulness", settings, device, size_of(characters)), Spent(2, 2 * characters, 2 * seconds))
    assert timings.estimate("faithfulness", "a", 1000) == 2.0
    assert timings.estimate("faithfulness", "a", 100) == 0.5
    assert timings.estimate("faithfulness", "a", 3000) == 6.0
    assert timings.estimate("faithfulness", "never seen", 1000) == 5.5
    assert timings.estimate("attention", "a", 1000) is None


def test_damaged_timings_cost_the_estimate_and_nothing_else(own: Path) -> None:
    (own.parent / "store" / "timings.json").write_text("{", "utf-8")
    assert "how long it takes is not known" in planned(own, "--n-steps", "9")
    assert run(own, "explain", "--n-steps", "9").exit_code == 0
    assert "Nothing" in planned(own, "--n-steps", "9")


def test_stats_tell_what_the_store_holds(own: Path) -> None:
    found = json.loads(run(own, "stats", "--json").output)
    files = list((own.parent / "store").rglob("*.safetensors"))
    assert found["passages"] == 3
    assert sum(kind["entries"] for kind in found["kinds"].values()) == len(files)
    assert sum(kind["bytes"] for kind in found["kinds"].values()) == sum(path.stat().st_size for path in files)
    assert found["unused"] == 0
    assert found["parts"]["faithfulness/integrated_gradients"]["entries"] == 3
    converged = found["methods"]["integrated_gradients"]
    names = [name for row in read_rows(Store(own.parent / "store")) for name in row.entries]
    assert converged["yes"] + converged["no"] == sum((name.kind, name.method) == ("attribution", "integrated_gradients") for name in names)
    assert run(own, "explain", "--n-steps", "2").exit_code == 0
    said = run(own, "stats").output
    assert "3 passages explained by" in said
    assert "entries are not needed by these passages" in said


def test_stats_of_no_store_say_what_to_run(own: Path) -> None:
    result = run(own, "stats", "--store", "elsewhere")
    assert result.exit_code == 1
    assert "python build.py explain" in result.output
