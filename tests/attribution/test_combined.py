"""How the attributions of a passage's windows become one: by hand."""

from dataclasses import replace

import numpy as np
import pytest

from gallery.attribution.windows import combined
from gallery.model.tokenized import Tokenized, in_windows
from gallery.store.records import Attribution

WORDS = ((0, 3), (4, 7), (8, 11), (12, 15), (16, 19))
PASSAGE = Tokenized(
    text="раз два три пят сем",
    ids=(1, 10, 11, 12, 13, 14, 2),
    tokens=("[CLS]", "раз", "два", "три", "пят", "сем", "[SEP]"),
    offsets=((0, 0), *WORDS, (0, 0)),
    special=(True, *[False] * 5, True),
    words=WORDS,
    token_words=(-1, 0, 1, 2, 3, 4, -1),
    cut=19,
)
IN_TWO = in_windows(PASSAGE, 5)
"""Two windows of three words each, which share the third."""


def part(tokens: list[float], **changes: object) -> Attribution:
    values = np.array(tokens)
    record = Attribution(
        method="integrated_gradients", target=1, parameters={"output": "logit", "delta_tolerance": 0.1}, tokens=values, words=values[1:-1], output="logit",
        output_value=3.0, baseline_value=1.0, delta=0.1, converged=True, steps=17, baseline_probabilities=np.array([0.5, 0.5]), versions={"torch": "2"},
        extra={"rounding": 0.1},
    )  # fmt: skip
    return replace(record, **changes)


FIRST = part([0.5, 1.0, 2.0, 3.0, 0.5])
SECOND = part(
    [1.5, 5.0, -1.0, 7.0, 0.5], output_value=5.0, baseline_value=2.0, delta=-0.3, steps=33, baseline_probabilities=np.array([0.2, 0.8]), extra={"rounding": 0.2}
)


def test_windows_overlap_by_the_third_word() -> None:
    assert [window.tokens for window in IN_TWO.windows] == [(0, 1, 2, 3, 6), (0, 3, 4, 5, 6)]
    assert [window.words for window in IN_TWO.windows] == [(0, 1, 2), (2, 3, 4)]


def test_what_adds_up_in_each_window_adds_up_in_their_mean() -> None:
    one = combined(IN_TWO, [FIRST, SECOND], covering=False)
    assert one.tokens.tolist() == [1.0, 0.5, 1.0, 4.0, -0.5, 3.5, 0.5]
    assert one.words.tolist() == [0.5, 1.0, 4.0, -0.5, 3.5]
    assert (one.output_value, one.baseline_value, one.steps) == (4.0, 1.5, 50)
    assert one.delta == pytest.approx(-0.1)
    assert (one.method, one.target, one.output, one.versions) == ("integrated_gradients", 1, "logit", {"torch": "2"})
    assert one.parameters == {"output": "logit", "delta_tolerance": 0.1, "windows": 2}
    assert one.extra == {"windows": [{"rounding": 0.1}, {"rounding": 0.2}]}
    assert one.layers.shape == (0, 0)


def test_the_empty_texts_probabilities_are_those_of_the_mean_logits() -> None:
    """Odds of 1 : 1 and 1 : 4 have a geometric mean of 1 : 2."""
    assert combined(IN_TWO, [FIRST, SECOND], covering=False).baseline_probabilities == pytest.approx([1 / 3, 2 / 3])
    sure = replace(FIRST, baseline_probabilities=np.array([1.0, 0.0]))
    assert combined(IN_TWO, [sure, SECOND], covering=False).baseline_probabilities == pytest.approx([1, 0])
    alone = replace(SECOND, baseline_probabilities=np.array([0.2, 0.5]))
    each = combined(IN_TWO, [FIRST, alone], covering=False, problem="multi_label").baseline_probabilities
    assert each == pytest.approx([1 / 3, 1 / 2]), "a class that is judged by itself has odds of its own"
    none = replace(FIRST, baseline_probabilities=np.zeros(0))
    assert combined(IN_TWO, [none, SECOND], covering=False).baseline_probabilities.size == 0


def test_it_converges_where_every_window_does_and_their_mean_is_within_the_tolerance() -> None:
    assert combined(IN_TWO, [FIRST, SECOND], covering=False).converged is True
    assert combined(IN_TWO, [FIRST, replace(SECOND, converged=False)], covering=False).converged is False
    off = [replace(one, delta=0.3) for one in (FIRST, SECOND)]
    assert combined(IN_TWO, off, covering=False).converged is False, "0.3 of a change of 2.5"
    assert combined(IN_TWO, [replace(one, delta=0.2) for one in (FIRST, SECOND)], covering=False).converged is True


def test_a_method_that_promises_no_completeness_has_no_delta_in_the_mean_either() -> None:
    windows = [replace(one, delta=None, baseline_value=None, converged=None) for one in (FIRST, SECOND)]
    one = combined(IN_TWO, windows, covering=False)
    assert (one.delta, one.baseline_value, one.converged) == (None, None, None)
    assert one.output_value == 4.0


def test_layers_are_a_mean_over_the_windows() -> None:
    windows = [replace(FIRST, layers=np.array([[1.0, 2, 3], [4, 5, 6]])), replace(SECOND, layers=np.array([[5.0, 6, 7], [8, 9, 10]]))]
    assert combined(IN_TWO, windows, covering=False).layers.tolist() == [[0.5, 1, 4, 3, 3.5], [2, 2.5, 7, 4.5, 5]]


def test_amounts_are_a_mean_over_the_windows_that_hold_the_word() -> None:
    """Bits that a layer keeps of a word do not halve because another window does not hold it."""
    windows = [
        replace(FIRST, method="unified_information", layers=np.array([[1.0, 2, 3]]), delta=None, baseline_value=None, converged=None),
        replace(SECOND, method="unified_information", layers=np.array([[5.0, 6, 7]]), delta=None, baseline_value=None, converged=None),
    ]
    one = combined(IN_TWO, windows, covering=True)
    assert one.tokens.tolist() == [1.0, 1.0, 2.0, 4.0, -1.0, 7.0, 0.5]
    assert one.layers.tolist() == [[1, 2, 4, 6, 7]]
