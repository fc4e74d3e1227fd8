"""What a build has to compute: the entries every passage needs, and which of them the store lacks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gallery.config import Settings, method_parameters
from gallery.encoding import VERSION
from gallery.errors import PassageError
from gallery.labels import class_number
from gallery.passages import Passage
from gallery.records import Prediction, entry_key
from gallery.sources import Source
from gallery.store import Store


@dataclass(frozen=True)
class Need:
    """One entry that a page is made of."""

    name: str
    """prediction, attention, heads, bertviz, chance; attribution, faithfulness or precision, each /<method>/<class>."""
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

    def _key(self, kind: str, text: str, **parts: Any) -> str:
        return entry_key(**self._base, kind=kind, text=text, **parts)

    def prediction(self, text: str) -> Need:
        """Return the entry that the others depend on: the classes to explain are known from it."""
        return Need("prediction", self._key("prediction", text, **({"long": self.settings.long} if self.settings.long != "cut" else {})))

    def others(self, text: str, prediction: Prediction, true_class: int) -> list[Need]:
        """Return every other entry of a passage.

        Faithfulness is tried on the predicted class, with every method; the random orders serve all of them.
        """
        settings = self.settings
        targets, predicted = targets_of(prediction, true_class), prediction.ranking[0]
        read = _read(prediction)
        needs = [Need("attention", self._key("attention", text, encoding=VERSION, precision=settings.attention.precision))]
        needs.append(Need("heads", self._key("heads", text, targets=targets)))
        if settings.bertviz_tokens:
            needs.append(Need("bertviz", self._key("bertviz", text, tokens=settings.bertviz_tokens)))
        for method in settings.methods:
            parameters = method_parameters(settings, method)
            for target in targets:
                needs.append(
                    Need(f"attribution/{method}/{target}", self._key("attribution", text, method=method, parameters=parameters, target=target, **read))
                )
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
            method: self._key("sanity", text, method=method, parameters=method_parameters(self.settings, method), target=predicted, **_read(prediction))
            for method in self.settings.methods
        }
        return [Need(f"sanity/{method}/{predicted}", key) for method, key in keys.items()]


def _read(prediction: Prediction) -> dict[str, Any]:
    """Return what a passage in windows adds to the keys; one that fits has the same entries either way."""
    return {"long": "windows"} if len(prediction.windows) else {}


def targets_of(prediction: Prediction, true_class: int) -> list[int]:
    """Return the classes to explain, each once: the true one, the predicted one, the runner-up."""
    return list(dict.fromkeys([true_class, *prediction.ranking[:2]]))


def jobs(
    passages: Iterable[Passage | PassageError], labels: Sequence[str], planner: Planner, store: Store, report: Callable[[str], None]
) -> Iterator[Job | PassageError]:
    """Yield every passage with the entries it still lacks (perhaps none), and the errors among the passages.

    Every entry that is there is read, so a damaged one is set aside, reported and asked for again.
    """
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
        prediction = _sound(store, first, passage, report)
        if not isinstance(prediction, Prediction):
            yield Job(passage, true_class, (first,))
            continue
        needs = planner.others(passage.text, prediction, true_class)
        yield Job(passage, true_class, tuple(need for need in needs if _sound(store, need, passage, report) is None))


def _sound(store: Store, need: Need, passage: Passage, report: Callable[[str], None]) -> object | None:
    record, damage = store.read_sound(need.kind, need.key)
    if damage:
        report(f"{passage.id}: {need.name}: {damage}; it is computed again.")
    return record


def entry_names(needs: Iterable[Need]) -> Mapping[str, str]:
    """Return name -> key, as the manifest lists a passage's entries."""
    return {need.name: need.key for need in needs}
