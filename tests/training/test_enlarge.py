"""Enlarging a classifier: what is grafted in does what it says, and the rest of the network stays as it was."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("scipy")

from transformers import BertConfig, BertForSequenceClassification  # noqa: E402

from gallery.training.additive import SHRINK, Additive, Tiles, fit_additive, tile  # noqa: E402
from gallery.training.compose import teach_mask, weigh  # noqa: E402
from gallery.training.corpus import Work  # noqa: E402
from gallery.training.crops import Crop, Sampler, erase_words  # noqa: E402
from gallery.training.graft import extend, graft, make_room  # noqa: E402
from gallery.training.match_crops import match_crops  # noqa: E402
from gallery.training.pair_units import learn_units  # noqa: E402
from gallery.training.room import Units  # noqa: E402
from gallery.training.tune import fit_folds, tune  # noqa: E402

VOCABULARY, CODE = 40, 24
NAMES = ["Первый", "Второй", "Третий"]


def a_work(ids: list[int], starts: list[int], author: int = 0) -> Work:
    size = len(ids)
    return Work(author, "work", "train", "", np.array(ids), np.zeros((size, 2), int), np.array(starts), np.zeros(size, bool), np.zeros(size, int))


@pytest.fixture
def trunk() -> Any:
    torch.manual_seed(0)
    shape = {"hidden_size": 144, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64, "max_position_embeddings": 64}
    config = BertConfig(vocab_size=VOCABULARY, id2label=dict(enumerate(NAMES[:2])), label2id={name: n for n, name in enumerate(NAMES[:2])}, **shape)
    return BertForSequenceClassification(config).eval()


@pytest.fixture
def units() -> Units:
    generator = torch.Generator().manual_seed(1)
    codes = torch.randn(VOCABULARY, CODE, generator=generator) * 0.7
    codes[:4] = 0
    inner = torch.randn(30, 2 * CODE, generator=generator) * 0.3
    out = torch.randn(3, 30, generator=generator) * 0.05
    return Units(codes, inner, torch.zeros(30), out)


def passages(number: int = 6, tokens: int = 50) -> Any:
    inside = torch.randint(4, VOCABULARY, (number, tokens), generator=torch.Generator().manual_seed(2))
    return torch.cat([torch.zeros(number, 1, dtype=torch.long), inside, torch.full((number, 1), 2)], 1)


def test_more_classes_and_units_change_no_answer(trunk: Any) -> None:
    model, ids = extend(trunk, NAMES, units=8), passages()
    old, new = trunk(ids).logits, model(ids).logits
    torch.testing.assert_close(new[:, :2], old)
    torch.testing.assert_close(new[:, 2], old.mean(1))
    torch.testing.assert_close(extend(trunk, NAMES, 8, forget=("Первый",))(ids).logits[:, 0], old.mean(1))


def test_head_looks_at_the_piece_before_whatever_the_pieces(trunk: Any, units: Units) -> None:
    # Rare pieces have embeddings several times as large as common ones.
    trunk.bert.embeddings.word_embeddings.weight.data *= torch.linspace(0.5, 4, VOCABULARY)[:, None]
    model = extend(trunk, NAMES, units=15)
    room = make_room(model, 3, CODE)
    graft(model, room, torch.zeros(VOCABULARY, 3), units, SHRINK, [passages()])
    model.set_attn_implementation("eager")
    attention = model(passages(), output_attentions=True).attentions[0]
    at = torch.arange(1, attention.shape[-1])
    before = torch.cat([attention[:, :, :1, 0], attention[:, :, at, at - 1]], 2)
    assert float(before.detach().amin((0, 2)).max()) > 0.99


def test_evidence_of_pieces_and_pairs_reaches_the_pooler(trunk: Any, units: Units) -> None:
    table = torch.randn(VOCABULARY, 3, generator=torch.Generator().manual_seed(3)) * 0.2
    table[:4] = 0
    model, ids = extend(trunk, NAMES, units=15), passages(12)
    room = make_room(model, 3, CODE)
    graft(model, room, table, units, SHRINK, [ids, ids[:, :20]])
    left = torch.cat([torch.zeros(12, 1, dtype=torch.long), ids[:, :-1]], 1)
    said = table[ids] + torch.stack([units(one, other) for one, other in zip(left, ids, strict=True)])
    wanted = (said - said.mean(-1, keepdim=True)).sum(1) / (ids.shape[1] + SHRINK)
    pooled = model.bert(ids).pooler_output[:, room.evidence]
    got = pooled - pooled.mean(-1, keepdim=True)
    assert float(torch.corrcoef(torch.stack([wanted.flatten(), got.detach().flatten()]))[0, 1]) > 0.95


def test_longer_passages_say_more(trunk: Any, units: Units) -> None:
    table = torch.randn(VOCABULARY, 3, generator=torch.Generator().manual_seed(3)) * 0.1
    table[:4] = 0
    table[4:, 1] += 0.2
    model, ids = extend(trunk, NAMES, units=15), passages(8)
    room = make_room(model, 3, CODE)
    graft(model, room, table, Units(units.codes, units.inner, units.bias, units.out * 0), SHRINK, [ids, ids[:, :20]])

    def said(tokens: int) -> float:
        pooled = model.bert(torch.cat([ids[:, :tokens], ids[:, -1:]], 1)).pooler_output
        return float((pooled[:, room.evidence[1]] - pooled[:, room.evidence[0]]).mean().detach())

    assert said(40) / said(10) == pytest.approx((40 / (40 + SHRINK)) / (10 / (10 + SHRINK)), rel=0.25)


def test_tiles_hold_every_token_once() -> None:
    work = a_work([*range(4, 39)] * 60, list(range(2100)))
    tiles = tile([work], seed=0)
    assert sum(map(len, tiles.ids)) >= len(work.ids) - 40
    assert np.concatenate(tiles.ids).tolist() == work.ids[: sum(map(len, tiles.ids))].tolist()
    assert tiles.weight.sum() == pytest.approx(1)


def test_logits_of_an_additive_model_are_the_sum_over_tokens() -> None:
    pieces = np.zeros((10, 2), np.float32)
    pieces[5], pieces[6] = [1, -1], [2, 0]
    model = Additive(pieces, np.array([5 * 10 + 6]), np.array([[10.0, 0.0]], np.float32), np.ones(1, np.float32))
    # Pieces 5, 6, 6 and the pair (5, 6); the unknown piece 3 lengthens the passage and says nothing.
    assert model.logits([np.array([5, 6, 6, 3])])[0] == pytest.approx([15 / (4 + SHRINK), -1 / (4 + SHRINK)], rel=1e-5)


def test_pairs_tell_authors_apart_whose_pieces_do_not() -> None:
    draw = np.random.default_rng(0)
    ids = []
    for row in range(60):
        turn = draw.permutation(30)
        ids.append(np.concatenate([[[5, 6], [6, 5]][row % 2] + [7 + int(k) % 9] for k in turn]).astype(np.int64))
    author = np.arange(60) % 2
    model = fit_additive(Tiles(ids, author, np.full(60, 1 / 60)), 20, 2, least=5)
    assert (model.logits(ids).argmax(1) == author).all()
    assert np.abs(model.pieces[5:7]).max() < np.abs(model.pairs).max() / 10


def test_units_say_what_the_pairs_say_and_go_on_after_a_kill(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    keys = np.unique(draw.integers(4, 40, (80, 2)) @ [40, 1])
    model = Additive(np.zeros((40, 3), np.float32), keys, draw.normal(size=(len(keys), 3)).astype(np.float32), np.ones(len(keys), np.float32))
    options: dict[str, Any] = {"code": 16, "units": 128, "batch": 256}
    crops = [draw.integers(4, 40, 60) for _ in range(10)]
    units, scale = learn_units(model, [0, 1, 2, 3], crops, tmp_path / "units.pt", steps=200, **options)
    left, right = torch.from_numpy(keys // 40), torch.from_numpy(keys % 40)
    wanted = torch.from_numpy(model.pairs / scale)
    assert float((units(left, right) - wanted).square().mean() / wanted.square().mean()) < 0.2
    assert float(units.codes[:4].abs().max()) == 0
    again, _ = learn_units(model, [0, 1, 2, 3], crops, tmp_path / "units.pt", steps=200, **options)
    torch.testing.assert_close(again.out, units.out)


def test_erasing_takes_whole_words() -> None:
    crop = Crop(a_work([10, 11, 12, 13, 14, 15], [0, 2, 3]), 0, 6)
    rng = np.random.default_rng(0)
    for _ in range(20):
        erased = erase_words(crop, crop.ids(), 0.5, 99, rng) == 99
        assert erased[0] == erased[1]
        assert erased[3] == erased[4] == erased[5]
    assert (erase_words(crop, crop.ids(), 1.0, 99, rng) == 99).all()
    assert erase_words(crop, crop.ids(), 0.0, 99, rng).tolist() == crop.ids().tolist()


def test_weighing_finds_where_the_evidence_is(trunk: Any) -> None:
    model = extend(trunk, NAMES, units=0)
    room = make_room(model, 3, CODE)
    truth = torch.arange(300) % 3
    pooled = torch.randn(300, 144, generator=torch.Generator().manual_seed(0)) * 0.1
    pooled[torch.arange(300), torch.tensor(room.evidence)[truth]] += 0.2
    factors = weigh(model, room, pooled, truth, fresh=[2])
    assert factors["evidence"] > 5
    assert float((model.classifier(pooled).argmax(-1) == truth).float().mean()) > 0.8


def test_mask_learns_to_say_nothing_and_nothing_else_changes(trunk: Any) -> None:
    model = extend(trunk, NAMES, units=0)
    room = make_room(model, 3, CODE)
    model.classifier.weight.data *= 20
    mask, ids = 4, torch.full((6, 20), 4)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    uniform = torch.full((6, 3), 1 / 3)

    def loss() -> float:
        return float(torch.nn.functional.cross_entropy(model(ids).logits, uniform).detach())

    start = loss()
    teach_mask(model, room, mask, ids, uniform, steps=40, learning_rate=0.05)
    assert loss() - math.log(3) < 0.5 * (start - math.log(3))
    for key, value in model.state_dict().items():
        changed = (value != before[key]).nonzero()
        assert len(changed) == 0 or (key.endswith("word_embeddings.weight") and set(changed[:, 0].tolist()) == {mask})


def test_tuning_learns_what_pairs_cannot_tell_and_touches_nothing_else(trunk: Any, tmp_path: Path) -> None:
    # Authors differ in what stands three places apart: neither a piece nor a pair of neighbours tells them apart.
    draw = np.random.default_rng(0)
    works = []
    for author in (0, 1):
        ids = draw.integers(4, VOCABULARY - 1, (400, 4))
        ids[:, 3] = ids[:, 0] if author == 0 else ids[::-1, 0]
        works += [replace(a_work(ids.ravel().tolist(), list(range(0, 1600, 4)), author), fold=np.full(1600, fold)) for fold in (0, 1)]
    torch.manual_seed(0)
    model = extend(trunk, NAMES[:2], units=4)
    room = make_room(model, 2, 8)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    folds = fit_folds(works, VOCABULARY, 2, folds=2, least=2, iterations=5)
    assert [len(fold.pieces) for fold in folds] == [VOCABULARY] * 2
    tune(model, room, Sampler(works, 2, seed=1), folds, VOCABULARY - 1, tmp_path / "tuned.pt", minutes=0.02, frozen=1, tokens=128, lengths=(16, 32))
    after = model.state_dict()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert {"classifier.weight", "bert.encoder.layer.1.attention.self.query.weight"} <= changed
    assert [name for name in changed if "embeddings" in name or "layer.0." in name] == []
    with_evidence = [number for number in room.all() if float(after["classifier.weight"][:, number].abs().max())]
    assert with_evidence == []
    assert float(after["bert.pooler.dense.weight"][room.all()].abs().max()) == 0


def test_units_come_nearer_to_the_additive_model_on_crops(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    crops = [draw.integers(4, 20, 60) for _ in range(30)]
    keys = np.unique(np.concatenate([crop[:-1] * VOCABULARY + crop[1:] for crop in crops]))
    pairs = draw.normal(size=(len(keys), 3)).astype(np.float32)
    model = Additive(np.zeros((VOCABULARY, 3), np.float32), keys, pairs, np.ones(len(keys), np.float32))
    first, scale = learn_units(model, [0, 1, 2, 3], crops, tmp_path / "units.pt", code=8, units=24, steps=60, batch=256)
    tiles = Tiles(crops, np.zeros(30, int), np.ones(30))

    def missed(units: Units, change: Any) -> float:
        wrong = []
        for crop in crops:
            ids = torch.from_numpy(crop)
            said = units(torch.cat([ids[:1] * 0, ids[:-1]]), ids) + change[ids]
            wanted = torch.from_numpy(model.logits([crop])[0]) * (60 + SHRINK) / scale
            gap = said.sum(0) - wanted
            wrong.append(float((gap - gap.mean()).square().mean()))
        return float(np.mean(wrong))

    refined, change = match_crops(first, model, scale, [0, 1, 2, 3], tiles, tmp_path / "matched.pt", steps=240, tokens=600)
    assert missed(refined, change) < 0.95 * missed(first, change * 0)
    assert float(change[:4].abs().max()) == 0
    again, _ = match_crops(first, model, scale, [0, 1, 2, 3], tiles, tmp_path / "matched.pt", steps=240, tokens=600)
    torch.testing.assert_close(again.codes, refined.codes)
