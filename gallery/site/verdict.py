"""What the model answered, in sentences that a stranger understands: the head of a passage's page, its card and its description."""

from collections.abc import Iterator

import numpy as np

from gallery.site.language import language
from gallery.site.names import answered, mistaken, named, recognised
from gallery.site.passage_input import PassageInput

NAMED = 3
"""Words that the sentence about the strongest words names."""


def lead(passage: PassageInput) -> str:
    """Return who the model says wrote the passage, how surely, and who did."""
    speech = language(passage.code)
    answer, share = passage.labels[passage.predicted], speech.probability(passage.confidence)
    if passage.row.true_classes is not None:
        return answered(speech, passage.answer, share)
    if passage.right and not passage.row.kind:
        return recognised(speech, answer, share)
    sentence = named(speech, answer, share) if passage.right else mistaken(speech, answer, share)
    truth = speech.gettext("It was written in imitation of %(name)s.") if passage.row.kind else speech.gettext("It is by %(name)s.")
    return " ".join([sentence, truth % {"name": passage.author}])


def strongest_words(passage: PassageInput, count: int = NAMED) -> list[tuple[int, str]]:
    """Return number and text of the words that speak most strongly for the model's answer, each spelling once; words with a letter alone."""
    return list(_strongest(passage, count))


def _strongest(passage: PassageInput, count: int) -> Iterator[tuple[int, str]]:
    texts, values = passage.prediction.word_texts(), passage.main.words
    seen: set[str] = set()
    for number in np.argsort(-values, kind="stable").tolist():
        text = texts[number].lower()
        if len(seen) == count or values[number] <= 0:
            return
        if text not in seen and any(c.isalpha() for c in text):
            seen.add(text)
            yield number, text
