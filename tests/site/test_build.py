"""The whole way, from passages to a site, with real tiny models."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gallery.store.entries import Store
from gallery.store.manifest import EntryName, read_rows
from gallery.store.records import Attribution, Prediction
from tests.support.galleries import TEXTS, contents, make_gallery, run
from tests.support.models import ARCHITECTURES

Tiny = Callable[[str], Path]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def own(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built.parent, tmp_path / "own")
    return tmp_path / "own" / "mkdocs.yml"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_goes_from_passages_to_pages(architecture: str, tiny: Tiny, tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tiny(architecture))
    result = run(config)
    assert result.exit_code == 0, result.output
    store = Store(tmp_path / "store")
    rows = list(read_rows(store))
    assert {row.id for row in rows} == set(TEXTS)
    for row in rows:
        prediction = store.read("prediction", row.entries[EntryName("prediction")])
        assert isinstance(prediction, Prediction)
        assert prediction.probabilities.sum() == pytest.approx(1)
        assert "".join(prediction.word_texts()) == "".join(prediction.text[: prediction.cut].split())
        records = [store.read(name.kind, key) for name, key in row.entries.items()]
        found = [record for record in records if isinstance(record, Attribution) and record.method == "integrated_gradients"]
        assert {attribution.target for attribution in found} == {row.true_class, prediction.ranking[0]}, "the runner-up is left to quicker methods"
        quick = [record.target for record in records if isinstance(record, Attribution) and record.method == "gradient_x_input"]
        assert sorted(quick) == sorted(row.targets)
        for attribution in found:
            assert attribution.baseline_value is not None
            assert attribution.delta is not None
            change = attribution.output_value - attribution.baseline_value
            assert attribution.tokens.sum() - attribution.delta == pytest.approx(change, abs=1e-4)
            specials = attribution.tokens[prediction.special].sum()
            assert attribution.words.sum() + specials == pytest.approx(attribution.tokens.sum(), abs=1e-9)
        page = (tmp_path / "site" / "passages" / row.id / "index.html").read_text("utf-8")
        assert row.title in page
        scripted = re.sub(r"<noscript>.*?</noscript>", "", page, flags=re.DOTALL)  # a page without scripts shows other views besides
        assert len(re.findall(r'<span class="w[ "]', scripted)) == len(prediction.words)


def test_the_site_has_a_page_for_every_passage_author_and_kind(built: Path) -> None:
    site = built.parent / "site"
    authors = [f"authors/{slug}/" for slug in ("tolstoy", "chekhov", "gogol")]
    for address in ("", "authors/", "how-to-read/", "model/", *authors, *(f"passages/{ident}/" for ident in TEXTS)):
        assert (site / address / "index.html").is_file(), address
    assert not list(site.rglob("shell"))
    everything = "".join(path.read_text("utf-8") for path in site.rglob("*.html"))
    assert "gallery-slot" not in everything
    assert "<!-- gallery:" not in everything


def test_a_second_build_explains_nothing_says_so_and_gives_the_same_bytes(own: Path) -> None:
    site, store = contents(own.parent / "site"), contents(own.parent / "store")
    result = run(own)
    assert "Nothing to explain" in result.output
    assert contents(own.parent / "site") == site
    assert contents(own.parent / "store") == store


def test_one_new_passage_is_the_only_one_explained(own: Path) -> None:
    (own.parent / "site_src" / "passages" / "new.md").write_text("---\ntrue_class: 1\ntitle: Новый\n---\nДругой текст.\n", "utf-8")
    result = run(own)
    assert "1 of 4 passages explained" in result.output


def test_other_steps_recompute_attributions_and_their_trials_alone(own: Path) -> None:
    before = set(Store(own.parent / "store").entries())
    assert run(own, "explain", "--n-steps", "9").exit_code == 0
    fresh = set(Store(own.parent / "store").entries()) - before
    assert {kind for kind, _ in fresh} == {"attribution", "faithfulness", "flip", "verification"}  # the random orders depend on no method


def test_a_changed_title_explains_nothing_and_shows(own: Path) -> None:
    path = own.parent / "site_src" / "passages" / "white-wall.md"
    path.write_text(path.read_text("utf-8").replace("Белая стена", "Чёрная стена"), "utf-8")
    assert "Nothing to explain" in run(own).output
    assert "Чёрная стена" in (own.parent / "site" / "passages" / "white-wall" / "index.html").read_text("utf-8")


def test_a_damaged_entry_is_reported_and_computed_again(own: Path) -> None:
    site = contents(own.parent / "site")
    victim = next((own.parent / "store" / "attribution").rglob("*.safetensors"))
    victim.write_bytes(victim.read_bytes()[:-7])
    shutil.rmtree(own.parent / "build")  # what has been rendered from it while it was sound stays as good as it was
    refused = run(own, "render")
    assert refused.exit_code == 1
    assert victim.stem in refused.output
    result = run(own)
    assert result.exit_code == 0
    assert victim.stem in result.output
    assert contents(own.parent / "site") == site


def test_render_needs_no_torch_and_gives_the_same_bytes(own: Path) -> None:
    """The render half runs in a Python in which torch, transformers and the rest cannot be imported."""
    site = contents(own.parent / "site")
    shutil.rmtree(own.parent / "site")
    script = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'captum', 'bertviz', 'wandb', 'mpld3', 'tokenizers', 'regex'): sys.modules[name] = None\n"
        "from gallery.cli import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", script, "render"], cwd=own.parent, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert contents(own.parent / "site") == site


def test_labels_give_numbers_their_names(tiny: Tiny, tmp_path: Path) -> None:
    from tests.support.models import save_tiny_classifier

    model = save_tiny_classifier(tmp_path / "numbered", labels=("LABEL_0", "LABEL_1", "LABEL_2"))
    config = make_gallery(tmp_path / "g", model, settings="    labels: {0: Толстой, 1: Чехов, 2: Гоголь}\n")
    assert run(config).exit_code == 0
    data = json.loads((tmp_path / "g" / "site" / "data" / "white-wall" / "explanation.json").read_text("utf-8"))
    assert data["true_class"] == "Чехов"
    assert set(data["probabilities"]) == {"Толстой", "Чехов", "Гоголь"}


def test_a_text_over_the_limit_is_cut_where_the_reader_sees_it(tiny: Tiny, tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tiny("bert"))
    path = tmp_path / "site_src" / "passages" / "white-wall.md"
    path.write_text(path.read_text("utf-8").rstrip() + " Дорога." * 60 + " Последнее слово.\n", "utf-8")
    assert run(config).exit_code == 0
    page = (tmp_path / "site" / "passages" / "white-wall" / "index.html").read_text("utf-8")
    seen, _, rest = page.partition("g-unread")
    assert "Последнее слово." in rest
    assert "Последнее слово." not in seen


@pytest.mark.gpu
def test_cuda_gives_the_cpus_answers(tiny: Tiny, tmp_path: Path) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    sums = {}
    for device in ("cpu", "cuda"):
        config = make_gallery(tmp_path / device, tiny("bert"))
        assert run(config, "explain", "--device", device).exit_code == 0
        store = Store(tmp_path / device / "store")
        sums[device] = [float(r.words.sum()) for kind, key in store.entries() if isinstance(r := store.read(kind, key), Attribution)]
    assert sums["cuda"] == pytest.approx(sums["cpu"], abs=1e-4)
