"""The order of the work: a first site as soon as every page can be read, a last one with the bytes of a build in one go."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gallery.config import Settings, load_settings
from gallery.explain import in_stages
from gallery.explain.plan import explained_by
from gallery.explain.stages import Follow, first_methods
from gallery.halves import explain_passages, render_site
from gallery.methods import method_of
from tests.support.galleries import contents, make_gallery, run

Tiny = Callable[[str], Path]


class Killed(BaseException):
    """Ends a run where nothing may catch it."""


@pytest.fixture(scope="module")
def in_one_go(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a gallery that was built in one go."""
    config = make_gallery(tmp_path_factory.mktemp("whole"), tiny("bert"))
    result = run(config, "build", "--in-one-go")
    assert result.exit_code == 0, result.output
    return config


@pytest.fixture
def fresh(in_one_go: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the same gallery before it is built; a first site is worth it however little time it saves."""
    monkeypatch.setattr(in_stages, "_BRIEF", 0.0)
    shutil.copytree(in_one_go.parent, tmp_path / "fresh", ignore=shutil.ignore_patterns("store", "build", "site"))
    return tmp_path / "fresh" / in_one_go.name


def test_a_killed_build_leaves_a_readable_site_that_says_what_it_lacks_and_ends_with_the_same_bytes(fresh: Path, in_one_go: Path) -> None:
    settings, site = load_settings(fresh), fresh.parent / "site"

    def readable() -> None:
        assert render_site(settings, fresh) == []

    seconds = []

    def working(title: str, line: str) -> None:
        seconds.extend([title] if line.startswith("2/3") else [])
        if len(seconds) == 2:  # the second passage of the second stage
            raise Killed

    with pytest.raises(Killed):
        explain_passages(settings, fresh, follow=Follow(readable, working=working))
    for ident in ("white-wall", "old-yorick", "dusty-road"):
        page = (site / "passages" / ident / "index.html").read_text("utf-8")
        assert 'class="w for8"' in page or 'class="w against8"' in page, "the strongest word is shaded"
        assert "Ещё считаются:</strong> integrated gradients" in page.replace("интегрированные градиенты", "integrated gradients")
        assert "Нужны ли модели эти слова, ещё считается." in page
    assert "проверки объяснений" in (site / "index.html").read_text("utf-8")
    checked = run(fresh, "check")
    assert checked.exit_code == 1, "an unfinished site is not published"
    assert re.search("not everything is computed yet: .*attribution/integrated_gradients.*, chance", checked.output)
    planned = run(fresh, "build", "--plan")
    assert "not finished last time" in planned.output
    assert "another class" not in planned.output

    result = run(fresh)
    assert result.exit_code == 0, result.output
    assert contents(site) == contents(in_one_go.parent / "site")
    assert contents(fresh.parent / "store") == contents(in_one_go.parent / "store")
    assert run(fresh, "check").exit_code == 0


def test_a_build_puts_a_first_site_in_place_and_then_the_last(fresh: Path, in_one_go: Path) -> None:
    result = run(fresh)
    assert result.exit_code == 0, result.output
    assert result.output.count("A first site is in place") == 1
    assert "3 of 3 passages explained." in result.output
    assert contents(fresh.parent / "site") == contents(in_one_go.parent / "site")


def test_a_finished_site_never_loses_methods_for_one_new_passage(fresh: Path, in_one_go: Path) -> None:
    assert run(fresh, "build", "--in-one-go").exit_code == 0
    (fresh.parent / "site_src" / "passages" / "new.md").write_text("---\nid: new\ntrue_class: 1\ntitle: Новый\n---\nДругой текст.\n", "utf-8")
    result = run(fresh)
    assert result.exit_code == 0, result.output
    assert "first site" not in result.output


def test_the_first_page_opens_with_the_first_method_that_takes_a_few_passes() -> None:
    assert method_of(first_methods(Settings().methods)[0]).backward == "T"
    assert first_methods(("occlusion", "lime")) == ("occlusion",)
    assert first_methods(()) == ()


@pytest.mark.parametrize(
    ("methods", "method", "classes"),
    [
        (("integrated_gradients", "gradient_x_input"), "integrated_gradients", [4, 7]),
        (("integrated_gradients", "gradient_x_input"), "gradient_x_input", [4, 7, 2]),
        (("integrated_gradients",), "integrated_gradients", [4, 7, 2]),
        (("occlusion", "gradient_x_input"), "occlusion", [4, 7, 2]),
    ],
)
def test_the_runner_up_is_left_to_a_quick_method_where_each_class_costs_many_passes(methods: tuple[str, ...], method: str, classes: list[int]) -> None:
    """The true class is 4, the model says 7, the runner-up is 2."""
    assert explained_by(method, methods, [4, 7, 2], [4, 7]) == classes
