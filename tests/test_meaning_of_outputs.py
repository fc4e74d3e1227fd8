"""Multi-label models and models of one output, from the folder to the pages: probabilities as transformers' pipeline gives them."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, pipeline

from gallery.attribution.attribute import attribute
from gallery.attribution.outputs import class_outputs
from gallery.methods import method_of
from gallery.model.convert import convert
from gallery.passages.read import Passage
from gallery.passages.true_class import Classes, class_numbers
from gallery.sources.resolve import resolve_model, resolve_tokenizer
from gallery.store.entries import Store
from gallery.store.manifest import EntryName, read_header, read_rows
from tests.support.classifiers import TEXT, load, parameters
from tests.support.galleries import make_gallery, run

Tiny = Callable[[str], Path]
LABELS = ("Толстой", "Чехов", "Гоголь")


def changed(folder: Path, **config: Any) -> Path:
    values = json.loads((folder / "config.json").read_text()) | config
    (folder / "config.json").write_text(json.dumps(values))
    return folder


@pytest.fixture(scope="session")
def several(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a tiny BERT that judges each of three classes by itself."""
    folder = shutil.copytree(tiny("bert"), tmp_path_factory.mktemp("several") / "model")
    return changed(folder, problem_type="multi_label_classification")


@pytest.fixture(scope="session")
def one(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a tiny BERT with one output, called Чехов."""
    folder = shutil.copytree(tiny("bert"), tmp_path_factory.mktemp("one") / "model")
    weights = load_file(folder / "model.safetensors")
    save_file({name: tensor[:1].clone() if name.startswith("classifier") else tensor for name, tensor in weights.items()}, folder / "model.safetensors")
    return changed(folder, id2label={"0": "Чехов"}, label2id={"Чехов": 0})


def piped(folder: Path, text: str) -> dict[str, float]:
    """Return what transformers' own pipeline says."""
    [said] = pipeline("text-classification", str(folder), top_k=None)([text])
    return {one["label"]: one["score"] for one in said}


def test_a_multi_label_prediction_is_the_pipelines(several: Path) -> None:
    classifier = load(several)
    [prediction] = classifier.predict([classifier.tokenize(TEXT)])
    expected = piped(several, TEXT)
    assert prediction.probabilities == pytest.approx([expected[name] for name in LABELS], abs=1e-6)
    assert sum(expected.values()) != pytest.approx(1, abs=0.01)
    above = {name for name, share in expected.items() if share >= 0.5}
    assert {LABELS[number] for number in prediction.verdict(0.5)} == above
    assert prediction.verdict(0.999) == ()
    assert sorted(prediction.verdict(0.001)) == [0, 1, 2]


def test_erased_texts_and_baselines_have_each_classs_own_probability(several: Path) -> None:
    classifier = load(several)
    tokenized = classifier.tokenize(TEXT)
    reference = AutoModelForSequenceClassification.from_pretrained(several).eval()
    [[attribution]] = attribute(method_of("integrated_gradients"), classifier, [tokenized], [[1]], parameters())
    with torch.no_grad():
        empty = reference(input_ids=torch.tensor([classifier.baseline_ids(tokenized, "pad")])).logits[0].sigmoid()
    assert attribution.baseline_probabilities == pytest.approx(empty.tolist(), abs=1e-5)
    outputs = class_outputs(torch.tensor([[0.0, 3.0, -1.0]]), "sigmoid")[0].tolist()
    assert outputs == pytest.approx([0.5, 1 / (1 + np.exp(-3)), 1 / (1 + np.exp(1))])


def test_attributions_of_a_sigmoid_are_captums(several: Path) -> None:
    from captum.attr import LayerIntegratedGradients

    classifier = load(several)
    tokenized = classifier.tokenize(TEXT)
    reference = AutoModelForSequenceClassification.from_pretrained(several).eval()
    ids, empty = torch.tensor([tokenized.ids]), torch.tensor([classifier.baseline_ids(tokenized, "pad")])
    method = LayerIntegratedGradients(lambda ids: reference(ids).logits.sigmoid(), reference.bert.embeddings)
    expected = method.attribute(ids, empty, target=2, n_steps=20, method="gausslegendre").sum(-1)[0]
    [[found]] = attribute(method_of("integrated_gradients"), classifier, [tokenized], [[2]], {**parameters(n_steps=20), "output": "sigmoid"})
    assert found.tokens == pytest.approx(expected.tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("given", "several", "numbers"),
    [(("Чехов", "Гоголь"), True, (1, 2)), (("1", "1"), True, (1,)), (("Чехов",), False, (1,)), ((), True, ()), (None, True, (0, 2))],
)
def test_true_classes_are_a_list_or_a_text_with_bars(given: tuple[str, ...] | None, several: bool, numbers: tuple[int, ...]) -> None:
    passage = Passage("a", "текст", given[0] if given else "Толстой | Гоголь", "a", "t.csv: line 2", true_classes=given)
    assert class_numbers(passage, Classes(LABELS, several=several)) == numbers


@pytest.fixture(scope="session")
def gallery(several: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the built gallery of the multi-label model, a passage of which has two true classes."""
    config = make_gallery(
        tmp_path_factory.mktemp("labels"), several, "en", "    bertviz_tokens: 0\n    methods: [integrated_gradients]\n    output: probability\n"
    )
    page = config.parent / "site_src" / "passages" / "white-wall.md"
    page.write_text(page.read_text("utf-8").replace("true_class: Чехов", "true_class: [Чехов, Гоголь]"), "utf-8")
    other = page.with_name("dusty-road.md")
    other.write_text(other.read_text("utf-8").replace("true_class: Гоголь", "true_class: []"), "utf-8")
    result = run(config)
    assert result.exit_code == 0, result.output
    return config


def test_the_pages_of_a_multi_label_model_show_sets_and_shares_that_need_not_add_up(gallery: Path, several: Path) -> None:
    store = Store(gallery.parent / "store")
    row = next(row for row in read_rows(store) if row.id == "white-wall")
    assert read_header(store).model.problem == "multi_label"
    assert row.truth == (1, 2)
    assert set(row.truth) <= set(row.targets)
    prediction = store.read("prediction", row.entries[EntryName("prediction")])
    expected = piped(several, prediction.text)
    said = [name for name, share in sorted(expected.items(), key=lambda item: -item[1]) if share >= 0.5]
    page = (gallery.parent / "site" / "passages" / "white-wall" / "index.html").read_text("utf-8")
    numbers = json.loads((gallery.parent / "site" / "data" / "white-wall" / "explanation.json").read_text("utf-8"))
    assert numbers["probabilities"] == pytest.approx(expected, abs=1e-6)
    assert numbers["predicted_class"] == (", ".join(said) or "none of the classes")
    assert numbers["true_class"] == "Чехов, Гоголь"
    assert {a["output"] for a in numbers["attributions"]} == {"sigmoid"}
    assert "need not add up to 100" in page
    for share in expected.values():
        assert f"{100 * share:.1f}" in page
    verdict = "recognised" if set(said) == {"Чехов", "Гоголь"} else f"the model says: {', '.join(said) or 'none of the classes'}"
    assert verdict in re.sub(r"\s+", " ", page)
    index = (gallery.parent / "site" / "index.html").read_text("utf-8")
    assert 'data-true="1 2"' in index
    assert 'data-true=""' in index
    empty = json.loads((gallery.parent / "site" / "data" / "dusty-road" / "explanation.json").read_text("utf-8"))
    assert (empty["true_class"], empty["true_targets"]) == ("none of the classes", [])
    assert "Class by class" in index
    for slug in ("chekhov", "gogol"):
        assert "white-wall" in (gallery.parent / "site" / "authors" / slug / "index.html").read_text("utf-8")


def test_a_list_of_classes_for_a_model_that_names_one_is_an_error(explained: Path, tmp_path: Path) -> None:
    config = shutil.copytree(explained.parent, tmp_path / "g") / explained.name
    (config.parent / "t.jsonl").write_text('{"id": "a", "text": "Никто не ответил.", "true_class": ["Чехов", "Гоголь"]}\n', "utf-8")
    config.write_text(config.read_text("utf-8") + "    passages: [t.jsonl]\n", "utf-8")
    result = run(config, "explain", "--plan")
    assert result.exit_code == 1
    assert "t.jsonl: line 1: true_class: 2 classes, but the model names one of each text" in result.output


def test_one_output_is_a_gallery_of_two_classes(one: Path, tmp_path: Path) -> None:
    settings = "    bertviz_tokens: 0\n    methods: [integrated_gradients]\n    output: log-odds\n    passages: [t.jsonl]\n"
    config = make_gallery(tmp_path, one, "en", settings)
    text = "Никто не ответил: дорога была пуста."
    rows = [{"id": "a", "text": text, "true_class": "Чехов"}, {"id": "b", "text": text + " Свой человек.", "true_class": "not Чехов"}]
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    result = run(config)
    assert result.exit_code == 0, result.output
    numbers = json.loads((tmp_path / "site" / "data" / "a" / "explanation.json").read_text("utf-8"))
    share = piped(one, text)["Чехов"]
    assert numbers["probabilities"] == pytest.approx({"Чехов": share, "not Чехов": 1 - share}, abs=1e-6)
    with torch.no_grad():
        reference = AutoModelForSequenceClassification.from_pretrained(one).eval()
        classifier = load(one)
        z = float(reference(input_ids=torch.tensor([classifier.tokenize(text).ids])).logits)
    own = {a["class"]: a["output_value"] for a in numbers["attributions"]}
    assert own == pytest.approx({"Чехов": z, "not Чехов": -z}, abs=1e-5)


@pytest.mark.parametrize("kind", ["several", "one"])
def test_a_converted_model_keeps_its_meaning(kind: str, several: Path, one: Path, tmp_path: Path) -> None:
    source = {"several": several, "one": one}[kind]
    convert(resolve_model(str(source), tmp_path), resolve_tokenizer(str(source), tmp_path), tmp_path / "copy")
    assert piped(tmp_path / "copy", TEXT) == pytest.approx(piped(source, TEXT), abs=1e-6)
    copied = load(tmp_path / "copy")
    assert (copied.card.problem, copied.card.labels) == (load(source).card.problem, load(source).card.labels)


@pytest.mark.parametrize("how", [("{model}",), ("--model", "{model}")])
def test_check_tells_of_a_model_before_anything_is_explained(how: tuple[str, ...], several: Path, tmp_path: Path) -> None:
    result = run(tmp_path / "mkdocs.yml", "check", *(part.format(model=several) for part in how), "--device", "cpu")
    assert result.exit_code == 0, result.output
    count = len(load_file(several / "model.safetensors"))
    assert f"BertForSequenceClassification, {count} of {count} weights used" in result.output
    assert "3, each judged by itself (sigmoid); a text has all from 50% on: Толстой, Чехов, Гоголь" in result.output
    assert not list(tmp_path.iterdir())


def test_check_tells_how_the_passages_are_read_and_ends_with_1_where_a_model_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tiny("bert"))
    (tmp_path / "site_src" / "passages" / "han.md").write_text("---\ntrue_class: Чехов\n---\n漢字語\n", "utf-8")
    result = run(config, "check", str(tiny("bert")))
    assert result.exit_code == 1
    assert "han cannot be explained: 100% of its pieces are unknown to the tokenizer" in result.output
    assert "Passages   4" in result.output
    value = changed(shutil.copytree(tiny("bert"), tmp_path / "value"), problem_type="regression")
    result = run(config, "check", str(value))
    assert result.exit_code == 1
    assert "problem_type is regression: this model gives a value, not a class" in result.output
