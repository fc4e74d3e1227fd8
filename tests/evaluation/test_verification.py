"""Captum as the judge: our numbers are held against its own classes, and a fast encoder that errs is caught and given up."""

import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gallery.attribution.attribute import attribute
from gallery.evaluation.captum_judge import JUDGES
from gallery.evaluation.verification import verify
from gallery.explain.fallback import FastEncoderError
from gallery.methods import all_methods, method_of
from gallery.model import loading
from gallery.model.fast_encoder import FastEncoder, fast_encoder_of
from gallery.store.entries import Store
from gallery.store.manifest import read_header, read_rows
from gallery.store.records import Attribution, Fallback, Verification
from tests.support.classifiers import TEXT, load, parameters
from tests.support.galleries import make_gallery, run
from tests.support.models import ARCHITECTURES

Tiny = Callable[[str], Path]
JUDGED = [method.name for method in all_methods() if method.verifiable]


@pytest.mark.parametrize("method", JUDGED)
def test_a_wrong_word_is_off_by_as_much_as_it_is_wrong(tiny: Tiny, method: str) -> None:
    classifier = load(tiny("bert"))
    tokenized = classifier.tokenize(TEXT)
    own = parameters(method, n_steps=20)
    [[right]] = attribute(method_of(method), classifier, [tokenized], [[1]], own)
    assert verify(classifier, tokenized, right, own).difference < 1e-4
    wrong = right.tokens.copy()
    wrong[3] += 0.05 * np.abs(right.words).max()
    moved = verify(classifier, tokenized, replace(right, tokens=wrong, words=tokenized.sum_words(wrong)), own)
    assert moved.difference == pytest.approx(0.05, abs=1e-4) or right.layers.size, "its words are those of the layers"
    assert moved.difference > 0.01


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_captum_agrees_on_every_architecture(tiny: Tiny, architecture: str) -> None:
    classifier = load(tiny(architecture))
    tokenized = classifier.tokenize(TEXT)
    for method in ("gradient_x_input", "gradient_norm", "occlusion"):
        [[ours]] = attribute(method_of(method), classifier, [tokenized], [[2]], parameters(method))
        assert verify(classifier, tokenized, ours, parameters(method)).difference < 1e-4


@pytest.mark.parametrize(
    "settings",
    [{"baseline": "mask", "output": "probability"}, {"baseline": "zero", "n_steps": 40, "output": "log-odds"}, {"layer": "words", "erase": "pad"}],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_settings_are_captums_too(tiny: Tiny, settings: dict[str, object]) -> None:
    classifier = load(tiny("bert"), **{name: value for name, value in settings.items() if name == "layer"})
    tokenized = classifier.tokenize(TEXT)
    for method in ("integrated_gradients", "occlusion"):
        own = parameters(method, **settings)
        [[ours]] = attribute(method_of(method), classifier, [tokenized], [[0]], own)
        assert verify(classifier, tokenized, ours, own).difference < (0.03 if method == "integrated_gradients" else 1e-4)


def test_windows_are_averaged_alike(tiny: Tiny) -> None:
    classifier = load(tiny("bert"), long="windows")
    tokenized = classifier.tokenize(" ".join([TEXT] * 5))
    assert len(tokenized.windows) > 1
    for method in ("integrated_gradients", "gradient_x_input", "occlusion"):
        own = parameters(method, n_steps=6)
        [[ours]] = attribute(method_of(method), classifier, [tokenized], [[0]], own)
        assert verify(classifier, tokenized, ours, own).difference < 1e-4


def test_steps_are_doubled_until_captum_settles(tiny: Tiny) -> None:
    classifier = load(tiny("bert"))
    with torch.no_grad():  # a steep path: large queries and keys make the softmax a switch
        for layer in classifier.model.bert.encoder.layer:
            layer.attention.self.query.weight.mul_(4)
    classifier = classifier.with_model(classifier.model)
    tokenized = classifier.tokenize(TEXT)
    [[ours]] = attribute(method_of("integrated_gradients"), classifier, [tokenized], [[1]], parameters())
    record = verify(classifier, tokenized, ours, parameters())
    assert record.moved <= 0.005
    assert record.steps >= 32
    assert record.steps >= 2 * ours.steps
    assert record.difference <= 0.03


def with_one_weight_wrong(encoder: FastEncoder) -> FastEncoder:
    """The weights of queries, keys and values are copies, so the model itself stays as it is."""
    encoder.layers[1].qkv.weight[2 * 32 + 5, 7] += 3.0
    return encoder


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast encoder that is wrong where the check at loading does not look."""

    def wrong(model: object) -> tuple[FastEncoder | None, str]:
        encoder, reason = fast_encoder_of(model)
        return encoder and with_one_weight_wrong(encoder), reason

    monkeypatch.setattr(loading, "fast_encoder_of", wrong)


def attributions(folder: Path) -> dict[tuple[str, str, int], np.ndarray]:
    store = Store(folder / "store")
    records = [(row.id, store.read(name.kind, key)) for row in read_rows(store) for name, key in row.entries.items() if name.kind == "attribution"]
    return {(ident, record.method, record.target): record.words for ident, record in records if isinstance(record, Attribution)}


@pytest.mark.usefixtures("broken")
def test_a_build_catches_a_fast_encoder_with_one_wrong_weight_and_goes_without(tiny: Tiny, explained: Path, tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tiny("bert"))
    result = run(config)
    assert result.exit_code == 1
    assert "the fast encoder is wrong for this bert" in result.output
    assert "of dusty-road is off from Captum by" in result.output
    ours, right = attributions(tmp_path), attributions(explained.parent)
    assert ours.keys() == right.keys(), "every passage is explained nevertheless"
    for name, words in ours.items():
        np.testing.assert_allclose(words, right[name], atol=1e-4 * np.abs(right[name]).max())
    store = Store(tmp_path / "store")
    assert read_header(store).model.fast is False
    [verified] = [
        store.read("verification", key)
        for row in read_rows(store)
        for name, key in row.entries.items()
        if name.method == "gradient_norm" and name.kind == "verification"
    ]
    assert isinstance(verified, Verification)
    assert verified.difference < 1e-4
    again = run(config)
    assert again.exit_code == 0, again.output
    assert "Nothing to explain" in again.output, "the store remembers"
    assert run(config, "verify", "--all").exit_code == 0


@pytest.mark.usefixtures("broken")
def test_verify_catches_it_in_a_gallery_that_was_explained_before(explained: Path, tmp_path: Path) -> None:
    config = shutil.copytree(explained.parent, tmp_path / "gallery") / explained.name
    store = Store(config.parent / "store")
    row = next(row for row in read_rows(store) if row.id == "white-wall")
    [name] = [name for name in row.entries if name.kind == "attribution" and name.method == "integrated_gradients"][:1]
    record = store.read("attribution", row.entries[name])
    assert isinstance(record, Attribution)
    tokens = record.tokens * np.linspace(0.2, 1.8, len(record.tokens))
    for name, key in row.entries.items():
        if name.kind == "attribution" and name.method == "integrated_gradients":
            store.write(key, replace(record, tokens=tokens, target=name.target))
    result = run(config, "verify", "--id", "white-wall")
    assert result.exit_code == 1
    assert "the fast encoder is wrong for this bert" in result.output
    plan = run(config, "explain", "--plan").output
    assert "3 of 3 passages to explain" in plan
    assert "encoder: null → own" in plan


def test_an_interrupted_run_goes_on_with_the_next_passage(explained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = shutil.copytree(explained.parent, tmp_path / "gallery") / explained.name
    calls: list[tuple[int, str]] = []

    def counted(*arguments: object) -> Verification:
        tokenized, attribution = arguments[1:3]
        if len(calls) == 4:
            calls.append((0, "killed"))
            raise KeyboardInterrupt
        calls.append((len(tokenized.ids), attribution.method))  # type: ignore[attr-defined]
        return verify(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("gallery.explain.verification.verify", counted)
    assert run(config, "verify", "--all").exit_code == 130
    assert run(config, "verify", "--all").exit_code == 0
    assert len(calls) == 7, "three methods on two passages; the build verified the third; and the one that was interrupted"
    assert len(set(calls)) == 7, "nothing is computed twice"
    lengths = [length for length, _ in calls if length]
    assert lengths == sorted(lengths), "the shortest first"
    result = run(config, "verify", "--all")
    assert len(calls) == 7
    assert "on 3 passages" in result.output


def test_pages_say_what_was_checked_and_what_was_not(built: Path) -> None:
    site = built.parent / "site"
    checked, unchecked = ((site / "passages" / ident / "index.html").read_text("utf-8") for ident in ("dusty-road", "white-wall"))
    assert "Сверено с Captum: расхождение не больше 0,1\u00a0% самого большого вклада." in checked
    assert "Этот отрывок с Captum не сверяли." in unchecked
    assert "verify --id white-wall" in unchecked
    methods = (site / "methods" / "index.html").read_text("utf-8")
    assert "Сверено с Captum, отрывков: 1 из 3." in methods
    assert "такого нет" in methods, "attention rollout"


def test_a_gallery_without_a_method_of_captums_says_so(tiny: Tiny, tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tiny("bert"), settings="    methods: [attention_rollout]\n    random_orders: 0\n    bertviz_tokens: 0\n")
    assert run(config).exit_code == 0
    refused = run(config, "verify")
    assert refused.exit_code == 1
    assert "Captum has none of attention_rollout" in refused.output
    assert "Captum не сверя" not in (tmp_path / "site" / "passages" / "white-wall" / "index.html").read_text("utf-8")


def test_every_method_that_is_declared_to_be_captums_has_a_judge() -> None:
    assert set(JUDGED) == JUDGES.keys()
    assert [method.name for method in all_methods() if method.captum_differs and not method.captum] == []


def test_the_error_comes_back_from_another_process_whole() -> None:
    error = FastEncoderError("a model", Fallback("bert", "white-wall", "occlusion", 0.5, {}))
    assert pickle.loads(pickle.dumps(error)).message == error.message
