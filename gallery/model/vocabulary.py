"""Whether a tokenizer knows the letters and the passages it is given, and whether the model knows its tokens."""

from collections.abc import Sequence
from typing import Any

from gallery.errors import SourceError
from gallery.model.tokenized import Tokenized

WARNED = 0.1
"""A passage is named in the log where more than this share of its pieces is unknown to the tokenizer."""
REFUSED = 0.5
"""A passage or a tokenizer is refused where more than this share is unknown."""
_ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz", "абвгдежзийклмнопрстуфхцчшщъыьэюя", "αβγδεζηθικλμνξοπρστυφχψω", "אבגדהוזחטיכלמנסעפצקרשת",
    "ابتثجحخدذرزسشصضطظعغفقكلمنهوي", "कखगघचछजझटठडढतथदधनपफबभमयरलवशसह", "的一是不了人我在有他这中大来上国",
    "あいうえおかきくけこさしすせそた", "가나다라마바사아자차카타파하는이",
    "ակբդեզէըթժիլխծհձղճմյնշոչպջռսվտրցւփքօֆ", "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ", "กขคงจชซญดตถทนบปผพฟมยรลวสหอ",
)  # fmt: skip


def check_vocabulary(tokenizer: Any, name: str, model: str, embedded: int) -> tuple[str, ...]:
    """Return notes on a tokenizer that fits its model; embedded: number of tokens that the model knows.

    Raises SourceError where the tokenizer has no vocabulary, knows no alphabet, or has the vocabulary of another model.
    """
    if not tokenizer.is_fast:
        raise SourceError(f"{name}: this tokenizer does not know a token's characters in the text. Use a tokenizer with a tokenizer.json.")
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise SourceError(f"{name}: the tokenizer knows its {len(tokenizer)} special tokens and no words: its vocabulary is missing. Save the tokenizer again.")
    share = unknown_letters(tokenizer)
    if share > REFUSED:
        raise SourceError(
            f"{name}: of the letters of every alphabet that was tried, at least {share:.0%} are unknown to the tokenizer: "
            "its vocabulary is missing or damaged. Save the tokenizer again, or name another as extra.gallery.tokenizer."
        )
    if tokenizer.vocab_size > embedded:
        raise SourceError(
            f"{name}: {tokenizer.vocab_size} tokens, but the model {model} knows {embedded}. Name the tokenizer it was trained with as extra.gallery.tokenizer."
        )
    if len(tokenizer) > embedded:
        added = len(tokenizer) - embedded
        return (f"{name}: {added} added {'token is' if added == 1 else 'tokens are'} unknown to the model {model}; passages that hold one are refused.",)
    return ()


def unknown_letters(tokenizer: Any) -> float:
    """Return the share of letters, from 0 to 1, that become unknown pieces in the alphabet that the tokenizer knows best."""
    return min(_unknown(tokenizer, tokenizer(" ".join(letters), add_special_tokens=False, verbose=False)["input_ids"]) for letters in _ALPHABETS)


def unknown_pieces(tokenizer: Any, tokenized: Tokenized) -> float:
    """Return the share of a passage's pieces, from 0 to 1, that are unknown to the tokenizer; special tokens apart."""
    return _unknown(tokenizer, [own for own, special in zip(tokenized.ids, tokenized.special, strict=True) if not special])


def check_passage(tokenizer: Any, tokenized: Tokenized, embedded: int) -> str | None:
    """Return a warning where much of a passage is unknown to the tokenizer, else None.

    Raises RuntimeError where most of it is, or where the model does not know a token; embedded: number of tokens that it knows.
    """
    outside = next((token for token, own in zip(tokenized.tokens, tokenized.ids, strict=True) if own >= embedded), None)
    if outside is not None:
        raise RuntimeError(f"it holds the token {outside!r}, which was added to the tokenizer and is unknown to the model")
    share = unknown_pieces(tokenizer, tokenized)
    if share > REFUSED:
        raise RuntimeError(f"{share:.0%} of its pieces are unknown to the tokenizer, so the model would read almost nothing of it")
    return f"{share:.0%} of its pieces are unknown to the tokenizer; the model does not read them" if share > WARNED else None


def _unknown(tokenizer: Any, ids: Sequence[int]) -> float:
    unknown = tokenizer.unk_token_id
    return sum(own == unknown for own in ids) / len(ids) if ids and unknown is not None else 0.0
