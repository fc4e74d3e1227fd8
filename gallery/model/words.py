"""Tokens grouped into words of the original text, by character offsets alone.

Token strings are not the text: an uncased BERT prints `свои` for `свой`, SentencePiece prints `▁`. The characters at a
token's offsets are.
"""

from collections.abc import Sequence

import regex

# A word: letters, marks and digits, with hyphens, apostrophes and joiners inside. Other visible characters are a run of
# the same punctuation mark ("...", "!!"), or a single grapheme (an emoji with its modifiers).
_WORD = regex.compile(
    r"[\p{L}\p{M}\p{N}]+(?:[-\u2010\u2011'’\u00ad\u200c\u200d]+[\p{L}\p{M}\p{N}]+)*|(\p{P})\1*|(?!\s)\X",
)

Span = tuple[int, int]


def split_words(text: str) -> list[Span]:
    """Return the words and punctuation of a text as character spans [start, end), in order, without white space."""
    return [(match.start(), match.end()) for match in _WORD.finditer(text) if not match[0].isspace()]


def group_tokens(text: str, offsets: Sequence[Span], special: Sequence[bool]) -> tuple[list[Span], list[int]]:
    """Return the words that the tokens cover, and for each token the number of its word.

    offsets [T] characters of `text`, special [T] -> words [W] spans, token_words [T] with -1 for special tokens.
    Words that share a token (an unknown piece, `!"`) are joined, so that each token has exactly one word and sums over tokens
    are sums over words. Words without a token, for example behind the model's longest input, are left out. A token without
    visible characters (a lone `▁`) belongs to the next word, or to the last.
    """
    spans = split_words(text)
    touched = [_touched(spans, _visible(text, span)) if not skip else None for span, skip in zip(offsets, special, strict=True)]
    parent = list(range(len(spans)))
    for reach in touched:
        if reach:
            for word in range(reach[0] + 1, reach[1]):
                parent[word] = parent[word - 1]
    # Tokens with overlapping ranges join all their words, so a joined word takes the group of its left neighbour.
    for word in range(1, len(spans)):
        if parent[word] != word:
            parent[word] = parent[word - 1]
    used = sorted({parent[reach[0]] for reach in touched if reach and reach[0] < reach[1]})
    number = {group: index for index, group in enumerate(used)}
    ends: dict[int, int] = {}
    for word, group in enumerate(parent):
        ends[group] = spans[word][1]
    words = [(spans[group][0], ends[group]) for group in used]
    token_words = []
    for (start, _), reach in zip(offsets, touched, strict=True):
        if reach is None:
            token_words.append(-1)
        elif reach[0] < reach[1]:
            token_words.append(number[parent[reach[0]]])
        else:
            token_words.append(next((i for i, (_, end) in enumerate(words) if end > start), len(words) - 1))
    return words, token_words


def _visible(text: str, span: Span) -> Span:
    """Return a span without white space at its ends: SentencePiece counts the space before a word as part of its first piece."""
    start, end = span
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _touched(spans: Sequence[Span], span: Span) -> Span:
    """Return the range [first, last) of words that a span of characters overlaps; empty where it overlaps none."""
    start, end = span
    if start == end:
        return 0, 0
    low, high = 0, len(spans)
    while low < high:  # first word that ends behind `start`
        middle = (low + high) // 2
        if spans[middle][1] <= start:
            low = middle + 1
        else:
            high = middle
    last = low
    while last < len(spans) and spans[last][0] < end:
        last += 1
    return low, last
