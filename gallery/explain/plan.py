"""What a build has to compute: the entries every passage needs, and which of them the store lacks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from gallery.attention.encoding import VERSION
from gallery.config import Settings, method_parameters
from gallery.errors import PassageError
from gallery.passages.read import Passage
from gallery.passages.true_class import class_number
from gallery.sources.resolve import Source
from gallery.store.entries import Store
from gallery.store.records import Prediction, entry_key
from gallery.store.timings import settings_digest

SANITY_STEPS = 20
"""Points of a path in `build.py sanity`; at so many, completeness is missed by about one per cent on a trained model."""


@dataclass(frozen=True)
class Need:
    """One entry that a page is made of."""

    name: str
    """prediction, attention, heads, bertviz, chance, or attribution|faithfulness|precision|sanity/<method>/<class>."""
    key: str

    @property
    def kind(self) -> str:
        """The kind of record."""
        return self.name.split("/")[0]

    @property
    def method(self) -> str:
        """The attribution method, for kinds that have one."""
        return self.name.split("/")[1]

    @property
    def part(self) -> str:
        """The part of the work that makes it: its kind, with the method where the time depends on it."""
        return self.name.rpartition("/")[0] or self.name

    @property
    def target(self) -> int:
        """The class that is explained, for kinds that have one."""
        return int(self.name.split("/")[2])


@dataclass(frozen=True)
class Job:
    """A passage with entries that are missing."""

    passage: Passage
    true_class: int
    missing: tuple[Need, ...]
    """What is known to be missing; if it is the prediction, everything else is looked at once that is there."""


class Planner:
    """Names the entries of passages for one model and one set of settings."""

    def __init__(self, model: Source, tokenizer: Source, settings: Settings) -> None:
        self.settings = settings
        self._base = {"weights": model.digest, "tokenizer": tokenizer.digest, "dtype": settings.dtype}
        self._long = {"long": settings.long} if settings.long != "cut" else {}

    def is_for(self, model: Source, tokenizer: Source) -> bool:
        """Tell whether entries of this model and tokenizer have the keys that are named here."""
        return (self._base["weights"], self._base["tokenizer"]) == (model.digest, tokenizer.digest)

    @cached_property
    def parts(self) -> dict[str, dict[str, Any]]:
        """What the keys are made of besides a passage's text and the class that is explained, by part of the work.

        `prediction` is part of every other.
        """
        settings = self.settings
        parts: dict[str, dict[str, Any]] = {
            "prediction": self._base | self._long,
            "attention": {"encoding": VERSION, "precision": settings.attention.precision},
            "heads": {},
            "bertviz": {"bertviz_tokens": settings.bertviz_tokens},
        }
        if settings.random_orders:
            parts["chance"] = method_parameters(settings, "chance")
        for method in settings.methods:
            own = method_parameters(settings, method)
            parts[f"attribution/{method}"] = own
            if settings.random_orders:
                parts[f"faithfulness/{method}"] = {**own, **method_parameters(settings, "faithfulness")}
        if settings.dtype != "float32":
            for method in settings.methods[:1]:
                parts[f"precision/{method}"] = method_parameters(settings, method)
        return parts

    @cached_property
    def digests(self) -> dict[str, str]:
        """Short names of all that each part depends on besides the passage, by which its timings are kept."""
        return {part: settings_digest({**self.parts["prediction"], **own}) for part, own in self.parts.items()}

    def _key(self, kind: str, text: str, **parts: Any) -> str:
        return entry_key(**self._base, kind=kind, text=text, **parts)

    def prediction(self, text: str) -> Need:
        """Return the entry that the others depend on: the classes to explain are known from it."""
        return Need("prediction", self._key("prediction", text, **self._long))

    def others(self, text: str, prediction: Prediction, true_class: int) -> list[Need]:
        """Return every other entry of a passage.

        Faithfulness is tried on the predicted class, with every method; the random orders serve all of them.
        """
        return self.needs(text, targets_of(prediction, true_class), prediction.ranking[0], _read(prediction))

    def needs(self, text: str, targets: Iterable[int], predicted: int, read: Mapping[str, Any] = MappingProxyType({})) -> list[Need]:
        """Return every entry but the prediction, for classes to explain of which one is predicted; read: how a long passage is."""
        settings = self.settings
        classes = list(targets)
        needs = [Need("attention", self._key("attention", text, encoding=VERSION, precision=settings.attention.precision))]
        needs.append(Need("heads", self._key("heads", text, targets=classes)))
        if settings.bertviz_tokens:
            needs.append(Need("bertviz", self._key("bertviz", text, tokens=settings.bertviz_tokens)))
        for method in settings.methods:
            parameters = method_parameters(settings, method)
            for target in classes:
                key = self._key("attribution", text, method=method, parameters=parameters, target=target, **read)
                needs.append(Need(f"attribution/{method}/{target}", key))
            if settings.random_orders:
                tried = method_parameters(settings, "faithfulness")
                key = self._key("faithfulness", text, method=method, parameters=parameters, tried=tried, target=predicted, **read)
                needs.append(Need(f"faithfulness/{method}/{predicted}", key))
        if settings.random_orders:
            needs.append(Need("chance", self._key("chance", text, parameters=method_parameters(settings, "chance"), **read)))
        if settings.dtype != "float32":
            method = settings.methods[0]
            key = self._key("precision", text, method=method, parameters=method_parameters(settings, method), target=predicted, **read)
            needs.append(Need(f"precision/{method}/{predicted}", key))
        return needs

    def sanity(self, text: str, prediction: Prediction) -> list[Need]:
        """Return the entries that `build.py sanity` makes; no page waits for them."""
        predicted = prediction.ranking[0]
        keys = {
            method: self._key("sanity", text, method=method, parameters=sanity_parameters(self.settings, method), target=predicted, **_read(prediction))
            for method in self.settings.methods
        }
        return [Need(f"sanity/{method}/{predicted}", key) for method, key in keys.items()]


def sanity_parameters(settings: Settings, method: str) -> dict[str, Any]:
    """Return the parameters of a method for `build.py sanity`: a fixed number of points where a path would take as many as it needs.

    An order of words needs no sum that is right to a per cent, and the path of a randomised model may be rough without end.
    """
    return method_parameters(settings.model_copy(update={"n_steps": settings.n_steps or SANITY_STEPS}), method)


def _read(prediction: Prediction) -> dict[str, Any]:
    """Return what a passage in windows adds to the keys; one that fits has the same entries either way."""
    return {"long": "windows"} if len(prediction.windows) else {}


def targets_of(prediction: Prediction, true_class: int) -> list[int]:
    """Return the classes to explain, each once: the true one, the predicted one, the runner-up."""
    return list(dict.fromkeys([true_class, *prediction.ranking[:2]]))


Look = Callable[[Passage, Need], object | None]
"""Gives an entry of a passage, or None where it must be computed."""


def jobs(passages: Iterable[Passage | PassageError], labels: Sequence[str], planner: Planner, look: Look) -> Iterator[Job | PassageError]:
    """Yield every passage with the entries it still lacks (perhaps none), and the errors among the passages."""
    for passage in passages:
        if isinstance(passage, PassageError):
            yield passage
            continue
        try:
            true_class = class_number(passage, labels)
        except PassageError as error:
            yield error
            continue
        first = planner.prediction(passage.text)
        prediction = look(passage, first)
        if not isinstance(prediction, Prediction):
            yield Job(passage, true_class, (first,))
            continue
        needs = planner.others(passage.text, prediction, true_class)
        yield Job(passage, true_class, tuple(need for need in needs if look(passage, need) is None))


def mending(store: Store, report: Callable[[str], None]) -> Look:
    """Read every entry that is there, so that a damaged one is set aside, reported and asked for again."""

    def look(passage: Passage, need: Need) -> object | None:
        record, damage = store.read_sound(need.kind, need.key)
        if damage:
            report(f"{passage.id}: {need.name}: {damage}; it is computed again.")
        return record

    return look


def entry_names(needs: Iterable[Need]) -> Mapping[str, str]:
    """Return name -> key, as the manifest lists a passage's entries."""
    return {need.name: need.key for need in needs}
