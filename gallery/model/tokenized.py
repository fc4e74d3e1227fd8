"""A passage as the model reads it: tokens that belong to words of the original text, in one piece or in windows."""

from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from gallery.store.records import Array

OVERLAP = 4
"""Neighbouring windows share at least one token in so many."""


@dataclass(frozen=True)
class Tokenized:
    """A passage as the model reads it: T tokens that belong to W words of the original text."""

    text: str
    ids: tuple[int, ...]
    """[T] numbers in the tokenizer's vocabulary."""
    tokens: tuple[str, ...]
    """[T] as the tokenizer prints them."""
    offsets: tuple[tuple[int, int], ...]
    """[T] characters [start, end) of the text."""
    special: tuple[bool, ...]
    """[T] whether the tokenizer added the token."""
    words: tuple[tuple[int, int], ...]
    """[W] characters [start, end) of the text."""
    token_words: tuple[int, ...]
    """[T] the word each token belongs to; -1 for special tokens."""
    cut: int
    """The character of the text behind the last that the model reads."""
    start: int = 0
    """The first character that the model reads, where its tokenizer cuts long texts on the left."""
    windows: tuple["Window", ...] = ()
    """Parts that the model reads one after another, where the whole is longer than the model's input; else empty."""

    @property
    def parts(self) -> tuple["Tokenized", ...]:
        """Inputs of the model: the passage itself, or its windows."""
        return tuple(window.tokenized for window in self.windows) or (self,)

    def sum_words(self, tokens: Array) -> Array:
        """Return the sums [..., W] over each word's pieces of tokens' values [..., T]; special tokens are left out."""
        sums = np.zeros((*tokens.shape[:-1], len(self.words)))
        for token, word in enumerate(self.token_words):
            if word >= 0:
                sums[..., word] += tokens[..., token]
        return sums


@dataclass(frozen=True)
class Window:
    """A stretch of a passage between its special tokens, as long as the model's input."""

    tokenized: Tokenized
    tokens: tuple[int, ...]
    """Index in the passage of each of its tokens, special ones included."""
    words: tuple[int, ...]
    """Index in the passage of each of its words."""

    @property
    def stretch(self) -> tuple[int, int]:
        """Index in the passage of the first token that is not special, and of the token behind the last."""
        own = [index for index, special in zip(self.tokens, self.tokenized.special, strict=True) if not special]
        return own[0], own[-1] + 1


def in_windows(whole: Tokenized, longest: int) -> Tokenized:
    """Return a passage with its windows, if it has more than `longest` tokens; else as it is.

    All windows are full and evenly spread, so that the last is no short rest. Each begins with a word where a word begins nearby.
    The first holds the tokens that the model would read of the passage if it were cut.
    """
    content = [index for index, special in enumerate(whole.special) if not special]
    room = longest - (len(whole.ids) - len(content))
    if len(content) <= room:
        return whole
    overlap = room // OVERLAP
    count = ceil((len(content) - overlap) / (room - overlap))
    before, after = range(content[0]), range(content[-1] + 1, len(whole.ids))
    token_words = [whole.token_words[index] for index in content]
    windows = []
    for number in range(count):
        start = _next_word(token_words, round(number * (len(content) - room) / (count - 1)), overlap // 2)
        windows.append(_window(whole, (*before, *content[start : start + room], *after)))
    return replace(whole, windows=tuple(windows))


def _next_word(token_words: list[int], start: int, most: int) -> int:
    """Return the first token from `start` on that begins a word, or `start` itself where that is more than `most` tokens away."""
    for token in range(start, min(start + most + 1, len(token_words))):
        if token == 0 or token_words[token] != token_words[token - 1]:
            return token
    return start


def _window(whole: Tokenized, indices: tuple[int, ...]) -> Window:
    words = tuple(dict.fromkeys(whole.token_words[index] for index in indices if whole.token_words[index] >= 0))
    number = {word: n for n, word in enumerate(words)} | {-1: -1}
    tokenized = Tokenized(
        text=whole.text,
        ids=tuple(whole.ids[index] for index in indices),
        tokens=tuple(whole.tokens[index] for index in indices),
        offsets=tuple(whole.offsets[index] for index in indices),
        special=tuple(whole.special[index] for index in indices),
        words=tuple(whole.words[word] for word in words),
        token_words=tuple(number[whole.token_words[index]] for index in indices),
        cut=whole.words[words[-1]][1] if words else 0,
    )
    return Window(tokenized, indices, words)
