"""A passage as the model reads it: tokens that fall into words of the original text, in one piece or in windows."""

from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from gallery.store.records import Array

OVERLAP = 4
"""Neighbouring windows share at least one token in so many."""


@dataclass(frozen=True)
class Tokenized:
    """A passage as the model reads it: T tokens that fall into W words of the original text."""

    text: str
    ids: tuple[int, ...]
    tokens: tuple[str, ...]
    offsets: tuple[tuple[int, int], ...]
    special: tuple[bool, ...]
    words: tuple[tuple[int, int], ...]
    token_words: tuple[int, ...]
    cut: int
    windows: tuple["Window", ...] = ()
    """What the model reads instead, one after another, where the whole is longer than it can take in at once."""

    @property
    def parts(self) -> tuple["Tokenized", ...]:
        """What goes through the model: the passage itself, or its windows."""
        return tuple(window.tokenized for window in self.windows) or (self,)

    def sum_words(self, tokens: Array) -> Array:
        """Return [..., W] the sums over each word's pieces of [..., T] values; special tokens left out."""
        sums = np.zeros((*tokens.shape[:-1], len(self.words)))
        for token, word in enumerate(self.token_words):
            if word >= 0:
                sums[..., word] += tokens[..., token]
        return sums


@dataclass(frozen=True)
class Window:
    """A stretch of a passage between its special tokens, as long as the model takes."""

    tokenized: Tokenized
    tokens: tuple[int, ...]
    """Where its tokens stand in the passage, special ones included."""
    words: tuple[int, ...]
    """Which words of the passage its words are."""


def in_windows(whole: Tokenized, longest: int) -> Tokenized:
    """Return a passage with the windows it is read in, if it has more than `longest` tokens; else as it is.

    Windows are full and evenly spread, so that none is a short rest, and each begins with a word where there is one near.
    The first is what the model would read of the passage if it were cut.
    """
    content = [place for place, special in enumerate(whole.special) if not special]
    room = longest - (len(whole.ids) - len(content))
    if len(content) <= room:
        return whole
    overlap = room // OVERLAP
    count = ceil((len(content) - overlap) / (room - overlap))
    before, after = range(content[0]), range(content[-1] + 1, len(whole.ids))
    windows = []
    for number in range(count):
        start = _at_a_word([whole.token_words[place] for place in content], round(number * (len(content) - room) / (count - 1)), overlap // 2)
        windows.append(_window(whole, (*before, *content[start : start + room], *after)))
    return replace(whole, windows=tuple(windows))


def _at_a_word(owners: list[int], start: int, most: int) -> int:
    """Return where the next word begins, or `start` itself where that is more than `most` tokens away."""
    for place in range(start, min(start + most + 1, len(owners))):
        if place == 0 or owners[place] != owners[place - 1]:
            return place
    return start


def _window(whole: Tokenized, places: tuple[int, ...]) -> Window:
    words = tuple(dict.fromkeys(whole.token_words[place] for place in places if whole.token_words[place] >= 0))
    number = {word: n for n, word in enumerate(words)} | {-1: -1}
    tokenized = Tokenized(
        text=whole.text,
        ids=tuple(whole.ids[place] for place in places),
        tokens=tuple(whole.tokens[place] for place in places),
        offsets=tuple(whole.offsets[place] for place in places),
        special=tuple(whole.special[place] for place in places),
        words=tuple(whole.words[word] for word in words),
        token_words=tuple(number[whole.token_words[place]] for place in places),
        cut=whole.words[words[-1]][1] if words else 0,
    )
    return Window(tokenized, places, words)
