"""The explain half from end to end: sources, passages, plan, explaining, manifest."""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from gallery.config import Settings
from gallery.errors import ConfigError, PassageError, StoreError
from gallery.evaluation.calibration_file import read_calibration
from gallery.explain.fallback import FastEncoderError, check_fast_encoder, is_verified, planner_for
from gallery.explain.needs import entry_names
from gallery.explain.plan import Job, Planner, jobs, mending, targets_of
from gallery.explain.plan_report import Survey, describe, present, survey, untouched
from gallery.explain.progress import Log, no_log, progress, slowest
from gallery.explain.wandb_log import lineage_of, record_lineage
from gallery.files import store_location
from gallery.model.labels import label_names
from gallery.passages.problems import Problems
from gallery.passages.read import Passage, passage_paths, read_passages
from gallery.passages.true_class import Classes, class_numbers
from gallery.sources.resolve import Source, resolve_model, resolve_tokenizer
from gallery.store.entries import MANIFEST, Store
from gallery.store.keys import entry_key
from gallery.store.manifest import Header, Row, read_header, read_rows, write_manifest
from gallery.store.records import Model, Prediction
from gallery.store.timings import Timings, read_timings, write_timings

if TYPE_CHECKING:  # torch is loaded when there is something to explain
    from gallery.explain.local import Outcome

_TIMINGS_EVERY = 60.0
"""Seconds between two writes of the timings, so that a killed run keeps most of them."""


@dataclass(frozen=True)
class Run:
    """Everything that the parts of a run share."""

    settings: Settings
    root: Path
    store: Store
    model: Source
    tokenizer: Source
    classes: Classes
    planner: Planner
    timings: Timings
    log: Log
    calibration: dict[str, Any] | None
    """What calibration.json beside the weights holds."""

    def passages(self, say: Callable[[str], None] = lambda note: None) -> Iterator[Passage | PassageError]:
        """Yield the configured passages, and an error in place of each that cannot be used; say: as in `read_passages`."""
        return read_passages(passage_paths(self.settings), self.root, self.root / self.settings.texts if self.settings.texts else None, say)


def prepare(settings: Settings, root: Path, log: Log = no_log) -> Run:
    """Return all that a run needs: model, tokenizer, store and timings. Needs no torch and changes nothing.

    Raises a GalleryError where model, tokenizer or store cannot be read.
    """
    store = Store(store_location(settings.store, root))
    model = resolve_model(settings.model, root)
    tokenizer = resolve_tokenizer(settings.tokenizer or settings.model, root)
    labels = label_names(model.labels, settings.labels, model.name, model.outputs.fault)
    classes = Classes(labels, model.labels, settings.true_class_is, model.outputs.problem == "multi_label")
    calibration = read_calibration(model.folder)
    return Run(settings, root, store, model, tokenizer, classes, planner_for(store, model, tokenizer, settings), read_timings(store), log, calibration)


def plan_all(settings: Settings, root: Path, log: Log = no_log) -> Survey:
    """Print what `explain_all` would do, why, and how long it would take. Computes and writes nothing."""
    run = prepare(settings, root, log)
    plan = survey(run.passages(_say), run.classes, run.planner, run.store, run.timings, untouched(run.store, _say))
    _refuse_none(run, plan)
    click.echo("\n".join(describe(plan, run.timings)))
    _log_survey(run, "plan", plan)
    return plan


def explain_all(settings: Settings, root: Path, log: Log = no_log) -> list[str]:
    """Bring the store up to date with the passages; return a message for every passage that could not be explained.

    The passages are read three times, so that they are never all in memory: to see what they lack, to explain them, and for the
    manifest. Raises a GalleryError where nothing can be done at all: settings, model or store.
    """
    run = prepare(settings, root, log)
    run.store.sweep()
    _set_aside_damaged_manifest(run.store)
    used = lineage_of(settings, (run.model, run.tokenizer))
    for note in dict.fromkeys([*run.model.notes, *run.tokenizer.notes]):
        _say(note)
    plan = survey(run.passages(_say), run.classes, run.planner, run.store, run.timings, present(run.store))
    _refuse_none(run, plan)
    _log_survey(run, "start", plan)
    if plan.pending:
        _say(describe(plan, run.timings)[0])
    for message in plan.problems.messages():
        log("problem", message=message)
    unexplained, wrong = Problems(), []
    try:
        card, explained = _explain(run, plan, unexplained)
    except FastEncoderError as error:
        wrong = [error.message]
        _say(error.message)
        run = replace(run, planner=planner_for(run.store, run.model, run.tokenizer, settings))
        plan = survey(run.passages(), run.classes, run.planner, run.store, run.timings, present(run.store))
        unexplained = Problems()
        card, explained = _explain(run, plan, unexplained)
    problems = [*plan.problems.messages(), *unexplained.messages()]
    run.store.sweep()  # a killed worker of a cluster may have left half a file
    click.echo(_done(plan, explained, unexplained.count))
    card = replace(card, calibration=run.calibration)
    header = Header(model=card, methods=settings.methods, scripts=_scripts(run.store, settings), parts=run.planner.parts, problems=tuple(problems))
    write_manifest(run.store, header, _rows(run))
    if settings.wandb_lineage or settings.wandb_log:
        record_lineage(settings, used, run.store, click.echo)
    log("end", explained=explained, problems=len(problems))
    return [*wrong, *problems]


def _refuse_none(run: Run, plan: Survey) -> None:
    """Raise ConfigError where there is no passage at all, not even one that cannot be used."""
    if not plan.passages and not plan.problems.count:
        paths = ", ".join(passage_paths(run.settings))
        raise ConfigError(f"extra.gallery.passages: {paths}: no passages. Put a Markdown file there for each, or name a table of them.")


def _done(plan: Survey, explained: int, failed: int) -> str:
    """Return what a run has done, in a sentence."""
    if not plan.passages:
        return "Nothing to explain: no passage can be used."
    if not explained and not failed:
        return f"Nothing to explain: all {plan.passages} passages are in the store."
    lacking = f"; {failed} could not be" if failed else ""
    others = "; the others were in the store" if plan.passages > explained + failed else ""
    return f"{explained} of {plan.passages} passages explained{lacking}{others}."


def _explain(run: Run, plan: Survey, problems: Problems) -> tuple[Model, int]:
    """Explain the passages that lack entries; return the model's card and the number of those explained. Adds to `problems`."""
    earlier, spent = deepcopy(run.timings), defaultdict[str, float](float)
    card, explained, kept = _card(run), 0, monotonic()
    said: set[str] = set()  # several workers may say the same of their model
    with closing(_outcomes(run, plan, earlier)) as outcomes, progress("explaining", plan.pending, plan.cost, run.log) as advance:
        try:
            for outcome in outcomes:
                card = outcome.card
                if outcome.problem:
                    problems.add(PassageError(outcome.problem, outcome.passage, outcome.fault))
                    run.log("problem", message=outcome.problem)
                run.timings.merge(outcome.spent)
                run.timings.device, run.timings.workers = outcome.device, outcome.workers
                for group, time in outcome.spent:
                    spent[group.part] += time.seconds
                for line in outcome.notes:
                    if line not in said:
                        _say(line)
                        said.add(line)
                explained += outcome.problem is None
                advance(outcome.passage, outcome.cost, slowest(spent))
                if monotonic() - kept > _TIMINGS_EVERY:
                    kept = monotonic()
                    write_timings(run.store, run.timings)
        finally:
            if spent:
                with suppress(StoreError):
                    write_timings(run.store, run.timings)
    if card is None:
        from gallery.model.loading import load_classifier

        card = load_classifier(run.model, run.tokenizer, run.settings, run.planner.fast).card
    return card, explained


def _outcomes(run: Run, plan: Survey, earlier: Timings) -> "Generator[Outcome, None, None]":
    """Explain on the configured engine; yield the outcome of each passage that lacked something."""
    shortest = None if plan.shortest is None or is_verified(run.store, run.planner, plan.shortest) else plan.shortest
    if run.settings.engine == "ray" and plan.pending:
        from gallery.explain.on_ray import run_ray

        yield from run_ray(run.settings, run.root, run.planner, run.classes, earlier, plan.pending, shortest.id if shortest else None)
        return
    if shortest is None and next(_lacking(run, run.passages()), None) is None:
        return
    from gallery.explain.local import Explainer, run_local
    from gallery.model.loading import load_classifier

    explainer = Explainer(load_classifier(run.model, run.tokenizer, run.settings, run.planner.fast), run.planner, run.store, earlier)
    with closing(explainer):
        failed: set[str] = set()
        if shortest is not None:
            for outcome in run_local(explainer, _lacking(run, [shortest])):
                failed |= {outcome.passage} if outcome.problem else set()
                yield outcome
            if not failed:
                check_fast_encoder(run.store, run.planner, run.model, explainer.classifier, shortest, class_numbers(shortest, run.classes), _say)
        yield from run_local(explainer, (job for job in _lacking(run, run.passages()) if job.passage.id not in failed))


def _lacking(run: Run, passages: Iterable[Passage | PassageError]) -> Iterator[Job]:
    """Yield the passages that lack entries; damaged entries are set aside and reported."""
    look = mending(run.store, _say)
    return (job for job in jobs(passages, run.classes, run.planner, look) if isinstance(job, Job) and job.missing)


def _say(line: str) -> None:
    click.echo(line, err=True)


def _log_survey(run: Run, event: str, plan: Survey) -> None:
    parts = {part: {"entries": entries, "seconds": None if part in plan.untimed else round(seconds, 3)} for part, (entries, seconds) in plan.parts.items()}
    estimate = round(plan.seconds / run.timings.workers, 3) if plan.seconds else None
    run.log(event, passages=plan.passages, pending=plan.pending, estimate_s=estimate, parts=parts, reasons=dict(plan.reasons.most_common(20)))


def _card(run: Run) -> Model | None:
    """Return the model's card from the last manifest, or None where it was another model; saves loading the model."""
    try:
        header = read_header(run.store)
    except StoreError:
        return None
    card = header.model
    same = (card.weights_digest, card.tokenizer_digest, card.source) == (run.model.digest, run.tokenizer.digest, run.settings.model)
    return card if same and card.labels == run.classes.labels and card.loaded and card.threshold == run.settings.threshold else None


def _scripts(store: Store, settings: Settings) -> str | None:
    if not settings.bertviz_tokens:
        return None
    from gallery.attention.excerpt import bertviz_scripts

    scripts = bertviz_scripts()
    key = entry_key(kind="scripts", versions=scripts.versions)
    sound, damage = store.read_sound("scripts", key)
    if damage:
        click.echo(f"scripts: {damage}; it is written again.", err=True)
    if sound is None:
        store.write(key, scripts)
    return key


def _set_aside_damaged_manifest(store: Store) -> None:
    """Set aside and report a manifest that cannot be read; the run writes a new manifest in any case."""
    try:
        read_header(store)
        for _ in read_rows(store):
            pass
    except StoreError as error:
        if error.damage and (moved := store.set_aside(MANIFEST, error.damage)):
            _say(f"{moved}; it is written again.")


def _rows(run: Run) -> Iterator[Row]:
    """Yield the manifest's rows: the passages that lack nothing."""
    store, planner = run.store, run.planner
    for passage in run.passages():
        if isinstance(passage, PassageError):
            continue
        try:
            true_classes = class_numbers(passage, run.classes)
        except PassageError:
            continue
        first = planner.prediction(passage.text)
        if not store.has("prediction", first.key):
            continue
        prediction = store.read("prediction", first.key)
        assert isinstance(prediction, Prediction)
        needs = planner.others(passage.text, prediction, true_classes)
        if all(store.has(need.kind, need.key) for need in needs):
            optional = [*planner.sanity(passage.text, prediction), *planner.verification(passage.text, prediction)]
            needs += [need for need in optional if store.has(need.kind, need.key)]
            yield Row(
                id=passage.id,
                title=passage.title,
                work=passage.work,
                source=passage.source,
                note=passage.note,
                kind=passage.kind,
                year=passage.year,
                edition=passage.edition,
                true_class=true_classes[0] if true_classes else prediction.ranking[0],
                targets=tuple(targets_of(prediction, true_classes, run.settings.threshold)),
                true_classes=true_classes if run.classes.several else None,
                entries=entry_names([first, *needs]),
            )
