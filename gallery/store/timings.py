"""How long each part of explaining took: kept beside the entries, no part of any key, and never packed.

Sums only, by part, settings and length of text, so the file stays small whatever the number of passages.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from gallery.errors import StoreError
from gallery.store.entries import TIMINGS, Store
from gallery.store.keys import canonical


@dataclass(frozen=True)
class Group:
    """What entries have in common that took about the same time."""

    part: str
    """prediction, attention, heads, bertviz, chance; attribution, faithfulness or precision, each /<method>."""
    settings: str
    """The first digits of a digest of model, number format and whatever else the part depends on."""
    device: str
    size: int
    """Length of the text: twice the logarithm of its characters to base 2, rounded."""


@dataclass
class Spent:
    """What a group took."""

    entries: int = 0
    characters: int = 0
    """Of all the entries' texts."""
    seconds: float = 0.0


@dataclass
class Timings:
    """Everything that was timed, and by how many workers the last run was done."""

    groups: dict[Group, Spent] = field(default_factory=dict)
    device: str = ""
    """What the last run was computed on."""
    workers: int = 1

    def add(self, group: Group, spent: Spent) -> None:
        """Add what some entries of a group took."""
        known = self.groups.setdefault(group, Spent())
        known.entries += spent.entries
        known.characters += spent.characters
        known.seconds += spent.seconds

    def merge(self, others: Iterable[tuple[Group, Spent]]) -> None:
        """Add what others have timed."""
        for group, spent in others:
            self.add(group, spent)

    def estimate(self, part: str, settings: str, characters: int) -> float | None:
        """Return the seconds that one entry will take, judged from those nearest to it; None where there were none of its part.

        Of the last run's device where there are any, then of the same settings, then of the nearest length, on from which
        time is taken to grow with the length.
        """
        known = [(group, spent) for group, spent in self.groups.items() if group.part == part and spent.entries]
        for fits in (lambda group: group.device == self.device, lambda group: group.settings == settings):
            known = [pair for pair in known if fits(pair[0])] or known
        if not known:
            return None
        size = size_of(characters)
        nearest = min(abs(group.size - size) for group, _ in known)
        near = [(group, spent) for group, spent in known if abs(group.size - size) == nearest]
        seconds = sum(spent.seconds for _, spent in near) / sum(spent.entries for _, spent in near)
        if nearest == 0:
            return seconds
        return seconds * characters / (sum(spent.characters for _, spent in near) / sum(spent.entries for _, spent in near))

    def by_part(self) -> dict[str, Spent]:
        """Return what each part took in all."""
        parts: dict[str, Spent] = {}
        for group, spent in sorted(self.groups.items(), key=lambda pair: pair[0].part):
            total = parts.setdefault(group.part, Spent())
            total.entries += spent.entries
            total.characters += spent.characters
            total.seconds += spent.seconds
        return parts


def size_of(characters: int) -> int:
    """Return the class of length that a text falls into."""
    return round(2 * math.log2(max(1, characters)))


def settings_digest(parts: Mapping[str, Any]) -> str:
    """Return the short name of what a part depends on."""
    return hashlib.sha256(canonical(parts).encode()).hexdigest()[:12]


def read_timings(store: Store) -> Timings:
    """Return a store's timings; none where there are none that can be read, since nothing but estimates depends on them."""
    try:
        found = json.loads(store.files.read(TIMINGS))
        groups = {Group(**row["group"]): Spent(**row["spent"]) for row in found["groups"]}
        for group, spent in groups.items():
            if not (all(map(math.isfinite, (group.size, spent.seconds, spent.entries, spent.characters))) and min(spent.entries, spent.characters) > 0):
                return Timings()
        return Timings(groups, str(found["device"]), int(found["workers"]))
    except (OSError, StoreError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return Timings()


def write_timings(store: Store, timings: Timings) -> None:
    """Write them, whole or not at all.

    Raises StoreError where the system refuses.
    """
    rows = [{"group": asdict(group), "spent": asdict(spent)} for group, spent in sorted(timings.groups.items(), key=lambda pair: canonical(asdict(pair[0])))]
    store.files.write(TIMINGS, [canonical({"device": timings.device, "workers": timings.workers, "groups": rows}).encode()])
