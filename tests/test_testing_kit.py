"""The test kit for methods: our own methods pass, and every broken promise is named."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gallery.attribution.methods.occlusion import occlusion
from gallery.attribution.methods.shapley import shapley
from gallery.methods import Method, method_names, method_of
from gallery.store.records import Attribution
from gallery.testing import check_method

Change = Callable[[Attribution], Attribution]


def broken(change: Change, compute: Callable[..., Any] = occlusion, **declared: Any) -> Method:
    """Return a method whose attributions are those of another, each changed."""

    def computed(*arguments: Any) -> list[list[Attribution]]:
        return [[change(attribution) for attribution in group] for group in compute(*arguments)]

    return replace(method_of("occlusion"), compute=computed, **declared)


def off_by_one(attribution: Attribution) -> Attribution:
    return replace(attribution, method="occlusion", delta=(attribution.delta or 0.0) + 1)


def with_tokens(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Return a change of the tokens after which the words still are sums of something."""
    return lambda attribution: replace(attribution, tokens=change(attribution.tokens))


def spoilt(position: int) -> Change:
    def change(attribution: Attribution) -> Attribution:
        words = attribution.words.copy()
        words[position] = np.nan
        return replace(attribution, words=words)

    return change


def drifting() -> Change:
    counter: Iterator[int] = iter(range(10_000))
    return lambda attribution: replace(attribution, tokens=attribution.tokens * (k := 1 + next(counter)), words=attribution.words * k)


def together(classifier: Any, batch: Sequence[Any], targets: Sequence[Sequence[int]], parameters: Any) -> list[list[Attribution]]:
    """Scale each class's numbers by the number of classes asked."""
    results = occlusion(classifier, batch, targets, parameters)
    return [[replace(a, tokens=a.tokens * len(group), words=a.words * len(group)) for a in group] for group in results]


def forgetful(classifier: Any, *arguments: Any) -> list[list[Attribution]]:
    results = occlusion(classifier, *arguments)
    classifier.model.classifier.bias.data += 1.0
    return results


def only_short(classifier: Any, batch: Sequence[Any], targets: Any, parameters: Any) -> list[list[Attribution]]:
    """Forget the windows: a method that combines them itself must return one attribution for the whole passage."""
    parts = [tokenized.parts[0] for tokenized in batch]
    return occlusion(classifier, parts, targets, parameters)


@pytest.mark.parametrize("name", method_names())
def test_own_methods_pass(name: str) -> None:
    check_method(method_of(name))


BROKEN = {
    "one attribution for each class": replace(method_of("occlusion"), compute=lambda *arguments: [group[:1] for group in occlusion(*arguments)]),
    "names the method 'other'": broken(lambda a: replace(a, method="other")),
    "names class 2": broken(lambda a: replace(a, target=2)),
    r"tokens has the shape \[\d+\], not \[\d+\]": broken(with_tokens(lambda tokens: tokens[:-1])),
    r"words has the shape \[1, \d+\]": broken(lambda a: replace(a, words=a.words[None])),
    r"layers has the shape \[2, 1\]": broken(lambda a: replace(a, layers=np.ones((2, len(a.words) + 1))[:, :1] if len(a.words) > 1 else a.layers)),
    "words holds a number that is not finite": broken(spoilt(0)),
    "output_value holds a number that is not finite": broken(lambda a: replace(a, output_value=float("inf"))),
    "a word is not the sum of its tokens": broken(with_tokens(lambda tokens: 2 * tokens)),
    "a second call gave other numbers": broken(drifting()),
    "depend on the other classes": replace(method_of("occlusion"), compute=together),
    "lack erase='mask'": broken(lambda a: replace(a, parameters={k: v for k, v in a.parameters.items() if k != "erase"})),
    "lack dtype='float32'": broken(lambda a: replace(a, parameters={**a.parameters, "dtype": "float16"})),
    "by_class=False, but two classes": broken(lambda a: a, by_class=False),
    "signed=False, but a number is negative": broken(lambda a: a, signed=False),
    "complete=True, but the record has no baseline_value": broken(lambda a: a, complete=True),
    "complete=True, but the tokens add up to": broken(
        lambda a: replace(a, delta=(a.delta or 0.0) + 1, method="occlusion"), shapley, complete=True, settings=("output", "erase", "samples")
    ),
    "output_value is .*, but the model's logit is": broken(lambda a: replace(a, output_value=a.output_value + 1)),
    r"shape .*\(a passage in windows": replace(method_of("occlusion"), compute=only_short, windows="own"),
}


@pytest.mark.parametrize("sentence", BROKEN)
def test_each_broken_promise_is_named(sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_method(BROKEN[sentence])


def test_a_method_that_changes_the_model_is_caught() -> None:
    from gallery.testing import _tiny_classifier

    with pytest.raises(AssertionError, match="the model answers otherwise"):
        check_method(replace(method_of("occlusion"), compute=forgetful), _tiny_classifier.__wrapped__())
