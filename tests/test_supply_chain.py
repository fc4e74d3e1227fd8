"""What the workflows install and run is pinned, and agrees with what the tests run on."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
REQUIREMENTS = (ROOT / ".github" / "publish-requirements.txt").read_text("utf-8")


def _pins(text: str) -> dict[str, str]:
    return {name.lower().replace("_", "-"): version for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE)}


def test_every_package_that_publishes_is_pinned_by_hash_to_the_tested_version() -> None:
    pinned, tested = _pins(REQUIREMENTS), _pins((ROOT / "constraints.txt").read_text("utf-8"))
    assert {name: version for name, version in pinned.items() if tested.get(name, version) != version} == {}
    core = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    needed = {re.split(r"[\[><=~ ]", name)[0].lower() for name in core}
    assert needed - pinned.keys() == set(), "run the command at the top of publish-requirements.txt again"
    for block in re.split(r"\n(?=\S)", REQUIREMENTS):
        assert block.startswith("#") or "--hash=sha256:" in block, block
    assert "http" not in REQUIREMENTS


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_and_jobs_may_do_little(path: Path) -> None:
    text = path.read_text("utf-8")
    assert re.findall(r"uses: (?!\S+@[0-9a-f]{40} # v)\S+", text) == []
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for job in workflow["jobs"].values():
        writes = {scope for scope, level in job.get("permissions", {}).items() if level == "write"}
        assert writes <= {"pages", "id-token"}
        assert not writes or not any("run" in step for step in job["steps"]), "a job that may write runs nothing of ours"
    assert "${{ inputs." not in "".join(step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]), "input in a shell line"
