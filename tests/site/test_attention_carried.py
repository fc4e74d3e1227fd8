"""How much of attention the site carries, by settings and by choice, and what the pages say of the rest."""

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gallery.attention.capture import attend
from gallery.attention.encoding import Reader, attention_files
from gallery.attention.picture import CELL, draw_heads, reduced, shades_of
from gallery.config import AttentionSettings, load_settings
from gallery.site.build import fitting, rendering
from gallery.site.build.fitting import fit
from gallery.site.build.site import jobs_of, site_input_of
from gallery.site.pages.attention_carried import Carried, carried_files
from gallery.store.entries import Store
from gallery.store.manifest import EntryName
from tests.support.classifiers import load
from tests.support.galleries import run
from tests.support.models import SENTENCES

Tiny = Callable[[str], Path]


@pytest.mark.parametrize("architecture", ["bert", "modernbert", "deberta-v2"])
@pytest.mark.parametrize("full", [1024, 10])
def test_an_excerpt_has_the_weights_of_the_whole_passage(architecture: str, full: int, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gallery.attention.derived.FULL", full)
    classifier = load(tiny(architecture))
    tokenized = classifier.tokenize(" ".join(SENTENCES))
    (record,) = attend(classifier, [tokenized], AttentionSettings(precision="exact"))
    (prediction,) = classifier.predict([tokenized])
    whole = Reader(attention_files(prediction, record))
    short = Reader(carried_files(prediction, record, Carried((0, 2), 3, tokens=20)))
    count = short.tokens
    words = prediction.token_words.tolist()
    assert 10 < count <= 20
    assert words[count] != words[count - 1], "a word is cut in two"
    assert short.index["files"] == ["layer-00.bin", None, "layer-02.bin"]
    for layer in (0, 2):
        wanted = whole.weights(layer)[:, :count, :count]
        assert np.abs(short.weights(layer) - wanted).max() < 5e-3
        assert wanted.sum(axis=-1).max() < 0.999  # the rest of each row is told nowhere, and not spread over what is here
    if full == 1024:
        assert np.abs(short.stored("rollout") - whole.stored("rollout")[:count, :count]).max() < 5e-3
    else:
        assert short.index["mean"] is None


def test_a_passage_that_is_short_enough_is_carried_whole(tiny: Tiny) -> None:
    classifier = load(tiny("bert"))
    tokenized = classifier.tokenize(SENTENCES[3])
    (record,) = attend(classifier, [tokenized], AttentionSettings())
    (prediction,) = classifier.predict([tokenized])
    count = len(prediction.tokens)
    assert carried_files(prediction, record, Carried((0, 1, 2), 3, tokens=count)) == attention_files(prediction, record)


def test_without_layers_and_means_a_small_picture_is_left(tiny: Tiny) -> None:
    classifier = load(tiny("bert"))
    (record,) = attend(classifier, [classifier.tokenize(SENTENCES[0])], AttentionSettings())
    (prediction,) = classifier.predict([classifier.tokenize(SENTENCES[0])])
    files = carried_files(prediction, record, Carried((), 3, means=False))
    assert list(files) == ["heads.png"]
    assert len(files["heads.png"]) < record.picture.size


def test_half_of_a_picture_shows_the_same_heads() -> None:
    pooled = np.zeros((2, 3, 4, 4), np.float32)
    pooled[1, 2, 3, 0] = 1
    small = reduced(draw_heads(pooled), 2)
    assert draw_small(small, 1, 2)[-1, 0] == 15
    assert draw_small(small, 0, 0).max() == 0
    with Image.open(io.BytesIO(small)) as image:
        assert image.size == (3 * (CELL // 2 + 1) - 1, 2 * (CELL // 2 + 1) - 1)


def draw_small(png: bytes, layer: int, head: int) -> Any:
    side = CELL // 2
    start = layer * (side + 1), head * (side + 1)
    return shades_of(png)[start[0] : start[0] + side, start[1] : start[1] + side]


@pytest.fixture(scope="module")
def built(explained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a gallery whose site these tests render one after another."""
    return shutil.copytree(explained.parent, tmp_path_factory.mktemp("carried") / "gallery") / explained.name


def page(config: Path) -> str:
    return (config.parent / "site" / "passages" / "white-wall" / "index.html").read_text("utf-8")


def attention(config: Path) -> set[str]:
    return {path.name for path in (config.parent / "site" / "data" / "white-wall" / "attention").iterdir()}


def test_settings_choose_the_layers_and_the_store_keeps_all(built: Path) -> None:
    before = {path: path.read_bytes() for path in (built.parent / "store").rglob("*.safetensors")}
    assert run(built, "render", "--attention-layers", "3,1").exit_code == 0
    assert attention(built) == {"index.json", "heads.png", "mean.bin", "rollout.bin", "layer-00.bin", "layer-02.bin"}
    assert "Из 3 слоёв в этот сайт, чтобы сайт остался небольшим, вошли 2: 1, 3." in page(built)
    assert run(built, "render", "--attention-layers", "mean", "--attention-tokens", "12").exit_code == 0
    assert attention(built) == {"index.json", "heads.png", "mean.bin", "rollout.bin"}
    assert len(json.loads((built.parent / "site/data/white-wall/attention/index.json").read_text("utf-8"))["tokens"]) <= 12
    assert "в сайт вошли первые" in page(built)
    assert run(built, "render", "--attention-layers", "none").exit_code == 0
    assert attention(built) == {"heads.png"}
    assert "<gallery-attention" not in page(built)
    assert "есть только картинка всех голов" in page(built)
    assert run(built).output.startswith("Nothing to explain: all 3")
    assert "layer-01.bin" in attention(built)
    assert "left-out" not in page(built)
    assert before.items() <= {path: path.read_bytes() for path in (built.parent / "store").rglob("*.safetensors")}.items()


@pytest.mark.parametrize("layers", ["[0]", "[four]", "[]", "some", "7.5"])
def test_layers_that_are_none_are_refused(layers: str, built: Path, tmp_path: Path) -> None:
    config = tmp_path / "mkdocs.yml"
    config.write_text(built.read_text("utf-8") + f"    attention:\n      layers: {layers}\n", "utf-8")
    result = run(config, "render")
    assert result.exit_code == 1
    assert "extra.gallery.attention.layers: " in result.output
    assert "numbered from 1" in result.output


def test_a_layer_that_the_model_lacks_is_refused(built: Path) -> None:
    result = run(built, "render", "--attention-layers", "1,4")
    assert result.exit_code == 1
    assert "there is no layer 4: the model has 3" in result.output


def test_fit_leaves_out_no_more_than_the_budget_asks_for(built: Path, tmp_path: Path) -> None:
    assert run(built, "render").exit_code == 0
    site_input = site_input_of(load_settings(built), built)
    jobs = jobs_of(site_input)
    whole = sum(path.stat().st_size for path in (built.parent / "site").rglob("*") if path.is_file())
    found = [fit(whole * share / 1e6, site_input, jobs, tmp_path) for share in (1.05, 1.0, 0.97, 0.94, 0.92, 0.9, 0.5)]
    carried = [(one.bertviz, one.means, len(one.layers), not one.packed, not one.small, one.cards) for one in found]
    assert carried[0] == (True, True, 3, True, True, True)
    assert carried[-1] == (False, False, 0, False, False, False)
    assert carried == sorted(carried, reverse=True)
    assert len(set(carried)) > 2
    assert [path.name for path in tmp_path.iterdir()] == ["fitted.sqlite"]


def test_what_was_chosen_is_remembered_until_something_it_depends_on_changes(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site_input = site_input_of(load_settings(built), built)
    jobs = jobs_of(site_input)
    tried = []

    def counted(*arguments: Any) -> Any:
        tried.append(arguments[1].row.id)
        return rendering.render(*arguments)

    monkeypatch.setattr(fitting, "render", counted)
    first = fit(1.0, site_input, jobs, tmp_path)
    assert set(tried) == {job.row.id for job in jobs}
    tried.clear()
    assert fit(1.0, site_input, jobs, tmp_path) == first
    assert tried == []
    other = replace(jobs[0], row=replace(jobs[0].row, title="Другое заглавие"))
    english = replace(site_input, publication=replace(site_input.publication, language="en"))
    for again in (
        (1.1, site_input, jobs),
        (1.0, site_input, jobs[:2]),
        (1.0, site_input, [other, *jobs[1:]]),
        (1.0, english, jobs),
    ):
        tried.clear()
        fit(*again, tmp_path)
        assert tried, again


def test_what_was_chosen_is_said_on_the_pages(built: Path) -> None:
    run(built, "render", "--attention-fit", "--site-budget-mb", "3")
    assert "чтобы сайт уложился в 3 МБ" in page(built)


def test_some_passages_of_every_length_stand_for_all(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "_TRIED", 1)
    store = Store(built.parent / "store")
    found = jobs_of(site_input_of(load_settings(built), built))
    (middle,) = fitting._spread(store, found)
    sizes = sorted(store.size("attention", job.row.entries[EntryName("attention")]) for job in found)
    assert store.size("attention", middle.row.entries[EntryName("attention")]) == sizes[1]
