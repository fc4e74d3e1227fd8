"""Many passages through one model: memory that runs out, numbers that are none, and how much is held at once."""

import json
import os
import shutil
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from gallery.config import Settings
from gallery.disk_dict import DiskDict
from gallery.errors import StoreError
from gallery.explain.local import Explainer, ahead, run_local
from gallery.explain.plan import Job, Planner
from gallery.model.loading import load_classifier
from gallery.passages.read import Passage, read_passages
from gallery.sources.resolve import resolve_model, resolve_tokenizer
from gallery.store.entries import Store
from gallery.store.timings import Timings
from tests.support.galleries import TEXTS, contents, make_gallery, run
from tests.support.models import save_tiny_classifier

Tiny = Callable[[str], Path]
QUICK = Settings(methods=("integrated_gradients",), n_steps=4, bertviz_tokens=0, random_orders=2)


def explainer(model: Path, store: Path, settings: Settings = QUICK) -> tuple[Explainer, Planner]:
    source, tokenizer = resolve_model(str(model), Path()), resolve_tokenizer(str(model), Path())
    planner = Planner(source, tokenizer, settings)
    return Explainer(load_classifier(source, tokenizer, settings), planner, Store(store), Timings()), planner


def job(planner: Planner, ident: str, text: str) -> Job:
    first = planner.prediction(text)
    return Job(Passage(ident, text, "0", ident, f"list.csv: {ident}"), (0,), (first,), (first,))


def limit_memory(explaining: Explainer, tokens: int) -> None:
    """Let the model run out of memory where more tokens go through it at once."""

    def refuse(module: Any, arguments: Any) -> None:
        points = arguments[0]
        if points.shape[0] * points.shape[1] > tokens:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    explaining.classifier.model.bert.encoder.layer[0].intermediate.register_forward_pre_hook(refuse)
    explaining.classifier.__dict__["fast_encoder"] = None  # the hook is the model's own, so its own forward must run


def test_where_memory_runs_out_less_goes_through_at_once_and_the_numbers_stay(tiny: Tiny, tmp_path: Path) -> None:
    texts = {f"p{n}": "Он вошёл, поклонился, сел у окна. " * 2 + "Дорога. " * n for n in range(3)}
    halves = [1024, 512, 256, 128, 64]  # 128 tokens are six rows of the shortest passage's 20, which is 120 at once
    for store, limit, halvings in (("plenty", 10_000, []), ("little", 100, halves)):
        explaining, planner = explainer(tiny("bert"), tmp_path / store)
        limit_memory(explaining, limit)
        outcomes = list(run_local(explaining, (job(planner, ident, text) for ident, text in texts.items())))
        assert [outcome.problem for outcome in outcomes] == [None] * 3
        notes = [note for outcome in outcomes for note in outcome.notes]
        assert notes == [f"Out of memory: going on with half, {tokens} tokens at once." for tokens in halvings]
        assert explaining.classifier.batch_tokens == [QUICK.batch_tokens, *halvings][-1]
    plenty, little = (Store(tmp_path / store) for store in ("plenty", "little"))
    assert list(plenty.entries()) == list(little.entries())
    attributions = [key for kind, key in plenty.entries() if kind == "attribution"]
    assert len(attributions) == 2 * len(texts)
    for key in attributions:
        one, other = plenty.read("attribution", key), little.read("attribution", key)
        assert one.tokens == pytest.approx(other.tokens, abs=1e-5)  # type: ignore[union-attr]


def test_the_size_that_worked_is_remembered(tiny: Tiny, tmp_path: Path) -> None:
    explaining, planner = explainer(tiny("bert"), tmp_path)
    limit_memory(explaining, 100)
    first, second = (explaining.explain(job(planner, ident, f"Он вошёл и сел у окна. {ident}")) for ident in ("a", "b"))
    assert first.notes
    assert not second.notes


@pytest.mark.parametrize("message", ["CUDA out of memory.", "MPS backend out of memory (MPS allocated: 9 GB).", "[enforce fail] can't allocate memory"])
def test_a_passage_too_long_for_the_memory_is_named_and_the_others_are_explained(tiny: Tiny, tmp_path: Path, message: str) -> None:
    explaining, planner = explainer(tiny("bert"), tmp_path)

    def refuse(module: Any, arguments: Any) -> None:
        if arguments[0].shape[1] > 40:
            raise RuntimeError(message)

    explaining.classifier.model.bert.encoder.layer[0].intermediate.register_forward_pre_hook(refuse)
    explaining.classifier.__dict__["fast_encoder"] = None
    passages = [job(planner, "short", "Свой человек."), job(planner, "long", "Дорога была пуста. " * 20)]
    assert [outcome.problem for outcome in run_local(explaining, passages)] == [
        None,
        "list.csv: long: long could not be explained: it does not fit into the memory of cpu even alone; use another device, or dtype: bfloat16.",
    ]
    assert sum(kind == "faithfulness" for kind, _ in Store(tmp_path).entries()) == 1


def test_entries_that_cannot_be_written_are_not_forgotten_when_the_next_passage_goes_wrong(tiny: Tiny, tmp_path: Path) -> None:
    explaining, planner = explainer(tiny("bert"), tmp_path / "store")
    explaining.explain(job(planner, "sound", "Свой человек."))
    explaining.finish()
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "store").touch()
    explaining.explain(job(planner, "lost", "Никто не ответил."))
    explaining.classifier.model.bert.register_forward_pre_hook(lambda module, arguments: 1 / 0)
    with pytest.raises(StoreError):
        explaining.explain(job(planner, "broken", "Дорога была пуста."))


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[str, int | None, float], Path]:
    """Give a function that writes a gallery whose model has a broken number in one of its weights."""

    def make(weight: str, row: int | None, value: float) -> Path:
        model = save_tiny_classifier(tmp_path / "model")
        weights = load_file(model / "model.safetensors")
        weights[weight][slice(None) if row is None else row] = value
        save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
        return make_gallery(tmp_path / "g", model)

    return make


def test_a_word_whose_embedding_is_no_number_costs_its_passage_alone(broken: Callable[..., Path], tiny: Tiny, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny("bert"))
    ids = {ident: set(tokenizer(text)["input_ids"]) for ident, (_, _, text) in TEXTS.items()}
    own = min(ids["old-yorick"] - ids["white-wall"] - ids["dusty-road"] - set(range(20)))
    config = broken("bert.embeddings.word_embeddings.weight", own, float("nan"))
    result = run(config)
    assert result.exit_code == 1
    for ident in TEXTS:
        hit = ident == "old-yorick"
        said = f"passages/{ident}.md: {ident} could not be explained: the model's logits are not finite numbers: NaN begins in the embeddings. Look at "
        assert (said in result.output) == hit
        assert (tmp_path / "g" / "site" / "passages" / ident).exists() != hit


def test_a_baseline_that_is_no_number_is_an_error_and_never_a_blank_picture(broken: Callable[..., Path], tmp_path: Path) -> None:
    """The passages' own logits are sound; the empty text, made of [PAD], has none."""
    config = broken("bert.embeddings.word_embeddings.weight", 0, float("nan"))
    result = run(config, "explain")
    assert result.exit_code == 1
    assert result.output.count("could not be explained: not all numbers of integrated_gradients, class ") >= 3
    assert "Traceback" not in result.output
    store = Store(tmp_path / "g" / "store")
    assert not [key for kind, key in store.entries() if kind == "attribution" and getattr(store.read(kind, key), "method", "") == "integrated_gradients"]


def test_attention_that_is_no_number_is_an_error(tiny: Tiny, tmp_path: Path) -> None:
    explaining, planner = explainer(tiny("bert"), tmp_path)
    key = explaining.classifier.model.bert.encoder.layer[1].attention.self.key
    explaining.explain(job(planner, "sound", "Свой человек."))
    key.register_forward_hook(lambda module, arguments, output: output * float("nan"))
    outcome = explaining.explain(job(planner, "broken", "Никто не ответил."))
    explaining.finish()
    assert outcome.problem is not None
    assert "list.csv: broken: broken could not be explained: " in outcome.problem
    assert outcome.problem.endswith("NaN among the keys of attention in layer 2 of 3.")
    assert sum(kind == "attention" for kind, _ in Store(tmp_path).entries()) == 1


@pytest.mark.parametrize(("value", "what"), [(float("nan"), "NaN"), (float("inf"), "infinity")])
@pytest.mark.parametrize("side", ["query", "key"])
def test_attention_alone_that_is_no_number_names_passage_layer_and_side(tiny: Tiny, tmp_path: Path, value: float, what: str, side: str) -> None:
    """The prediction is sound; what goes wrong does so while attention is taken."""
    explaining, planner = explainer(tiny("bert"), tmp_path)
    explaining.explain(job(planner, "sound", "Свой человек."))
    module = getattr(explaining.classifier.model.bert.encoder.layer[1].attention.self, side)
    text = "Никто не ответил."
    (predicted,) = explaining.classifier.predict([explaining.classifier.tokenize(text)])
    explaining._store.write(planner.prediction(text).key, predicted)
    wanted = tuple(need for need in planner.others(text, predicted, (0,)) if need.kind == "attention")
    module.register_forward_hook(lambda module, arguments, output: torch.full_like(output, value))
    outcome = explaining.explain(replace(job(planner, "broken", text), missing=wanted))
    explaining.finish()
    expected = "queries" if side == "query" else "keys"
    assert outcome.problem == f"list.csv: broken: broken could not be explained: {what} among the {expected} of attention in layer 2 of 3."


def test_gradients_that_are_no_numbers_are_an_error(tiny: Tiny, tmp_path: Path) -> None:
    settings = QUICK.model_copy(update={"methods": ("gradient_norm",)})
    explaining, planner = explainer(tiny("bert"), tmp_path, settings)
    explaining.classifier.__dict__["fast_encoder"] = None

    def spoil(module: Any, arguments: Any, output: Any) -> None:
        states = output[0] if isinstance(output, tuple) else output
        if states.requires_grad:
            states.register_hook(lambda gradient: gradient * float("inf"))

    explaining.classifier.model.bert.encoder.layer[0].register_forward_hook(spoil)
    outcome = explaining.explain(job(planner, "broken", "Никто не ответил."))
    assert outcome.problem is not None
    assert outcome.problem.endswith(": not all numbers of heads are finite (effects).")


def test_a_model_without_a_fast_form_is_told_once_and_why(tiny: Tiny, tmp_path: Path) -> None:
    quick = "    bertviz_tokens: 0\n    methods: [gradient_norm]\n    random_orders: 0\n"
    said = {name: run(make_gallery(tmp_path / name, tiny(name), settings=quick), "explain").output for name in ("deberta-v2", "bert")}
    assert said["deberta-v2"].count("own forward pass computes everything") == 1
    assert "deberta-v2" in said["deberta-v2"]
    assert "own forward pass" not in said["bert"]


def test_what_is_made_ahead_comes_in_order_and_an_error_comes_when_it_is_due() -> None:
    def numbers() -> Iterator[int]:
        yield from range(5)
        raise ValueError("the sixth")

    seen: list[int] = []
    with pytest.raises(ValueError, match="sixth"):
        seen.extend(ahead(numbers(), 3))
    assert seen == [0, 1, 2, 3, 4]


def test_passages_are_let_go_as_they_are_explained(tiny: Tiny, tmp_path: Path) -> None:
    """However long the list, no more passages are held than those read ahead, and the passage at work."""
    for count in (100, 300):
        explaining, planner = explainer(tiny("bert"), tmp_path, QUICK.model_copy(update={"methods": (), "random_orders": 0}))
        alive: weakref.WeakSet[Passage] = weakref.WeakSet()

        def many(planner: Planner = planner, alive: "weakref.WeakSet[Passage]" = alive, count: int = count) -> Iterator[Job]:
            for number in range(count):
                one = job(planner, f"p{number}", "Дорога была пуста. " * 5)
                alive.add(one.passage)
                yield one

        held = [len(alive) for _ in run_local(explaining, many())]
        assert len(held) == count
        assert 0 < max(held) < 10


def test_reading_a_long_list_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    peaks = []
    for count in (2_000, 20_000):
        table = tmp_path / f"{count}.jsonl"
        with table.open("w") as stream:
            stream.writelines(json.dumps({"id": f"passage-{n}", "true_class": "0", "text": "a"}) + "\n" for n in range(count))
        tracemalloc.start()
        assert sum(1 for passage in read_passages([table.name], tmp_path) if isinstance(passage, Passage)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.1 + 20_000


def test_a_lookup_keeps_the_first_value() -> None:
    lookup = DiskDict()
    assert lookup.setdefault("a", "1") == "1"
    assert lookup.setdefault("a", "2") == "1"
    assert (lookup.get("a"), lookup.get("b")) == ("1", None)


@pytest.mark.parametrize("url", ["memory://gallery-test", "local://{folder}/far", "file://{folder}/near"])
def test_a_store_behind_a_url_holds_the_same_bytes(url: str, tiny: Tiny, tmp_path: Path) -> None:
    import fsspec

    place = url.format(folder=tmp_path)
    config = make_gallery(tmp_path / "g", tiny("bert"), settings="    bertviz_tokens: 0\n    methods: [gradient_norm]\n")
    assert run(config, "explain").exit_code == 0
    result = run(config, "explain", "--store", place)
    assert result.exit_code == 0, result.output
    assert "Nothing to explain" in run(config, "explain", "--store", place).output
    files, root = fsspec.core.url_to_fs(place)
    found = {os.path.relpath(path, root): files.cat_file(path) for path in files.find(root) if not path.endswith(("timings.json", ".lock"))}
    assert found == contents(tmp_path / "g" / "store")

    victim = next(name for name in found if name.startswith("attention"))
    files.pipe_file(f"{root}/{victim}", found[victim][:-5])
    result = run(config, "explain", "--store", place)
    assert "is computed again" in result.output
    assert files.cat_file(f"{root}/{victim}") == found[victim]
    assert files.exists(f"{root}/damaged/{victim.replace('/', '-', 1).replace(victim.split('/')[1] + '/', '')}")
    assert run(config, "render", "--store", place).exit_code == 0
    assert (tmp_path / "g" / "site" / "passages" / "white-wall" / "index.html").is_file()
    files.rm(root, recursive=True)


def test_a_url_that_nobody_knows_is_named(tiny: Tiny, tmp_path: Path) -> None:
    result = run(make_gallery(tmp_path, tiny("bert")), "explain", "--store", "nowhere://bucket/x")
    assert result.exit_code == 1
    assert "nowhere://bucket/x: Protocol not known" in result.output
