"""Every weight of a model's files is accounted for, and a head of one output gives two classes."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from gallery.errors import SourceError
from gallery.model.network import load_network
from gallery.model.vocabulary import check_passage, check_vocabulary, unknown_letters
from gallery.sources.resolve import resolve_model, resolve_tokenizer
from tests.support.classifiers import TEXT, load
from tests.support.models import LABELS

Tiny = Callable[[str], Path]
Weights = dict[str, torch.Tensor]


@pytest.fixture
def own(tiny: Tiny, tmp_path: Path) -> Path:
    """Give a copy of the tiny BERT that a test may spoil."""
    return shutil.copytree(tiny("bert"), tmp_path / "bert")


def change(folder: Path, config: dict[str, Any] | None = None, weights: Callable[[Weights], object] | None = None) -> Path:
    values = json.loads((folder / "config.json").read_text()) | (config or {})
    (folder / "config.json").write_text(json.dumps({key: value for key, value in values.items() if value is not ...}))
    if weights:
        tensors = load_file(folder / "model.safetensors")
        weights(tensors)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(SourceError) as error:
        load(folder)
    assert "\n" not in error.value.message
    return error.value.message


def test_all_weights_of_a_plain_classifier_are_used(own: Path) -> None:
    count = len(load_file(own / "model.safetensors"))
    card = load(own).card
    assert (card.loaded, card.weights_used, card.problem) == ("BertForSequenceClassification", (count, count), "single_label")


def test_heads_of_the_pretraining_are_counted_as_unused(own: Path) -> None:
    count = len(load_file(own / "model.safetensors"))
    change(own, weights=lambda w: w.update({"cls.predictions.bias": torch.zeros(3), "bert.embeddings.position_ids": torch.arange(64)[None]}))
    assert load(own).card.weights_used == (count, count + 2)


@pytest.mark.parametrize(
    ("config", "weights", "says"),
    [
        (
            {},
            lambda w: w.update({"lstm.weight_ih_l0": torch.zeros(3, 3)}),
            "as BertForSequenceClassification, its file has 1 weights .* such as lstm.weight_ih_l0",
        ),
        (
            {"architectures": ["BertLSTMForSequenceClassification"]},
            lambda w: w.update({"lstm.weight_ih_l0": torch.zeros(3, 3)}),
            "says BertLSTMForSequenceClassification, but transformers loads BertForSequenceClassification",
        ),
        ({"architectures": ["RobertaForSequenceClassification"]}, None, "says RobertaForSequenceClassification, but transformers loads Bert"),
        ({"model_type": "novel"}, None, "no architecture 'novel'"),
        ({"id2label": {"0": "a", "1": "b"}}, None, r"classifier\.\w+ is \[3.*the head has 3 outputs, and config.json names 2 classes"),
        ({"hidden_size": 16}, None, r"is \[.*32.* in the file, but .*16.* by config.json"),
    ],
)
def test_another_model_than_the_folders_is_refused_by_name(own: Path, config: dict[str, Any], weights: Callable[[Weights], object] | None, says: str) -> None:
    message = refused(change(own, config, weights))
    assert re.search(says, message), message


@pytest.mark.parametrize(
    ("names", "labels"),
    [({"1": "Толстой", "2": "Чехов", "3": "Гоголь"}, dict(enumerate(LABELS))), ({"0": 0, "1": 1, "2": 2}, {}), (["x", "y", "z"], {}), (..., {})],
)
def test_the_form_of_the_class_names_changes_no_number(own: Path, tiny: Tiny, names: object, labels: dict[int, str]) -> None:
    plain = load(tiny("bert"))
    expected = plain.logits([plain.tokenize(TEXT).ids])
    classifier = load(change(own, {"id2label": names, "label2id": ..., **({"num_labels": 3} if names is ... else {})}), labels=labels)
    assert torch.equal(classifier.logits([classifier.tokenize(TEXT).ids]), expected)


def one_logit(folder: Path, **config: Any) -> Path:
    """Leave a classifier the first of its outputs."""

    def cut(weights: Weights) -> None:
        weights |= {name: weights[name][:1].clone() for name in ("classifier.weight", "classifier.bias")}

    return change(folder, {"id2label": {"0": "toxic"}, "label2id": {"toxic": 0}, **config}, cut)


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "deberta-v2"])
def test_one_logit_tells_two_classes_apart_as_the_pipeline_does(tiny: Tiny, tmp_path: Path, architecture: str) -> None:
    from transformers import pipeline

    folder = shutil.copytree(tiny(architecture), tmp_path / "one")
    weights = load_file(folder / "model.safetensors")
    for name in [name for name in weights if name.startswith("classifier") and weights[name].shape[0] == 3]:
        weights[name] = weights[name][:1].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    change(folder, {"id2label": {"0": "toxic"}, "label2id": {"toxic": 0}})
    classifier = load(folder)
    assert classifier.card.labels == ("not toxic", "toxic")
    logits = classifier.logits([classifier.tokenize(TEXT).ids])[0]
    [[said]] = pipeline("text-classification", str(folder), top_k=None)([TEXT])
    assert said["label"] == "toxic"
    assert float(logits.sigmoid()[1]) == pytest.approx(said["score"], abs=1e-6)
    assert float(logits.sum()) == pytest.approx(0, abs=1e-6)
    assert (classifier.fast_encoder is not None) == (architecture != "deberta-v2")


def test_two_names_for_one_output_are_refused_with_the_cure(own: Path) -> None:
    assert "the head has one output" in refused(one_logit(own, id2label={"0": "no", "1": "yes"}))


def test_a_tokenizer_without_a_vocabulary_is_refused(own: Path) -> None:
    (own / "tokenizer.json").unlink()
    with pytest.raises(SourceError, match=r"the settings of a tokenizer without its vocabulary.*extra\.gallery\.tokenizer"):
        resolve_tokenizer(str(own), own)


def test_a_swapped_vocabulary_is_another_tokenizer(own: Path) -> None:
    (own / "spm.model").write_bytes(b"one")
    first = resolve_tokenizer(str(own), own).digest
    (own / "spm.model").write_bytes(b"two")
    assert resolve_tokenizer(str(own), own).digest != first


def _without_letters(folder: Path) -> Path:
    """Leave the vocabulary its special tokens and one word."""
    values = json.loads((folder / "tokenizer.json").read_text())
    kept = {piece: number for piece, number in values["model"]["vocab"].items() if piece.startswith("[")}
    values["model"]["vocab"] = {**kept, "человек": len(kept)}
    (folder / "tokenizer.json").write_text(json.dumps(values))
    return folder


def test_a_tokenizer_that_knows_no_letters_is_refused(own: Path) -> None:
    assert "100% are unknown to the tokenizer" in refused(_without_letters(own))


def test_passages_of_unknown_pieces_are_refused_and_some_unknown_pieces_are_told(tiny: Tiny) -> None:
    classifier = load(tiny("bert"))
    embedded = len(classifier.model.get_input_embeddings().weight)
    assert unknown_letters(classifier.tokenizer) == 0
    assert check_passage(classifier.tokenizer, classifier.tokenize(TEXT), embedded) is None
    assert check_passage(classifier.tokenizer, classifier.tokenize(f"{TEXT} 漢 字 語 文 学"), embedded).startswith("2")  # type: ignore[union-attr]
    with pytest.raises(RuntimeError, match="100% of its pieces are unknown"):
        check_passage(classifier.tokenizer, classifier.tokenize("漢字語"), embedded)
    with pytest.raises(RuntimeError, match="was added to the tokenizer and is unknown to the model"):
        check_passage(classifier.tokenizer, classifier.tokenize(TEXT), 9)


def test_added_tokens_are_noted_and_another_vocabulary_is_refused(tiny: Tiny) -> None:
    tokenizer = load(tiny("bert")).tokenizer
    size = tokenizer.vocab_size
    assert check_vocabulary(tokenizer, "t", "m", size) == ()
    with pytest.raises(SourceError, match=rf"{size} tokens, but the model m knows {size - 1}"):
        check_vocabulary(tokenizer, "t", "m", size - 1)
    tokenizer.add_tokens(["<user>", "<url>"])
    assert "2 added tokens are unknown to the model m" in check_vocabulary(tokenizer, "t", "m", size)[0]


@pytest.fixture
def adapted(tiny: Tiny, tmp_path: Path) -> tuple[Path, torch.Tensor]:
    """Give the folder of an adapter with its own head, and the logits that peft itself computes."""
    import peft
    from transformers import AutoModelForSequenceClassification

    base = shutil.copytree(tiny("bert"), tmp_path / "base")
    torch.manual_seed(1)
    settings = peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query", "value"], init_lora_weights=False)
    network = peft.get_peft_model(AutoModelForSequenceClassification.from_pretrained(base), settings).eval()
    network.save_pretrained(tmp_path / "adapter")
    values = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text()) | {"base_model_name_or_path": "base"}
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(values))
    with torch.no_grad():
        return tmp_path / "adapter", network(input_ids=torch.arange(5, 15)[None]).logits


def _logits(name: str, root: Path) -> torch.Tensor:
    network = load_network(resolve_model(name, root), torch.float32).model.eval()
    with torch.no_grad():
        return network(input_ids=torch.arange(5, 15)[None]).logits


def test_an_adapter_is_merged_into_the_base_that_it_names_or_lies_beside(adapted: tuple[Path, torch.Tensor], tiny: Tiny) -> None:
    folder, expected = adapted
    root = folder.parent
    torch.testing.assert_close(_logits("adapter", root), expected, atol=1e-5, rtol=0)
    source = resolve_model("adapter", root)
    assert (source.resolved, source.labels) == ("adapter on base", LABELS)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(folder / name, root / "base" / name)
    torch.testing.assert_close(_logits("base", root), expected, atol=1e-5, rtol=0)
    beside = resolve_model("base", root)
    assert "an adapter lies beside the weights and is merged into them" in beside.notes[0]
    assert beside.digest != resolve_model(str(tiny("bert")), root).digest


def test_an_adapter_without_peft_or_without_its_base_says_what_to_do(adapted: tuple[Path, torch.Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = adapted
    shutil.rmtree(folder.parent / "base")
    with pytest.raises(SourceError, match=r"adapter: an adapter of base, which cannot be had: .*merge_and_unload"):
        resolve_model("adapter", folder.parent)
    monkeypatch.setattr("gallery.sources.contents.find_spec", lambda name: None)
    with pytest.raises(SourceError, match=r"an adapter of base.*\[adapters\].*merge_and_unload"):
        resolve_model("adapter", folder.parent)
