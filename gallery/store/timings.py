"""How long each part of explaining took; kept beside the entries, part of no key, and never packed.

The file holds sums by part, settings, device and length of text, so its size does not grow with the number of passages.
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
    """Entries that take about the same time: of equal part, settings, device and length of text."""

    part: str
    """prediction, attention, heads, bertviz, chance, layers; attribution, faithfulness, flip or precision, each /<method>."""
    settings: str
    """The first digits of a digest of the model and of the settings on which the part depends."""
    device: str
    size: int
    """Class of length: twice the logarithm to base 2 of the number of characters, rounded."""


@dataclass
class Spent:
    """Sums over the entries of a group."""

    entries: int = 0
    characters: int = 0
    """Characters of all the entries' texts."""
    seconds: float = 0.0


@dataclass
class Timings:
    """Sums by group, with the device and the number of workers of the last run."""

    groups: dict[Group, Spent] = field(default_factory=dict)
    device: str = ""
    """Device of the last run."""
    workers: int = 1

    def add(self, group: Group, spent: Spent) -> None:
        """Add the sums of some entries to their group."""
        known = self.groups.setdefault(group, Spent())
        known.entries += spent.entries
        known.characters += spent.characters
        known.seconds += spent.seconds

    def merge(self, others: Iterable[tuple[Group, Spent]]) -> None:
        """Add the sums of other workers."""
        for group, spent in others:
            self.add(group, spent)

    def estimate(self, part: str, settings: str, characters: int) -> float | None:
        """Return the seconds that an entry will take, or None if no entry of its part was timed.

        Prefers entries of the last run's device, then of the same settings, then of the nearest class of length. From another
        class, time is taken to be proportional to length.
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
        """Return the sums of each part over all its groups."""
        parts: dict[str, Spent] = {}
        for group, spent in sorted(self.groups.items(), key=lambda pair: pair[0].part):
            total = parts.setdefault(group.part, Spent())
            total.entries += spent.entries
            total.characters += spent.characters
            total.seconds += spent.seconds
        return parts


def size_of(characters: int) -> int:
    """Return the class of length of a text; see `Group.size`."""
    return round(2 * math.log2(max(1, characters)))


def settings_digest(parts: Mapping[str, Any]) -> str:
    """Return a short digest of everything on which a part depends."""
    return hashlib.sha256(canonical(parts).encode()).hexdigest()[:12]


def read_timings(store: Store) -> Timings:
    """Return a store's timings, empty if they are missing or damaged: only estimates depend on them."""
    try:
        document = json.loads(store.files.read(TIMINGS))
        groups = {Group(**row["group"]): Spent(**row["spent"]) for row in document["groups"]}
        for group, spent in groups.items():
            if not (all(map(math.isfinite, (group.size, spent.seconds, spent.entries, spent.characters))) and min(spent.entries, spent.characters) > 0):
                return Timings()
        return Timings(groups, str(document["device"]), int(document["workers"]))
    except (OSError, StoreError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return Timings()


def write_timings(store: Store, timings: Timings) -> None:
    """Write a store's timings, whole or not at all; raises StoreError if the system refuses."""
    rows = [{"group": asdict(group), "spent": asdict(spent)} for group, spent in sorted(timings.groups.items(), key=lambda pair: canonical(asdict(pair[0])))]
    store.files.write(TIMINGS, [canonical({"device": timings.device, "workers": timings.workers, "groups": rows}).encode()])
