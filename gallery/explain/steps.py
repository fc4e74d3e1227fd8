"""The steps of explaining a passage, in order: each computes the records of one kind.

Passages go through the steps one at a time: rounding depends on what shares a matrix product, and on a CPU a batch of passages gains
nothing. A step gets the classifier, the tokenised passage, the records made before it and its needs. It asks neither the plan nor the
store nor the settings: a need carries all that its record depends on.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gallery.attention.capture import attend
from gallery.attention.excerpt import bertviz_excerpt
from gallery.attention.heads import head_effects
from gallery.attribution.attribute import attribute, every_class
from gallery.config import AttentionSettings
from gallery.evaluation.depth import by_layer
from gallery.evaluation.faithfulness import chance, faithfulness
from gallery.evaluation.flip import flip
from gallery.evaluation.interactions import interactions
from gallery.evaluation.number_format import compare_with_float32
from gallery.explain.needs import Need
from gallery.methods import method_of
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.manifest import EntryName
from gallery.store.records import Attribution, Faithfulness, Prediction, Record

Earlier = Mapping[EntryName, Record]
"""Records of the same passage that steps before have made, or that the store had."""
Compute = Callable[[Classifier, Tokenized, Earlier, Sequence[Need]], Iterable[Record]]
"""Returns a record for each need, in their order."""


@dataclass(frozen=True)
class Step:
    """How the records of one kind are computed."""

    kind: str
    compute: Compute
    by_method: bool = False
    """Whether each method's needs are computed in a call of their own; else all needs of the kind share one call."""
    reads: Callable[[Need], tuple[EntryName, ...]] = lambda need: ()
    """The earlier entries that a need is computed from."""


def _prediction(classifier: Classifier, tokenized: Tokenized, earlier: Earlier, needs: Sequence[Need]) -> Iterable[Record]:
    return classifier.predict([tokenized])


def _attention(classifier: Classifier, tokenized: Tokenized, earlier: Earlier, needs: Sequence[Need]) -> Iterable[Record]:
    settings = needs[0].settings
    return attend(classifier, [tokenized.parts[0]], AttentionSettings(precision=settings["precision"], norms=settings.get("norms", False)))


def _heads(classifier: Classifier, tokenized: Tokenized, earlier: Earlier, needs: Sequence[Need]) -> Iterable[Record]:
    return head_effects(classifier, [tokenized.parts[0]], [needs[0].passage["targets"]])


def _bertviz(classifier: Classifier, tokenized: Tokenized, earlier: Earlier, needs: Sequence[Need]) -> Iterable[Record]:
    return [bertviz_excerpt(classifier, tokenized, needs[0].settings["tokens"])]


def _attributions(classifier: Classifier, tokenized: Tokenized, earlier: Earlier, needs: Sequence[Need]) -> Iterable[Record]:
    return attribute(method_of(needs[0].method), classifier, [tokenized], [[need.target for need in needs]], needs[0].settings["parameters"])[0]


def _every_class(classifier: Classifier, tokenized: Tokenized, earlier: Earlier, needs: Sequence[Need]) -> Iterable[Record]:
    return [every_class(method_of(need.method), classifier, tokenized, need.settings["parameters"]) for need in needs]


def _chance(classifier: Classifier, tokenized: Tokenized, earlier: Earlier, needs: Sequence[Need]) -> Iterable[Record]:
    return [chance(classifier, tokenized, needs[0].settings["parameters"])]


def _precision(classifier: Classifier, tokenized: Tokenized, earlier: Earlier, needs: Sequence[Need]) -> Iterable[Record]:
    prediction = earlier[EntryName("prediction")]
    assert isinstance(prediction, Prediction)
    return [compare_with_float32(classifier, tokenized, prediction, _attribution(earlier, need), need.settings["parameters"]) for need in needs]


def _faithfulness(classifier: Classifier, tokenized: Tokenized, earlier: Earlier, needs: Sequence[Need]) -> Iterable[Record]:
    return faithfulness(classifier, tokenized, [_attribution(earlier, need) for need in needs], needs[0].settings["tried"])


def _interactions(classifier: Classifier, tokenized: Tokenized, earlier: Earlier, needs: Sequence[Need]) -> Iterable[Record]:
    return [interactions(classifier, tokenized, _attribution(earlier, need), need.settings["tried"]) for need in needs]


def _flip(classifier: Classifier, tokenized: Tokenized, earlier: Earlier, needs: Sequence[Need]) -> Iterable[Record]:
    for need in needs:
        tried = earlier[_faithfulness_name(need)]
        assert isinstance(tried, Faithfulness)
        yield flip(classifier, tokenized, _attribution(earlier, need), tried, need.settings["tried"])


def _layers(classifier: Classifier, tokenized: Tokenized, earlier: Earlier, needs: Sequence[Need]) -> Iterable[Record]:
    prediction = earlier[EntryName("prediction")]
    assert isinstance(prediction, Prediction)
    return [by_layer(classifier, tokenized, prediction.logits)]


def _faithfulness_name(need: Need) -> EntryName:
    return need.name._replace(kind="faithfulness")


def _attribution_name(need: Need) -> EntryName:
    return need.name._replace(kind="attribution")


def _attribution(earlier: Earlier, need: Need) -> Attribution:
    attribution = earlier[_attribution_name(need)]
    assert isinstance(attribution, Attribution)
    return attribution


STEPS = (
    Step("prediction", _prediction),
    Step("attention", _attention),
    Step("heads", _heads),
    Step("bertviz", _bertviz),
    Step("attribution", _attributions, by_method=True),
    Step("every_class", _every_class),
    Step("chance", _chance),
    Step("precision", _precision, reads=lambda need: (EntryName("prediction"), _attribution_name(need))),
    Step("interactions", _interactions, reads=lambda need: (_attribution_name(need),)),
    Step("faithfulness", _faithfulness, reads=lambda need: (_attribution_name(need),)),
    Step("flip", _flip, reads=lambda need: (_attribution_name(need), _faithfulness_name(need))),
    Step("layers", _layers, reads=lambda need: (EntryName("prediction"),)),
)
"""In the order in which a passage goes through them. The first is the prediction, on which all other needs depend."""


def calls(step: Step, needs: Iterable[Need]) -> list[list[Need]]:
    """Return the needs of a step's kind, those together that one call of the step computes."""
    groups: dict[str, list[Need]] = {}
    for need in needs:
        if need.kind == step.kind:
            groups.setdefault(need.method if step.by_method else "", []).append(need)
    return list(groups.values())
