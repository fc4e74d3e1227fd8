"""What an author's page sums up."""

from dataclasses import replace

import numpy as np
import pytest

from gallery.site.pages.author_sums import AuthorSums, Spoken, heads_seen, spoken, stretches
from gallery.store.records import Heads, Prediction

NONE = np.zeros(0)


def said_of(text: str, values: list[float]) -> Spoken:
    ends = np.cumsum([len(word) + 1 for word in text.split()])
    words = np.array([(end - len(word) - 1, end - 1) for word, end in zip(text.split(), ends, strict=True)])
    prediction = Prediction(text, (), NONE, NONE, NONE, words, NONE, len(text), np.array([0.0, 1.0]), {})
    (said,) = spoken(prediction, np.array([values]), "ru")
    return said


def test_words_are_summed_by_dictionary_form_and_lead_to_the_strongest_place() -> None:
    sums = AuthorSums()
    sums.add("one", "Первый", said_of("Душа и души ,", [0.1, 0.0, 0.3, -0.6]))
    sums.add("two", "Второй", said_of("Душу топор", [0.2, -0.8]))
    soul, axe = sums.speaking()
    assert (soul.word, soul.count) == ("душа", 2)
    assert soul.value == pytest.approx((0.4 + 0.2) / 2)
    assert [(place.id, place.word) for place in soul.places] == [("one", 2), ("two", 0)]
    assert axe.word == "топор"
    assert axe.value == pytest.approx(-0.8 / 2)


def test_kinds_of_words_share_all_contributions_and_all_words() -> None:
    sums = AuthorSums()
    said = said_of("Вошёл Пётр и сел .", [0.1, 0.4, 0.1, 0.2, -0.2])
    sums.add_own(said, None)
    shares = {kind.kind: (kind.attribution, kind.words) for kind in sums.kind_shares()}
    assert shares == {"name": (0.4, 0.2), "function": (0.1, 0.2), "punctuation": (0.2, 0.2), "rest": (pytest.approx(0.3), 0.4)}
    assert sums.strongest_heads() == []


def test_heads_are_ranked_by_their_mean_effect_on_the_author() -> None:
    sums = AuthorSums()
    said = said_of("Вошёл", [1.0])
    heads = Heads((1, 0), np.array([np.zeros((2, 2)), [[0.1, -0.5], [0.2, 0.0]]], np.float32), {})
    sums.add_own(said, heads_seen(heads, None, 0))
    sums.add_own(said, heads_seen(replace(heads, effects=-heads.effects), None, 0))
    sums.add_own(said, heads_seen(heads, None, 0))
    strongest = sums.strongest_heads()[0]
    assert (strongest.layer, strongest.head) == (0, 1)
    assert strongest.effect == pytest.approx(-0.5 / 3, rel=1e-4)
    assert heads_seen(replace(heads, effects=np.zeros((0, 0, 0))), None, 0) is None


def test_a_passage_becomes_a_thin_bar() -> None:
    assert stretches([1.0, 2.0, -3.0], 60) == [1.0, 2.0, -3.0]
    assert stretches([1.0] * 120, 60) == [2.0] * 60
    assert stretches([]) == []
