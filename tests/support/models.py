"""Tiny random classifiers of every supported architecture, with tokenizers of the same manner as the real ones."""

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    XLMRobertaConfig,
)

SENTENCES = [
    "Свой человек пришёл домой поздно вечером, и никто его не ждал.",
    "В тихой усадьбе, за рекой, жили две сестры и старый Йорик.",
    "Он вошёл, поклонился, сел у окна и долго смотрел на дорогу.",
    "«Что же это такое?» — спросила она; никто не ответил.",
    "The quick brown fox jumps over the lazy dog, again and again.",
]
LABELS = ("Толстой", "Чехов", "Гоголь")
SPECIALS = ("<pad>", "<s>", "</s>", "<unk>", "<mask>")


def make_tokenizer(kind: str, longest: int) -> PreTrainedTokenizerFast:
    names = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]") if kind == "wordpiece" else SPECIALS
    pad, start, end, unknown, mask = names
    if kind == "wordpiece":  # uncased BERT: strips й to и and ё to е in its token strings
        before, normalizer = pre_tokenizers.BertPreTokenizer(), normalizers.BertNormalizer(lowercase=True, strip_accents=True)
        vocabulary = [*names, *_pieces(before, normalizer, "##")]
        made = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(vocabulary)}, unk_token=unknown))
        made.normalizer, made.pre_tokenizer, made.decoder = normalizer, before, decoders.WordPiece()
    elif kind == "bytes":  # RoBERTa: Ġ
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        made.train_from_iterator(SENTENCES, trainers.BpeTrainer(vocab_size=400, special_tokens=list(names), initial_alphabet=alphabet))
    else:  # SentencePiece: ▁
        before, normalizer = pre_tokenizers.Metaspace(), normalizers.NFKC()
        counted = _pieces(before, normalizer, "")
        scored = [(name, 0.0) for name in names] + [(piece, math.log(count / sum(counted.values()))) for piece, count in counted.items()]
        made = Tokenizer(models.Unigram(scored, unk_id=names.index(unknown)))
        made.normalizer, made.pre_tokenizer = normalizer, before
    made.add_special_tokens(list(names))
    made.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=[(start, made.token_to_id(start)), (end, made.token_to_id(end))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token=pad, cls_token=start, sep_token=end, unk_token=unknown, mask_token=mask, model_max_length=longest
    )


def _pieces(before: pre_tokenizers.PreTokenizer, normalizer: normalizers.Normalizer, inside: str) -> dict[str, int]:
    """Count the pieces of the sentences' words: the words, all letters, and what occurs twice; the libraries' own trainers give others at every run."""
    counts: Counter[str] = Counter()
    words = {word for sentence in SENTENCES for word, _ in before.pre_tokenize_str(normalizer.normalize_str(sentence))}
    for word in words:
        counts.update((inside if first else "") + word[first:last] for first in range(len(word)) for last in range(first + 1, min(first + 4, len(word)) + 1))
    letters = {prefix + letter for word in words for letter in word for prefix in ("", inside)}
    return {piece: counts[piece] or 1 for piece in sorted(words | letters | {piece for piece, count in counts.items() if count > 1})}


_SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
_CONFIGS: dict[str, tuple[str, Callable[..., object]]] = {
    "bert": ("wordpiece", lambda **k: BertConfig(**_SMALL, max_position_embeddings=64, **k)),
    "roberta": ("bytes", lambda **k: RobertaConfig(**_SMALL, max_position_embeddings=66, **k)),
    "xlm-roberta": ("pieces", lambda **k: XLMRobertaConfig(**_SMALL, max_position_embeddings=66, **k)),
    "distilbert": ("wordpiece", lambda **k: DistilBertConfig(dim=32, n_layers=3, n_heads=4, hidden_dim=48, max_position_embeddings=64, **k)),
    "electra": ("wordpiece", lambda **k: ElectraConfig(**_SMALL, embedding_size=16, max_position_embeddings=64, **k)),
    "albert": ("pieces", lambda **k: AlbertConfig(**_SMALL, embedding_size=16, max_position_embeddings=64, **k)),
    "deberta-v2": (
        "pieces",
        lambda **k: DebertaV2Config(**_SMALL, max_position_embeddings=64, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=16, **k),
    ),
    "modernbert": (
        "bytes",
        lambda **k: ModernBertConfig(**_SMALL, max_position_embeddings=64, local_attention=8, global_attn_every_n_layers=2, **k),
    ),
}
ARCHITECTURES = tuple(_CONFIGS)


def save_tiny_classifier(folder: Path, architecture: str = "bert", labels: tuple[str, ...] = LABELS, seed: int = 0, longest: int = 64) -> Path:
    """Write a random classifier of an architecture, with its tokenizer, as save_pretrained does; return the folder.

    `longest` inputs other than 64 tokens are for BERT.
    """
    kind, make = _CONFIGS[architecture]
    tokenizer = make_tokenizer(kind, longest)
    torch.manual_seed(seed)
    ids = {
        "pad_token_id": tokenizer.pad_token_id,
        "cls_token_id": tokenizer.cls_token_id,
        "sep_token_id": tokenizer.sep_token_id,
        "bos_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
    }
    config = make(vocab_size=len(tokenizer), id2label=dict(enumerate(labels)), label2id={n: i for i, n in enumerate(labels)}, **ids)
    if longest != 64:
        config.max_position_embeddings = longest  # type: ignore[attr-defined]
    model = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():  # a random initialisation of 0.02 leaves attention uniform and all classes alike
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(5)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
