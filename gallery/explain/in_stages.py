"""Passages through the stages of the work, in this process or on a cluster: progress, timings, problems, and states to show on the way."""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING

from gallery.errors import PassageError, StoreError
from gallery.explain.fallback import check_fast_encoder, is_verified
from gallery.explain.plan import Job, jobs, mending
from gallery.explain.plan_report import Survey, present
from gallery.explain.prepared import Run, say
from gallery.explain.progress import Pace, progress, slowest
from gallery.explain.stages import WHOLE, Follow, Stage, stages_of, within
from gallery.explain.state import known_card, write_state
from gallery.passages.problems import Problems
from gallery.passages.read import Passage
from gallery.passages.true_class import class_numbers
from gallery.store.records import Model
from gallery.store.timings import Timings, write_timings
from gallery.units import duration

if TYPE_CHECKING:  # torch is loaded when there is something to explain
    from gallery.explain.local import Explainer, Outcome

_TIMINGS_EVERY = 60.0
"""Seconds between two writes of the timings, so that a killed run keeps most of them."""
_BRIEF = 1.0
"""Seconds; where what each page needs took less, the rest will not keep a reader waiting, and no state between is shown."""

_Outcomes = Callable[[Stage, set[str], Callable[[str], None]], "Generator[Outcome, None, None]"]
"""Explains a stage, but for the passages with these ids; yields the outcome of each passage that lacked something. The function is
called with the title of each passage that is begun."""


@dataclass
class Done:
    """What a run has done."""

    card: Model | None
    problems: Problems = field(default_factory=Problems)
    """Of the passages that could not be explained."""
    explained: int = 0
    """Passages that were explained."""


def work(run: Run, plan: Survey, follow: Follow | None) -> Done:
    """Explain the passages that lack entries, in stages where there is somebody to follow; `follow` as in `explain_all`."""
    follow, staged = follow or Follow(readable=lambda: None), follow is not None and run.settings.engine == "local" and plan.pending > 0
    totals = [*zip(stages_of(run.settings.methods), plan.stages, strict=True)] if staged else [(WHOLE, (plan.pending, plan.cost))]
    done, counted, failed = Done(known_card(run)), set[str](), set[str]()
    with _engine(run, plan, deepcopy(run.timings), follow.stopped) as outcomes:
        for number, (stage, (pending, cost)) in enumerate(totals):
            started, pace = monotonic(), Pace(pending, cost)

            def begin(title: str, pace: Pace = pace) -> None:
                left = f", {duration(pace.left)}" if pace.done else ""
                follow.working(title, f"{min(pace.done + 1, pace.passages)}/{pace.passages}{left}")

            with closing(outcomes(stage, failed, begin)) as own, progress(stage.title, pending, cost, run.log) as advance, _timed(run) as timed:
                for outcome in own:
                    done.card = outcome.card
                    if outcome.problem:
                        done.problems.add(PassageError(outcome.problem, outcome.passage, outcome.fault))
                        failed.add(outcome.passage)
                        run.log("problem", message=outcome.problem)
                        done.explained -= outcome.passage in counted
                    elif outcome.passage not in counted:
                        done.explained += 1
                        counted |= {outcome.passage} if staged else set()  # only stages meet a passage twice
                    pace.add(outcome.cost)
                    advance(outcome.passage, outcome.cost, timed(outcome))
                    if staged and number == 0 and follow.early():
                        _show(run, plan, done, stage, follow)
            more = staged and number == 0 and any(count for count, _ in plan.stages[1:])
            if more and (follow.needed or 2 * pending > plan.passages) and monotonic() - started > _BRIEF and not follow.stopped():
                _show(run, plan, done, stage, follow)
    return done


def _show(run: Run, plan: Survey, done: Done, stage: Stage, follow: Follow) -> None:
    """Write the manifest of what a stage has computed so far, and let the caller show it."""
    if done.card is not None:
        write_state(run, done.card, [*plan.problems.messages(), *done.problems.messages()], stage)
        follow.readable()


@contextmanager
def _timed(run: Run) -> "Iterator[Callable[[Outcome], str]]":
    """Give a function that keeps an outcome's times and notes, and returns the slowest part; the times are written now and then."""
    spent, said, kept = defaultdict[str, float](float), set[str](), monotonic()  # several workers may say the same of their model

    def take(outcome: "Outcome") -> str:
        nonlocal kept
        run.timings.merge(outcome.spent)
        run.timings.device, run.timings.workers = outcome.device, outcome.workers
        for group, time in outcome.spent:
            spent[group.part] += time.seconds
        for line in outcome.notes:
            if line not in said:
                say(line)
                said.add(line)
        if monotonic() - kept > _TIMINGS_EVERY:
            kept = monotonic()
            write_timings(run.store, run.timings)
        return slowest(spent)

    try:
        yield take
    finally:
        if spent:
            with suppress(StoreError):
                write_timings(run.store, run.timings)


@contextmanager
def _engine(run: Run, plan: Survey, earlier: Timings, stopped: Callable[[], bool]) -> "Iterator[_Outcomes]":
    """Give the function that explains a stage on the configured engine; a model is loaded once, when there is something to explain."""
    loaded: list[Explainer] = []
    unverified = None if plan.shortest is None or is_verified(run.store, run.planner, plan.shortest) else plan.shortest

    def on_ray(stage: Stage, without: set[str], begin: Callable[[str], None]) -> "Generator[Outcome, None, None]":
        from gallery.explain.on_ray import run_ray

        yield from run_ray(run.settings, run.root, run.planner, run.classes, earlier, plan.pending, unverified.id if unverified else None)

    def here(stage: Stage, without: set[str], begin: Callable[[str], None]) -> "Generator[Outcome, None, None]":
        nonlocal unverified
        lacking = (within(job, stage) for job in _lacking(run, run.passages(), checked=bool(loaded)) if job.passage.id not in without)
        pending = (job for job in lacking if job.missing)
        first = None if unverified else next(pending, None)
        if first is None and unverified is None:
            return
        from gallery.explain.local import Explainer, run_local
        from gallery.model.loading import load_classifier

        if not loaded:
            loaded.append(Explainer(load_classifier(run.model, run.tokenizer, run.settings, run.planner.fast), run.planner, run.store, earlier))
        if unverified is not None:  # before all else: a wrong fast encoder would spoil every passage
            shortest, unverified = unverified, None
            failed = False
            for outcome in run_local(loaded[0], _lacking(run, [shortest], checked=False), begin, stopped):
                failed = failed or bool(outcome.problem)
                without |= {outcome.passage} if outcome.problem else set()
                yield outcome
            if not failed and not stopped():
                check_fast_encoder(run.store, run.planner, run.model, loaded[0].classifier, shortest, class_numbers(shortest, run.classes), say)
        loaded[0].stage = stage
        yield from run_local(loaded[0], chain([first] if first else [], pending), begin, stopped)

    try:
        yield on_ray if run.settings.engine == "ray" and plan.pending else here
    finally:
        for explainer in loaded:
            explainer.close()


def _lacking(run: Run, passages: Iterable[Passage | PassageError], checked: bool) -> Iterator[Job]:
    """Yield the passages that lack entries; damaged entries are set aside and reported, unless this run has checked them already."""
    look = present(run.store) if checked else mending(run.store, say)
    return (job for job in jobs(passages, run.classes, run.planner, look) if isinstance(job, Job) and job.missing)
