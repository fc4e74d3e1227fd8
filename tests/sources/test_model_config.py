"""config.json as people write it: class names in every form, what the outputs mean, and models that are no text classifiers."""

import json
from pathlib import Path
from typing import Any

import pytest

from gallery.errors import SourceError
from gallery.model.labels import label_names
from gallery.sources.contents import model_folder, tokenizer_files
from gallery.sources.model_config import check_class, outputs_of

BERT = {"model_type": "bert", "architectures": ["BertForSequenceClassification"]}


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({"id2label": {"0": "neg", "1": "pos"}}, ("neg", "pos")),
        ({"id2label": {"1": "pos", "0": "neg"}}, ("neg", "pos")),
        ({"id2label": {str(n): f"class {n}" for n in reversed(range(11))}}, tuple(f"class {n}" for n in range(11))),
        ({"id2label": {"0": 0, "1": 1}}, ("0", "1")),
        ({"id2label": {"0": 1.5, "1": True}}, ("1.5", "true")),
        ({"id2label": ["neg", "pos"]}, ("neg", "pos")),
        ({"id2label": {"neg": 0, "pos": 1}}, ("neg", "pos")),
        ({"label2id": {"neg": 0, "pos": 1}}, ("neg", "pos")),
        ({"id2label": None, "num_labels": 3}, ("LABEL_0", "LABEL_1", "LABEL_2")),
        ({}, ("LABEL_0", "LABEL_1")),
    ],
)
def test_class_names_are_read_in_every_form_that_people_write(config: dict[str, Any], names: tuple[str, ...]) -> None:
    outputs = outputs_of("m", config)
    assert (outputs.names, outputs.problem, outputs.fault) == (names, "single_label", "")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"id2label": {"1": "bad", "2": "good"}}, r"numbers its 2 classes 1, 2, but outputs are numbered from 0 to 1"),
        ({"id2label": {"0": "a", "2": "b", "4": "c"}}, r"numbers its 3 classes 0, 2, 4"),
        ({"id2label": {"0": "a", "1": "b"}, "num_labels": 3}, r"names 2 classes, but num_labels is 3"),
        ({"id2label": {"0": "LABEL_0"}}, r"one output, which transformers trains as a regression"),
    ],
)
def test_numbers_that_do_not_fit_are_cured_by_naming_every_class(config: dict[str, Any], says: str) -> None:
    outputs = outputs_of("m", config)
    with pytest.raises(SourceError, match=rf"m: .*{says}.*extra\.gallery\.labels") as refused:
        label_names(outputs.names, {}, "m", outputs.fault)
    assert "\n" not in refused.value.message
    with pytest.raises(SourceError, match=r"extra\.gallery\.labels"):
        label_names(outputs.names, {0: "one"}, "m", outputs.fault)
    every = {number: f"class {number}" for number in range(len(outputs.names))}
    assert label_names(outputs.names, every, "m", outputs.fault) == tuple(every.values())


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"id2label": {"zero": "neg", "one": "pos"}}, "'zero' is no number of a class"),
        ({"id2label": "neg,pos"}, "id2label is 'neg,pos', not a mapping"),
        ({"id2label": {"0": {}, "1": "pos"}}, "id2label holds a dict where a name should stand"),
        ({"num_labels": "two"}, "num_labels is 'two'"),
        ({"num_labels": 0}, "num_labels is 0"),
        ({"problem_type": "ranking"}, "problem_type is 'ranking'"),
        ({"problem_type": "regression", "num_labels": 1}, "problem_type is regression: this model gives a value, not a class"),
        ({"problem_type": "regression", "num_labels": 3}, "problem_type is regression: this model gives a value, not a class"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(config: dict[str, Any], says: str) -> None:
    with pytest.raises(SourceError, match=says):
        outputs_of("m", config)


def test_outputs_mean_what_problem_type_says() -> None:
    names = {"0": "anger", "1": "joy", "2": "calm"}
    assert outputs_of("m", {"id2label": names, "problem_type": "multi_label_classification"}).problem == "multi_label"
    assert outputs_of("m", {"id2label": names, "problem_type": "single_label_classification"}).problem == "single_label"
    one = outputs_of("m", {"id2label": {"0": "toxic"}})
    assert (one.names, one.problem) == (("not toxic", "toxic"), "one_logit")
    assert "sigmoid" in one.notes[0]
    assert not outputs_of("m", {"id2label": {"0": "toxic"}, "problem_type": "multi_label_classification"}).notes


def test_two_maps_that_contradict_each_other_are_noted() -> None:
    outputs = outputs_of("m", {"id2label": {"0": "neg", "1": "pos"}, "label2id": {"neg": 1, "pos": 0}})
    assert outputs.names == ("neg", "pos")
    assert "label2id number 'neg' differently" in outputs.notes[0]


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"architectures": ["BertForMaskedLM"]}, "BertForMaskedLM, which does not classify texts"),
        ({"architectures": ["BertForTokenClassification"]}, "BertForTokenClassification, which does not classify texts"),
        ({"auto_map": {"AutoModelForSequenceClassification": "own.Model"}}, r"code of its own \('own.Model'\)"),
        ({"architectures": None, "auto_map": {"AutoModel": "own.Model"}}, r"code of its own \('own.Model'\)"),
        ({"model_type": None}, "no model_type"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, r"quantised \(gptq\).*gptqmodel"),
        ({"quantization_config": {"load_in_4bit": True}}, r"quantised \(bitsandbytes\).*bitsandbytes"),
    ],
)
def test_a_model_that_is_no_text_classifier_is_named(config: dict[str, Any], says: str) -> None:
    with pytest.raises(SourceError, match=says):
        check_class("m", BERT | config)


def test_a_plain_classifier_passes() -> None:
    check_class("m", BERT)
    check_class("m", {"model_type": "bert"})
    check_class("m", BERT | {"auto_map": {"AutoTokenizer": ["own.Tokenizer", None]}})


def _folders(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "config.json").write_text(json.dumps(BERT))
    return root


def test_checkpoints_of_a_training_are_listed_and_none_is_guessed(tmp_path: Path) -> None:
    folder = _folders(tmp_path / "run", "checkpoint-1000", "checkpoint-500")
    with pytest.raises(SourceError, match=r"run: holds 2 models.*: run/checkpoint-500, run/checkpoint-1000\.$"):
        model_folder("run", folder)
    assert model_folder("alone", _folders(tmp_path / "alone", "checkpoint-500")).name == "checkpoint-500"
    (folder / "config.json").write_text(json.dumps(BERT))
    assert model_folder("run", folder) == folder


def test_every_file_that_may_be_a_vocabulary_is_the_tokenizers(tmp_path: Path) -> None:
    others = ("config.json", "model.safetensors", "pytorch_model.bin", "README.md", "training_args.bin", "trainer_state.json", "all_results.json", ".git")
    for name in ("tokenizer_config.json", *others):
        (tmp_path / name).write_text("")
    assert tokenizer_files(tmp_path) == []
    for name in ("vocab.txt", "spm.model", "bpe.codes"):
        (tmp_path / name).write_text("")
    assert [path.name for path in tokenizer_files(tmp_path)] == ["tokenizer_config.json", "vocab.txt", "bpe.codes", "spm.model"]
