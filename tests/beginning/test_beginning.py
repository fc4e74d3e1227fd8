"""`gallery new`: what it finds in a model and passages, and what it writes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from gallery import __version__
from gallery.cli import main
from gallery.config import load_settings
from tests.support.galleries import contents, make_gallery, run

Tiny = Callable[[str], Path]
ROOT = Path(__file__).parents[2]
TABLE = "id,true_class,title,text\nshort,Чехов,Короткий,Никто не ответил.\nlong,2,Длинный,Он вошёл и поклонился и сел у окна и долго смотрел.\n"


def _new(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["new", str(folder), *options])


def test_samples_are_of_the_models_own_classes_and_the_gallery_builds(tiny: Tiny, tmp_path: Path) -> None:
    result = _new(tmp_path / "my-texts", "--model", str(tiny("bert")), "--language", "en")
    assert result.exit_code == 0, result.output
    assert "BertForSequenceClassification, 3 layers of 4 heads, longest input 64 tokens" in result.output
    assert "Classes: 3: Толстой, Чехов, Гоголь." in result.output
    folder = tmp_path / "my-texts"
    assert {"mkdocs.yml", "README.md", ".gitignore", ".github/workflows/publish.yml", "site_src/passages/sample-1.md"} <= contents(folder).keys()
    settings = load_settings(folder / "mkdocs.yml")
    assert not Path(settings.model).is_absolute()
    assert (folder / settings.model / "config.json").is_file()
    workflow = (folder / ".github" / "workflows" / "publish.yml").read_text("utf-8")
    assert "${{ github.token }}" in workflow
    steps = yaml.safe_load(workflow)["jobs"]["render"]["steps"]
    assert next(step["run"] for step in steps if "run" in step) == f'pip install "explanation-gallery=={__version__}"'
    planned = run(folder / "mkdocs.yml", "build", "--plan")
    assert planned.exit_code == 0, planned.output
    assert "3 of 3 passages to explain" in planned.output


def test_a_table_is_looked_into_and_copied(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text(TABLE + "odd,Пушкин,Чужой,Чужой текст.\n", "utf-8")
    result = _new(tmp_path / "own", "--model", str(tiny("bert")), "--passages", str(tmp_path / "texts.csv"), "--name", "Чьи: слова?", "--language", "ru")
    assert result.exit_code == 0, result.output
    assert "Columns of texts.csv: id, true_class, title, text." in result.output
    assert "words in a passage: 2 (odd) to 11 (long)" in result.output
    assert "Problem: texts.csv: line 4: true_class: 'Пушкин' is no class of the model" in result.output
    values = yaml.safe_load((tmp_path / "own" / "mkdocs.yml").read_text("utf-8"))
    assert values["site_name"] == "Чьи: слова?"
    assert values["theme"]["language"] == "ru"
    assert values["extra"]["gallery"]["passages"] == ["texts.csv"]
    assert (tmp_path / "own" / "texts.csv").read_bytes() == (tmp_path / "texts.csv").read_bytes()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--passages", "none.csv"], "none.csv: no such file or folder"),
        (["--passages", "mkdocs.yml"], "mkdocs.yml: not a table"),
        (["--passages", "empty"], "no Markdown files"),
        (["--passages", "wrong.csv"], "No passage could be used, so nothing was written"),
        (["--model", "absent"], "absent"),
    ],
)
def test_wrong_input_writes_nothing(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mkdocs.yml").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "wrong.csv").write_text("id,true_class,title,text\nodd,Пушкин,Чужой,Чужой текст.\n", "utf-8")
    before = contents(tmp_path)
    result = _new(Path("own"), *(["--model", str(tiny("bert"))] if "--model" not in options else []), *options)
    assert result.exit_code == 1, result.output
    assert said in result.output
    assert "Traceback" not in result.output
    assert contents(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} == {"mkdocs.yml", "empty", "wrong.csv"}


def test_a_folder_that_holds_something_is_left_alone(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", "utf-8")
    result = _new(tmp_path, "--model", str(tiny("bert")))
    assert result.exit_code == 1
    assert "not empty" in result.output
    assert contents(tmp_path) == {"mine.txt": b"mine"}
    assert _new(tmp_path / "fresh").exit_code == 2, "without a model and without anybody to ask"


def test_the_demo_takes_three_passages_of_the_clone(tmp_path: Path) -> None:
    result = _new(tmp_path / "demo", "--demo")
    assert result.exit_code == 0, result.output
    passages = tmp_path / "demo" / "site_src" / "passages"
    assert {path.name: path.read_bytes() for path in passages.iterdir()} == {
        name: (ROOT / "site_src" / "passages" / name).read_bytes() for name in ("chekhov-station-buffet.md", "gogol-chimney.md", "tolstoy-well.md")
    }
    result = _new(tmp_path / "other", "--demo", "--clone", str(tmp_path))
    assert result.exit_code == 1
    assert "--demo --clone CLONE" in result.output


def test_a_check_before_anything_is_explained_tells_what_is_wrong(tiny: Tiny, tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tiny("bert"))
    checked = run(config, "check")
    assert checked.exit_code == 0, checked.output
    assert "Passages: 3 of 3 classes" in checked.output
    (tmp_path / "site_src" / "passages" / "odd.md").write_text("---\nid: odd\ntrue_class: Пушкин\ntitle: x\n---\nТекст.\n", "utf-8")
    checked = run(config, "check")
    assert checked.exit_code == 1
    assert "'Пушкин' is no class of the model" in checked.output
