"""Models from folders: what is missing or damaged is named, pickles are read without running them, code never runs."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gallery.config import Settings
from gallery.errors import SourceError
from gallery.model.convert import convert
from gallery.model.loading import load_classifier
from gallery.sources.resolve import resolve_model, resolve_tokenizer

Tiny = Callable[[str], Path]


@pytest.fixture
def own(tiny: Tiny, tmp_path: Path) -> Path:
    """Give a copy of the tiny BERT that a test may spoil."""
    return shutil.copytree(tiny("bert"), tmp_path / "bert")


def _pickle(folder: Path) -> None:
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def _logits(folder: Path) -> torch.Tensor:
    classifier = load_classifier(resolve_model(str(folder), Path()), resolve_tokenizer(str(folder), Path()), Settings(device="cpu"))
    return classifier.logits([classifier.tokenize("Свой человек пришёл домой.").ids])


def test_a_pickle_gives_the_same_logits_and_says_what_it_is(own: Path, tiny: Tiny) -> None:
    _pickle(own)
    source = resolve_model("bert", own.parent)
    assert source.pickled
    assert "convert" in source.notes[0]
    torch.testing.assert_close(_logits(own), _logits(tiny("bert")), atol=1e-6, rtol=0)


def test_converting_a_pickle_keeps_every_number_and_writes_safetensors(own: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    meant = load_file(own / "model.safetensors")
    _pickle(own)
    convert(resolve_model("bert", own.parent), resolve_tokenizer("bert", own.parent), tmp_path / "copies" / "safe")
    source = resolve_model("copies/safe", tmp_path)
    assert not source.pickled
    written = load_file(source.folder / "model.safetensors")
    assert written.keys() == meant.keys()
    assert all(torch.equal(written[name], meant[name]) for name in meant)
    assert (source.folder / "tokenizer.json").read_text() == (own / "tokenizer.json").read_text()
    with pytest.raises(SourceError, match="not an empty folder"):
        convert(source, resolve_tokenizer("bert", own.parent), tmp_path / "copies" / "safe")
    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["safe"]


def test_a_model_without_its_classifying_head_is_refused(own: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = {name: tensor for name, tensor in load_file(own / "model.safetensors").items() if not name.startswith("classifier")}
    save_file(weights, own / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SourceError, match=r"no classifier\.bias among its weights, so it is not a trained classifier"):
        _logits(own)


def test_a_pickle_that_would_run_something_is_refused(own: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(own / "ran"),)

    (own / "model.safetensors").unlink()
    torch.save({"classifier.weight": Payload()}, own / "pytorch_model.bin")
    with pytest.raises(SourceError, match="cannot be loaded"):
        _logits(own)
    assert not (own / "ran").exists()


def test_code_beside_a_model_never_runs(own: Path) -> None:
    config = json.loads((own / "config.json").read_text())
    config |= {"model_type": "novel", "auto_map": {"AutoConfig": "novel.Config", "AutoModelForSequenceClassification": "novel.Model"}}
    (own / "config.json").write_text(json.dumps(config))
    (own / "novel.py").write_text(f"import os; os.mkdir({str(own / 'ran')!r})")
    with pytest.raises(SourceError, match=r"asks for code of its own \('novel.Model'\), and code from beside a model is never run"):
        _logits(own)
    assert not (own / "ran").exists()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / "config.json").unlink(), "bert: config.json is missing"),
        (lambda folder: (folder / "config.json").write_text("{"), "bert: config.json is damaged"),
        (lambda folder: (folder / "model.safetensors").unlink(), "bert: no weights"),
        (lambda folder: (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-2.safetensors"}}'), "model-2.safetensors is missing"),
        (lambda folder: shutil.rmtree(folder), "bert: no such folder"),
    ],
)
def test_what_is_missing_is_named(own: Path, spoil: Callable[[Path], object], says: str) -> None:
    spoil(own)
    with pytest.raises(SourceError, match=says):
        resolve_model("bert", own.parent)


def test_a_folder_without_a_tokenizer_says_where_to_name_one(own: Path) -> None:
    for file in own.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(SourceError, match=r"extra\.gallery\.tokenizer"):
        resolve_tokenizer("bert", own.parent)


@pytest.mark.parametrize("name", ["wandb:ann/authors", "wandb:ann/../bert:v1", "wandb:ann/authors/bert", "wandb:a/b/c:v1/../../x", "wandb:../../x:v1"])
def test_a_name_that_is_no_artifact_is_refused_before_anything_is_asked(name: str) -> None:
    with pytest.raises(SourceError, match="not a W&B artifact"):
        resolve_model(name, Path())
