"""Training of the demo classifier: runs end to end, goes on after a kill, and does not look at typography."""

import json
import os
import random
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertModel  # noqa: E402

from gallery.training.evaluation import best_temperature, figures, fold_temperature, risk_coverage, wilson_interval  # noqa: E402
from gallery.training.train import train  # noqa: E402
from gallery.training.typography import normalise_typography  # noqa: E402

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("GALLERY_CORPUS", ROOT.parent / "shared" / "data" / "corpus.tar.gz"))
AUTHORS = {"Alpha": "Первый", "Beta": "Второй", "Gamma": "Третий"}
OPTIONS: dict[str, Any] = {
    "steps": 12, "batch_tokens": 256, "lengths": (16, 30), "frozen": 1, "folds": 2, "expert_crops": 12,
    "test_crops": 4, "checkpoint_every": 4, "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three authors of four short works each, who prefer different words."""
    folder = tmp_path_factory.mktemp("corpus")
    draw = random.Random(0)
    common = ["и", "в", "не", "он", "на", "что", "с", "как", "но", "я", "это", "все", "она", "так", "его", "за", "то", "по", "от", "же", "сказал", "был"]
    for number, author in enumerate(AUTHORS):
        own = [f"{stem}{end}" for stem in ("сво", "мил", "дол", "пут")[number : number + 2] for end in ("ой", "ая", "ом")]
        (folder / author).mkdir()
        for work in range(4):
            sentences = [" ".join(draw.choices(common + own * 2, k=9)).capitalize() + f", молвил Пётр{work}." for _ in range(150)]
            (folder / author / f"work{work}.txt").write_text("\n".join(sentences), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    """A random BERT of two layers with a Unigram tokenizer built like the real one."""
    folder = tmp_path_factory.mktemp("base")
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=special, unk_token="<unk>", show_progress=False)
    texts = [path.read_text(encoding="utf-8") for path in sorted(corpus.rglob("*.txt"))]
    tokenizer.train_from_iterator([*texts, '«»"…—–-*_ёЁй!?'], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>"}
    data = {"tokenizer_class": "XLMRobertaTokenizer", "unk_token": "<unk>", "model_max_length": 512} | names
    (folder / "tokenizer_config.json").write_text(json.dumps(data))
    torch.manual_seed(0)
    shape = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=tokenizer.get_vocab_size(), **shape)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, base: Path, corpus: Path) -> Path:
    out = tmp_path_factory.mktemp("trained")
    train(base, corpus, out, authors=AUTHORS, **OPTIONS)
    return out


def test_trained_directory_loads_without_network_and_names_its_classes(trained: Path) -> None:
    script = (
        "from transformers import AutoModelForSequenceClassification as M, AutoTokenizer as T;"
        f"m = M.from_pretrained({str(trained)!r}); t = T.from_pretrained({str(trained)!r});"
        "print(m.config.id2label[int(m(**t('он сказал', return_tensors='pt')).logits.argmax())])"
    )
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"}
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=offline, check=True)
    assert run.stdout.strip() in AUTHORS.values()


def test_figures_tell_of_whole_works_kept_out_of_training(trained: Path) -> None:
    found = json.loads((trained / "figures.json").read_text(encoding="utf-8"))
    assert found["labels"] == list(AUTHORS.values())
    assert set(found["lengths"]) == {"64", "256", "510"}
    assert sum(map(sum, found["lengths"]["64"]["confusion"])) == found["lengths"]["64"]["crops"]
    assert not set(found["split"]["train"]) & set(found["split"]["test"])
    assert found["split"]["test"] == [f"{name}: work3" for name in AUTHORS.values()]


def test_killed_run_goes_on_to_the_same_weights(trained: Path, tmp_path: Path, base: Path, corpus: Path) -> None:
    train(base, corpus, tmp_path, authors=AUTHORS, stop_after=6, **OPTIONS)
    assert not (tmp_path / "config.json").exists()
    train(base, corpus, tmp_path, authors=AUTHORS, **OPTIONS)
    whole = AutoModelForSequenceClassification.from_pretrained(trained).state_dict()
    resumed = AutoModelForSequenceClassification.from_pretrained(tmp_path).state_dict()
    for key, value in whole.items():
        torch.testing.assert_close(resumed[key], value, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("«Всё так»", '"Все так"'),
        ("„Ещё“ ”он”", '"Еще" "он"'),
        ("он… она", "он... она"),
        ("— Да, — сказал", "-- Да, – сказал"),
        ("он - она", "он — она"),
        ("*он* и _она_", "он и она"),
        ("он\u00a0и  она\nтак", "он и она так"),
        ("свои\u0306", "свой"),
        ("за\u0301мок", "замок"),
    ],
)
def test_typography_does_not_reach_the_model(trained: Path, one: str, other: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(trained)
    assert tokenizer(one)["input_ids"] == tokenizer(other)["input_ids"]


def test_hyphen_inside_a_word_and_short_i_stay(trained: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(trained)
    assert tokenizer("кто-то")["input_ids"] != tokenizer("кто—то")["input_ids"]
    assert tokenizer("свой")["input_ids"] != tokenizer("свои")["input_ids"]


def test_offsets_point_into_the_original_text(base: Path, tmp_path: Path) -> None:
    normalise_typography(base, tmp_path)
    text = "«Всё», — сказал он… *в* пути  -- свой"
    encoding = Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode(text, add_special_tokens=False)
    tokens = "".join(encoding.tokens).replace("▁", " ").split()
    assert tokens == ['"Все",', "—", "сказал", "он...", "в", "пути", "—", "свой"]
    for word in ("Всё", "сказал", "он", "пути", "свой"):
        at = text.index(word)
        covering = [(a, b) for a, b in encoding.offsets if a < at + len(word) and b > at]
        assert text[covering[0][0] : covering[-1][1]].strip(" «»,*") == word


def test_temperature_changes_confidence_and_not_the_answer() -> None:
    torch.manual_seed(0)
    classifier, states = torch.nn.Linear(8, 4), torch.randn(64, 8) * 20
    before = classifier(states)
    truth = torch.where(torch.rand(64) < 0.5, before.argmax(-1), torch.randint(0, 4, (64,)))
    temperature = best_temperature([(before.detach(), truth)])
    fold_temperature(classifier, temperature)
    after = classifier(states)
    assert temperature > 1
    assert torch.equal(before.argmax(-1), after.argmax(-1))
    torch.testing.assert_close(after, before / temperature)
    assert figures(after.detach(), truth)["ece"] < figures(before.detach(), truth)["ece"]


def test_wilson_interval_of_eight_in_ten() -> None:
    assert wilson_interval(8, 10) == pytest.approx([0.4902, 0.9433], abs=1e-3)
    assert wilson_interval(10, 10)[1] == pytest.approx(1.0)


def test_risk_among_the_surest() -> None:
    confidence = torch.tensor([0.9, 0.2, 0.8, 0.4])
    right = torch.tensor([True, False, True, False])
    assert risk_coverage(confidence, right, points=4) == [
        {"coverage": 0.25, "risk": 0.0},
        {"coverage": 0.5, "risk": 0.0},
        {"coverage": 0.75, "risk": 0.3333},
        {"coverage": 1.0, "risk": 0.5},
    ]


@pytest.mark.skipif(not CORPUS.exists(), reason="the real corpus is not here")
def test_one_per_cent_of_the_real_corpus(tmp_path: Path, base: Path) -> None:
    """Five works of each of four authors, a few thousand characters each."""
    folder = tmp_path / "corpus"
    taken: dict[str, int] = {}
    with tarfile.open(CORPUS) as archive:
        for member in archive:
            author, work = Path(member.name).parts[-2:] if member.isfile() else ("", "")
            if author not in {"Chekhov", "Tolstoy", "Dostoevsky", "Gogol"} or taken.get(author, 0) == 5:
                continue
            source = archive.extractfile(member)
            text = source.read(80_000).decode("utf-8", "ignore") if source else ""
            taken[author] = taken.get(author, 0) + 1
            (folder / author).mkdir(parents=True, exist_ok=True)
            (folder / author / work).write_text(text, encoding="utf-8")
    train(base, folder, tmp_path / "out", authors={author: author for author in sorted(taken)}, **OPTIONS)
    assert json.loads((tmp_path / "out" / "figures.json").read_text(encoding="utf-8"))["options"]["steps"] == 12
