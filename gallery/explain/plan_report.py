"""What a build would do, why, and how long it would take; needs no model and changes nothing."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from gallery.errors import PassageError, StoreError
from gallery.explain.change_reasons import Before
from gallery.explain.needs import Need
from gallery.explain.plan import Job, Look, Planner, jobs
from gallery.passages.read import Passage
from gallery.store.entries import Store
from gallery.store.timings import Timings
from gallery.units import duration

_NAMED = 20
"""Passages that are named one by one."""


@dataclass
class Survey:
    """What a build would do, in sums; its size does not depend on the number of passages."""

    passages: int = 0
    pending: int = 0
    """Passages that lack something."""
    cost: float = 0.0
    """What they cost in all, in the units of `cost`."""
    parts: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Part of the work -> entries to compute, and their seconds on one worker as far as they are known."""
    untimed: set[str] = field(default_factory=set)
    """Parts that no time is known of."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why -> passages; one may have several."""
    named: list[tuple[str, str]] = field(default_factory=list)
    """The first passages: id, and why."""
    problems: list[str] = field(default_factory=list)
    """Messages of passages that cannot be used."""

    @property
    def seconds(self) -> float:
        """What is known of the time, on one worker."""
        return sum(seconds for _, seconds in self.parts.values())


def survey(passages: Iterable[Passage | PassageError], labels: Sequence[str], planner: Planner, store: Store, timings: Timings, look: Look) -> Survey:
    """Go through the passages once, and sum up what they lack and why."""
    found, before = Survey(), Before(store)
    for job in jobs(passages, labels, planner, look):
        if isinstance(job, PassageError):
            found.problems.append(job.message)
            continue
        found.passages += 1
        if not job.missing:
            continue
        found.pending += 1
        for need, seconds in _costs(job, planner, timings):
            entries, known = found.parts.get(need.part, (0, 0.0))
            found.parts[need.part] = entries + 1, known + (seconds or 0.0)
            if seconds is None:
                found.untimed.add(need.part)
        found.cost += cost(job, planner, timings)
        why = before.reasons(job, planner)
        found.reasons.update(why)
        if len(found.named) < _NAMED:
            found.named.append((job.passage.id, "; ".join(why)))
    return found


def cost(job: Job, planner: Planner, timings: Timings) -> float:
    """Return what a passage costs beside others: seconds where they are known, else a millisecond a character."""
    return sum(len(job.passage.text) / 1000 if seconds is None else seconds for _, seconds in _costs(job, planner, timings))


def _costs(job: Job, planner: Planner, timings: Timings) -> Iterator[tuple[Need, float | None]]:
    """Yield the entries that a passage lacks, and the seconds each will take, or None.

    One without a prediction lacks all: then two classes are taken to be explained, as when the model is right.
    """
    needs: Iterable[Need] = job.missing
    if any(need.kind == "prediction" for need in needs):
        needs = [*needs, *planner.needs(job.passage.text, (0, 1), 0)]
    for need in needs:
        yield need, timings.estimate(need.part, need.timing, len(job.passage.text))


def present(store: Store) -> Look:
    """Look whether entries are there, and read none but predictions."""

    def look(passage: Passage, need: Need) -> object | None:
        return _read(store, need) if need.kind == "prediction" else store.has(need.kind, need.key) or None

    return look


def untouched(store: Store, report: Callable[[str], None]) -> Look:
    """Read every entry that is there; report a damaged one, and leave it where it is."""

    def look(passage: Passage, need: Need) -> object | None:
        found = _read(store, need)
        if found is None and store.has(need.kind, need.key):
            report(f"{passage.id}: {need.name}: damaged; it would be set aside and computed again.")
        return found

    return look


def _read(store: Store, need: Need) -> object | None:
    try:
        return store.read(need.kind, need.key)
    except StoreError:
        return None


def describe(found: Survey, timings: Timings) -> list[str]:
    """Return the survey as lines for a reader."""
    if not found.pending:
        return [f"Nothing to explain: all {found.passages:,} passages are in the store."]
    lines = [f"{found.pending:,} of {found.passages:,} passages to explain{_estimate(found, timings)}."]
    lines += ["", f"{'passages':>10}  why"]
    lines += [f"{count:>10,}  {why}" for why, count in found.reasons.most_common(_NAMED)]
    lines += ["", f"{'entries':>10}  {'time':>10}  part"]
    for part, (entries, seconds) in sorted(found.parts.items(), key=lambda pair: -pair[1][1]):
        lines.append(f"{entries:>10,}  {'?' if part in found.untimed else duration(seconds):>10}  {part}")
    lines += ["", *(f"{ident}: {why}" for ident, why in found.named)]
    if found.pending > len(found.named):
        lines.append(f"… and {found.pending - len(found.named):,} more.")
    return lines


def _estimate(found: Survey, timings: Timings) -> str:
    if not found.seconds:
        return "; how long it takes is not known before something has been explained here"
    workers = f" with {timings.workers} workers" if timings.workers > 1 else ""
    least = "at least" if found.untimed else "about"
    return f", {least} {duration(found.seconds / timings.workers)}{workers}, judged from what was explained on {timings.device}"
