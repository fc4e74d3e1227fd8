"""A build that could not read or explain passages keeps the last site; check and publish know of it."""

import shutil
from pathlib import Path

import pytest

from tests.support.galleries import contents, run

GOOD = "id,true_class,text\ntable-row,Чехов,Никто не ответил.\n"


def _gallery(built: Path, folder: Path) -> Path:
    return shutil.copytree(built.parent, folder / "gallery") / built.name


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        (GOOD.encode("cp1251"), "t.csv: 'utf-8' codec can't decode"),
        (GOOD.replace("Чехов", "Бунин").encode(), "t.csv: line 2: true_class: 'Бунин' is no class of the model."),
    ],
)
def test_a_table_that_cannot_be_used_leaves_the_site_and_is_known_to_check_and_publish(built: Path, tmp_path: Path, table: bytes, fault: str) -> None:
    config = _gallery(built, tmp_path)
    before = contents(config.parent / "site")
    config.write_text(config.read_text("utf-8") + "    passages: [site_src/passages, t.csv]\n", "utf-8")
    (config.parent / "t.csv").write_bytes(table)
    result = run(config)
    assert result.exit_code == 1
    assert result.output.count(fault) == 1
    assert "site: left as it was, since it would lack these passages. Mend them, or build without them: --incomplete." in result.output
    assert contents(config.parent / "site") == before
    for command in (["render"], ["check"], ["publish", "--dry-run"]):
        result = run(config, *command)
        assert result.exit_code == 1, command
        assert fault in result.output, command
    assert contents(config.parent / "site") == before
    result = run(config, "build", "--incomplete")
    assert result.exit_code == 0, result.output
    assert f"Warning: {fault}" in result.output
    assert "Site: 3 passages" in result.output
    assert run(config, "check").exit_code == 1
    result = run(config, "check", "--incomplete")
    assert (result.exit_code, fault in result.output) == (0, True), result.output


def test_passages_that_all_fail_are_not_called_explained_and_leave_the_site(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gallery.explain.local

    def fail(*arguments: object) -> object:
        raise RuntimeError("the model is at fault")

    config = _gallery(built, tmp_path)
    shutil.rmtree(config.parent / "store")
    monkeypatch.setattr(gallery.explain.local, "explain", fail)
    before = contents(config.parent / "site")
    result = run(config)
    assert result.exit_code == 1
    assert "0 of 3 passages explained; 3 could not be." in result.output
    assert result.output.count("the model is at fault") == 1
    assert "The same with 2 more: old-yorick, white-wall." in result.output
    assert contents(config.parent / "site") == before
    shutil.rmtree(config.parent / "site")
    result = run(config)
    assert result.exit_code == 1
    assert "site: not written, since no passage was explained." in result.output
    assert not (config.parent / "site").exists()


def test_a_gallery_without_passages_is_an_error_and_not_an_empty_site(built: Path, tmp_path: Path) -> None:
    config = _gallery(built, tmp_path)
    for path in (config.parent / "site_src" / "passages").glob("*.md"):
        path.unlink()
    before = contents(config.parent / "site")
    for command in (["build"], ["explain"], ["build", "--plan"]):
        result = run(config, *command)
        assert result.exit_code == 1
        assert "extra.gallery.passages: site_src/passages: no passages. Put a Markdown file there for each, or name a table of them." in result.output
    assert contents(config.parent / "site") == before


def test_a_site_without_a_front_page_is_not_put_in_place(built: Path, tmp_path: Path) -> None:
    config = _gallery(built, tmp_path)
    before = contents(config.parent / "site")
    config.write_text(config.read_text("utf-8") + "exclude_docs: /index.md\n", "utf-8")
    result = run(config, "render")
    assert result.exit_code == 1
    assert "index.md: missing, so the site would have no front page." in result.output
    assert contents(config.parent / "site") == before


def test_a_part_of_the_gallery_that_is_missing_is_not_called_want_of_room(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gallery.site.build.site

    def missing(*arguments: object) -> object:
        raise FileNotFoundError(2, "No such file or directory", "shell/index.html")

    monkeypatch.setattr(gallery.site.build.site, "copy_shells", missing)
    result = run(_gallery(built, tmp_path), "render")
    assert result.exit_code == 1
    assert "Error: shell/index.html: No such file or directory. It was taken away during the build" in result.output
    assert "room" not in result.output
