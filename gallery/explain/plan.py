"""The plan: the entries that each passage needs, and which of them the store lacks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from gallery.attention.encoding import VERSION
from gallery.config import Settings, trial_parameters, tried_methods
from gallery.errors import PassageError
from gallery.evaluation.metrics import TRIALS
from gallery.explain.needs import Need
from gallery.methods import method_of
from gallery.passages.read import Passage
from gallery.passages.true_class import Classes, class_numbers
from gallery.sources.resolve import Source
from gallery.store.entries import Store
from gallery.store.manifest import EntryName
from gallery.store.records import Prediction

VERIFICATION = 1
"""Version of the comparison with Captum; raise it when a change of gallery/evaluation/ alters its numbers."""
SANITY_STEPS = 20
"""Nodes of a path in `build.py sanity`. With 20, completeness is missed by about one per cent on a trained model."""


_SIGMOID_OUTPUTS = {"logit": "logit", "probability": "sigmoid", "log-odds": "logit"}
"""Outputs of a class that is judged by itself, by the setting `output`; its log-odds are its logit."""


@dataclass(frozen=True)
class Job:
    """A passage and the entries it lacks."""

    passage: Passage
    true_classes: tuple[int, ...]
    needs: tuple[Need, ...]
    """All entries of the passage; the prediction alone as long as it is missing, since the others depend on it."""
    missing: tuple[Need, ...]
    """Those of `needs` that must be computed."""


class Planner:
    """Names the entries of passages for one model and one set of settings."""

    def __init__(self, model: Source, tokenizer: Source, settings: Settings, fast: bool = True) -> None:
        """Take the sources and the settings; fast: False where the fast encoder was found to be wrong for this model."""
        problem = model.outputs.problem
        self._several_answers = problem == "multi_label"
        self.settings = settings.model_copy(update={"output": _SIGMOID_OUTPUTS[settings.output]}) if problem != "single_label" else settings
        self.fast, self.former_tokenizer = fast, tokenizer.former_digest
        head = {} if problem == "single_label" else {"head": problem}
        self._model = {"weights": model.digest, "tokenizer": tokenizer.digest, "dtype": settings.dtype, **head} | ({} if fast else {"encoder": "own"})

    def is_for(self, model: Source, tokenizer: Source) -> bool:
        """Tell whether this planner's keys are those of this model and tokenizer."""
        return (self._model["weights"], self._model["tokenizer"]) == (model.digest, tokenizer.digest)

    @cached_property
    def parts(self) -> dict[str, dict[str, Any]]:
        """Part of the work -> what its entries depend on besides the passage; the manifest keeps it to explain later changes."""
        return {need.part: need.depends for need in [self.prediction(""), *self.needs("", (0, 1), 0)]}

    def prediction(self, text: str) -> Need:
        """Return the need of a passage's prediction; the classes to explain are known from it."""
        long = {"long": self.settings.long} if self.settings.long != "cut" else {}
        return self._need("prediction", passage={"text": text}, settings=long)

    def others(self, text: str, prediction: Prediction, true_classes: Sequence[int]) -> list[Need]:
        """Return every other need of a passage.

        Faithfulness is tried on the predicted class, with every method; the random orders serve all of them.
        """
        threshold = self.settings.threshold
        named = [*true_classes, *prediction.verdict(threshold), prediction.ranking[0]]
        return self.needs(text, targets_of(prediction, true_classes, threshold), prediction.ranking[0], _windows(prediction), named)

    def needs(
        self, text: str, targets: Iterable[int], predicted: int, windows: Mapping[str, Any] = MappingProxyType({}), named: Sequence[int] | None = None
    ) -> list[Need]:
        """Return every need but the prediction.

        targets: the classes to explain; predicted is among them; windows: `_windows` of the prediction; named: those of the targets that are
        true or that the model names, None for all; see `explained_by`.
        """
        settings = self.settings
        classes = list(targets)
        whole, first = {"text": text, **windows}, {"text": text}  # attention, heads and bertviz look at the first window
        norms = {"norms": True} if settings.attention.norms else {}
        needs = [
            self._need("attention", settings={"encoding": VERSION, "precision": settings.attention.precision, **norms}, passage=first),
            self._need("heads", passage={**first, "targets": classes}),
        ]
        if settings.bertviz_tokens:
            needs.append(self._need("bertviz", settings={"tokens": settings.bertviz_tokens}, passage=first))
        for method in settings.methods:
            own = {"parameters": method_of(method).parameters(settings)}
            needs += [self._need("attribution", method, target, own, whole) for target in explained_by(method, settings.methods, classes, named or classes)]
            if method_of(method).every_class:
                needs.append(self._need("every_class", method, settings=own, passage=whole))
            if settings.random_orders and method in tried_methods(settings):
                needs.append(
                    self._need("faithfulness", method, predicted, {**own, "tried": trial_parameters(settings, "faithfulness"), "trials": TRIALS}, whole)
                )
            if settings.random_orders and method == settings.methods[0] and not self._several_answers:
                needs.append(self._need("flip", method, predicted, {**own, "tried": trial_parameters(settings, "chance"), "trials": TRIALS}, whole))
        needs.append(self._need("layers", passage=whole))
        if settings.random_orders:
            needs.append(self._need("chance", settings={"parameters": trial_parameters(settings, "chance"), "trials": TRIALS}, passage=whole))
        if settings.interactions:
            method = settings.methods[0]
            tried = {**trial_parameters(settings, "interactions"), "words": settings.interactions}
            needs.append(self._need("interactions", method, predicted, {"parameters": method_of(method).parameters(settings), "tried": tried}, whole))
        if settings.dtype != "float32":
            for method in settings.methods[:1]:
                needs.append(self._need("precision", method, predicted, {"parameters": method_of(method).parameters(settings)}, whole))
        return needs

    def sanity(self, text: str, prediction: Prediction) -> list[Need]:
        """Return the needs of `build.py sanity`; no page waits for them."""
        return [
            self._need(
                "sanity", method, prediction.ranking[0], {"parameters": sanity_parameters(self.settings, method)}, {"text": text, **_windows(prediction)}
            )
            for method in self.settings.methods
        ]

    def verification(self, text: str, prediction: Prediction) -> list[Need]:
        """Return the needs of `build.py verify`: for the predicted class, every method that Captum has too."""
        return [
            self._need(
                "verification",
                method,
                prediction.ranking[0],
                {"parameters": method_of(method).parameters(self.settings), "captum": VERIFICATION},
                {"text": text, **_windows(prediction)},
            )
            for method in self.settings.methods
            if method_of(method).verifiable
        ]

    def with_prediction(self, job: Job, prediction: Prediction, store: Store) -> Job:
        """Return the job of a passage whose prediction has just been computed: all its needs, and those that the store lacks."""
        needs = self.others(job.passage.text, prediction, job.true_classes)
        return replace(job, needs=(*job.needs, *needs), missing=tuple(need for need in needs if not store.has(need.kind, need.key)))

    def _need(
        self,
        kind: str,
        method: str = "",
        target: int | None = None,
        settings: Mapping[str, Any] = MappingProxyType({}),
        passage: Mapping[str, Any] = MappingProxyType({}),
    ) -> Need:
        return Need(EntryName(kind, method, target), self._model, dict(settings), dict(passage))


def sanity_parameters(settings: Settings, method: str) -> dict[str, Any]:
    """Return the parameters of a method for `build.py sanity`: a fixed number of nodes in place of the adaptive rule.

    An order of words needs no sum that is right to a per cent, and the path of a randomised model may never converge.
    """
    return method_of(method).parameters(settings.model_copy(update={"n_steps": settings.n_steps or SANITY_STEPS}))


def _windows(prediction: Prediction) -> dict[str, Any]:
    """Return what reading in windows adds to keys: nothing where the passage fits, so that its entries serve either setting of `long`."""
    return {"long": "windows"} if len(prediction.windows) else {}


def targets_of(prediction: Prediction, true_classes: Sequence[int], threshold: float) -> list[int]:
    """Return the classes to explain, each once: the true classes, those that the model names, the two most probable."""
    return list(dict.fromkeys([*true_classes, *prediction.verdict(threshold), *prediction.ranking[:2]]))


def explained_by(method: str, methods: Sequence[str], classes: Sequence[int], named: Sequence[int]) -> list[int]:
    """Return the classes that a method explains: of the classes to explain, all that cost it nothing or little.

    A method that takes many passes for each class leaves those that are not `named` (the runner-up) to a quick method, where there is one.
    """
    declared = method_of(method)
    costly = "T" in declared.backward and not declared.quick
    covered = any(method_of(other).quick and method_of(other).by_class for other in methods)
    return [target for target in classes if target in named] if costly and covered else list(classes)


Look = Callable[[Passage, Need], object | None]
"""Gives an entry of a passage, or None where it must be computed."""


def jobs(passages: Iterable[Passage | PassageError], classes: Classes, planner: Planner, look: Look) -> Iterator[Job | PassageError]:
    """Yield every passage with the entries it lacks, perhaps none, and the errors among the passages."""
    for passage in passages:
        if isinstance(passage, PassageError):
            yield passage
            continue
        try:
            true_classes = class_numbers(passage, classes)
        except PassageError as error:
            yield error
            continue
        first = planner.prediction(passage.text)
        prediction = look(passage, first)
        if not isinstance(prediction, Prediction):
            yield Job(passage, true_classes, (first,), (first,))
            continue
        needs = planner.others(passage.text, prediction, true_classes)
        yield Job(passage, true_classes, (first, *needs), tuple(need for need in needs if look(passage, need) is None))


def mending(store: Store, report: Callable[[str], None]) -> Look:
    """Read every entry that is there, so that a damaged entry is set aside, reported and computed again."""

    def look(passage: Passage, need: Need) -> object | None:
        record, damage = store.read_sound(need.kind, need.key)
        if damage:
            report(f"{passage.id}: {need.name}: {damage}; it is computed again.")
        return record

    return look
