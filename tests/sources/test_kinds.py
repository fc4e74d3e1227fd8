"""Kinds of source: ours, and those that another package adds by an entry point."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gallery.errors import SourceError
from gallery.sources.kinds import source_kind
from gallery.sources.resolve import resolve_model, resolve_tokenizer
from tests.support.galleries import make_gallery, run

Tiny = Callable[[str], Path]

PACKAGE = """
from pathlib import Path

from gallery.errors import SourceError
from gallery.sources.kinds import Fetched, SourceKind

SHELF = Path({shelf!r})


def fetch(name, root, weights):
    folder = SHELF / name.removeprefix("shelf:")
    if not folder.is_dir():
        raise SourceError(f"{{name}}: not on the shelf. Name one of: {{', '.join(sorted(p.name for p in SHELF.iterdir()))}}.")
    return Fetched(folder, f"{{name}}@1", (f"{{name}}: {{'weights' if weights else 'tokenizer'}} from the shelf.",))


SOURCE = SourceKind("shelf:name", lambda name, root: name.startswith("shelf:"), fetch)
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Give a function that installs a package of one module, with an entry point for each scheme given."""
    folder = tmp_path / "site-packages"
    monkeypatch.syspath_prepend(str(folder))

    def made(module: str, code: str, **schemes: str) -> Path:
        about = folder / f"{module}-1.0.dist-info"
        about.mkdir(parents=True)
        (folder / f"{module}.py").write_text(code, "utf-8")
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", "utf-8")
        lines = [f"{scheme} = {target}\n" for scheme, target in schemes.items()]
        (about / "entry_points.txt").write_text("[gallery.sources]\n" + "".join(lines), "utf-8")
        monkeypatch.delitem(sys.modules, module, raising=False)
        return folder

    return made


def test_each_name_has_one_kind(tmp_path: Path) -> None:
    (tmp_path / "org" / "name").mkdir(parents=True)
    forms = {name: source_kind(name, tmp_path).form for name in ("org/name", "org/other@v1", "wandb:ann/authors/bert:v1", ".")}
    assert forms == {
        "org/name": "a folder",
        "org/other@v1": "org/name@revision",
        "wandb:ann/authors/bert:v1": "wandb:entity/project/name:version",
        ".": "a folder",
    }
    with pytest.raises(SourceError) as refused:
        source_kind("no such thing", tmp_path)
    assert all(form in refused.value.message for form in forms.values())


def test_a_package_adds_a_kind_of_source(install: Callable[..., Path], tiny: Tiny, tmp_path: Path) -> None:
    model = tiny("bert")
    install("shelf_source", PACKAGE.format(shelf=str(model.parent)), shelf="shelf_source:SOURCE")
    source = resolve_model(f"shelf:{model.name}", Path())
    assert (source.resolved, source.folder) == (f"shelf:{model.name}@1", model)
    assert source.digest == resolve_model(str(model), Path()).digest
    assert source.notes == (f"shelf:{model.name}: weights from the shelf.",)
    assert resolve_tokenizer(f"shelf:{model.name}", Path()).notes == (f"shelf:{model.name}: tokenizer from the shelf.",)
    with pytest.raises(SourceError, match="shelf:none: not on the shelf"):
        resolve_model("shelf:none", Path())
    with pytest.raises(SourceError, match=r"or shelf:…\.$"):
        resolve_model("other:none", Path())


def test_a_gallery_is_explained_from_an_added_source(install: Callable[..., Path], tiny: Tiny, tmp_path: Path) -> None:
    model = tiny("bert")
    install("shelf_source", PACKAGE.format(shelf=str(model.parent)), shelf="shelf_source:SOURCE")
    config = make_gallery(tmp_path / "gallery", Path(f"shelf:{model.name}"))
    result = run(config, "explain", "--methods", "gradient_norm", "--random-orders", "0")
    assert result.exit_code == 0, result.output
    assert f"shelf:{model.name}: weights from the shelf." in result.output


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise RuntimeError('out of order')", "the package broken_source, which adds broken:, cannot be loaded: out of order"),
        ("SOURCE = 3", "broken_source:SOURCE of the package broken_source is no gallery.sources.kinds.SourceKind"),
    ],
)
def test_a_package_that_is_broken_is_named_and_harms_no_other_source(install: Callable[..., Path], tiny: Tiny, tmp_path: Path, code: str, says: str) -> None:
    install("broken_source", code, broken="broken_source:SOURCE")
    assert resolve_model(str(tiny("bert")), Path()).labels
    with pytest.raises(SourceError, match=says):
        resolve_model("broken:x", Path())


def test_other_packages_are_looked_at_for_unknown_schemes_alone(install: Callable[..., Path], tiny: Tiny) -> None:
    folder = install("loud_source", "print('imported')\nSOURCE = None", loud="loud_source:SOURCE", wandb="loud_source:SOURCE")
    program = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(folder)!r})
from gallery.sources.kinds import source_kind
print(source_kind({str(tiny("bert"))!r}, Path()).form, source_kind("wandb:a/b/c:v1", Path()).form)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout.split("\n")[0] == "a folder wandb:entity/project/name:version"
