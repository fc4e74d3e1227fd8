"""The report of a plan: what a build would do, why, and how long it would take. Needs no model and changes nothing."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from gallery.errors import PassageError, StoreError
from gallery.explain.change_reasons import Before
from gallery.explain.needs import Need
from gallery.explain.plan import Job, Look, Planner, jobs
from gallery.explain.stages import WHOLE, Stage, stages_of
from gallery.passages.problems import Problems
from gallery.passages.read import Passage
from gallery.passages.true_class import Classes
from gallery.store.entries import Store
from gallery.store.timings import Timings
from gallery.units import duration

_NAMED = 20
"""At most so many passages are listed by name."""


@dataclass
class Survey:
    """Totals of what a build would do; the size of this object does not grow with the passages."""

    passages: int = 0
    pending: int = 0
    """Passages that lack entries."""
    cost: float = 0.0
    """Total cost of the pending passages, in the units of `cost`."""
    parts: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Part of the work -> (entries to compute, seconds on one worker as far as known)."""
    untimed: set[str] = field(default_factory=set)
    """Parts without any known time."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Reason -> number of passages; a passage may have several reasons."""
    stages: list[tuple[int, float]] = field(default_factory=list)
    """Of each stage, the passages that lack entries of it and their cost; a later stage counts its own entries alone."""
    named: list[tuple[str, str]] = field(default_factory=list)
    """(id, reasons) of the first passages."""
    shortest: Passage | None = None
    """The usable passage with the fewest characters, which each build verifies."""
    problems: Problems = field(default_factory=Problems)
    """Errors of passages that cannot be used."""

    @property
    def seconds(self) -> float:
        """Seconds on one worker, as far as known."""
        return sum(seconds for _, seconds in self.parts.values())


def survey(passages: Iterable[Passage | PassageError], classes: Classes, planner: Planner, store: Store, timings: Timings, look: Look) -> Survey:
    """Return the totals of what the passages lack, and why; reads the passages once."""
    stages = stages_of(planner.settings.methods)
    totals, before = Survey(stages=[(0, 0.0)] * len(stages)), Before(store)
    for job in jobs(passages, classes, planner, look):
        if isinstance(job, PassageError):
            totals.problems.add(job)
            continue
        totals.passages += 1
        if totals.shortest is None or len(job.passage.text) < len(totals.shortest.text):
            totals.shortest = job.passage
        if not job.missing:
            continue
        totals.pending += 1
        costs = [0.0] * len(stages)
        for need, seconds in _costs(job, planner, timings):
            costs[next(number for number, stage in enumerate(stages) if stage.has(need))] += _weight(job, seconds)
            entries, known = totals.parts.get(need.part, (0, 0.0))
            totals.parts[need.part] = entries + 1, known + (seconds or 0.0)
            if seconds is None:
                totals.untimed.add(need.part)
        totals.cost += sum(costs)
        totals.stages = [(count + (own > 0), total + own) for (count, total), own in zip(totals.stages, costs, strict=True)]
        why = before.reasons(job, planner)
        totals.reasons.update(why)
        if len(totals.named) < _NAMED:
            totals.named.append((job.passage.id, "; ".join(why)))
    return totals


def cost(job: Job, planner: Planner, timings: Timings, stage: Stage = WHOLE) -> float:
    """Return a passage's cost in a stage relative to others: seconds where known, else a millisecond for each character."""
    return sum(_weight(job, seconds) for need, seconds in _costs(job, planner, timings) if stage.has(need))


def _weight(job: Job, seconds: float | None) -> float:
    return len(job.passage.text) / 1000 if seconds is None else seconds


def _costs(job: Job, planner: Planner, timings: Timings) -> Iterator[tuple[Need, float | None]]:
    """Yield (need, seconds) of the entries that a passage lacks; seconds are None where unknown.

    A passage without a prediction lacks all entries; two classes to explain are assumed, as for a right prediction.
    """
    needs: Iterable[Need] = job.missing
    if any(need.kind == "prediction" for need in needs):
        needs = [*needs, *planner.needs(job.passage.text, (0, 1), 0)]
    for need in needs:
        yield need, timings.estimate(need.part, need.timing, len(job.passage.text))


def present(store: Store) -> Look:
    """Return a look that reads predictions, and only asks whether other entries exist."""

    def look(passage: Passage, need: Need) -> object | None:
        return _read(store, need) if need.kind == "prediction" else store.has(need.kind, need.key) or None

    return look


def untouched(store: Store, report: Callable[[str], None]) -> Look:
    """Return a look that reads every entry; a damaged entry is reported and left in the store."""

    def look(passage: Passage, need: Need) -> object | None:
        record = _read(store, need)
        if record is None and store.has(need.kind, need.key):
            report(f"{passage.id}: {need.name}: damaged; it would be set aside and computed again.")
        return record

    return look


def _read(store: Store, need: Need) -> object | None:
    try:
        return store.read(need.kind, need.key)
    except StoreError:
        return None


def describe(survey: Survey, timings: Timings) -> list[str]:
    """Return the survey as lines of text."""
    if not survey.pending:
        return [f"Nothing to explain: all {survey.passages:,} passages are in the store."]
    lines = [f"{survey.pending:,} of {survey.passages:,} passages to explain{_estimate(survey, timings)}."]
    lines += ["", f"{'passages':>10}  why"]
    lines += [f"{count:>10,}  {why}" for why, count in survey.reasons.most_common(_NAMED)]
    lines += ["", f"{'entries':>10}  {'time':>10}  part"]
    for part, (entries, seconds) in sorted(survey.parts.items(), key=lambda pair: -pair[1][1]):
        lines.append(f"{entries:>10,}  {'?' if part in survey.untimed else duration(seconds):>10}  {part}")
    lines += ["", *(f"{ident}: {why}" for ident, why in survey.named)]
    if survey.pending > len(survey.named):
        lines.append(f"… and {survey.pending - len(survey.named):,} more.")
    return lines


def _estimate(survey: Survey, timings: Timings) -> str:
    if not survey.seconds:
        return "; how long it takes is not known before something has been explained here"
    workers = f" with {timings.workers} workers" if timings.workers > 1 else ""
    least = "at least" if survey.untimed else "about"
    return f", {least} {duration(survey.seconds / timings.workers)}{workers}, judged from what was explained on {timings.device}"
