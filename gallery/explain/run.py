"""The explain half from end to end: sources, passages, plan, explaining, manifest."""

from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import click

from gallery.config import Settings
from gallery.errors import PassageError, StoreError
from gallery.explain.needs import entry_names
from gallery.explain.plan import Job, Planner, jobs, mending, targets_of
from gallery.explain.plan_report import Survey, describe, present, survey, untouched
from gallery.explain.progress import Log, no_log, progress, slowest
from gallery.explain.wandb_log import lineage_of, record_lineage
from gallery.files import store_location
from gallery.model.labels import label_names
from gallery.passages.read import Passage, passage_paths, read_passages
from gallery.passages.true_class import class_number
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
    labels: tuple[str, ...]
    planner: Planner
    timings: Timings
    log: Log

    def passages(self) -> Iterator[Passage | PassageError]:
        """Read the passages, from the first on."""
        return read_passages(passage_paths(self.settings), self.root, self.root / self.settings.texts if self.settings.texts else None)


def prepare(settings: Settings, root: Path, log: Log = no_log) -> Run:
    """Find the model, the tokenizer and the store; needs no torch and changes nothing.

    Raises a GalleryError where one of them cannot be had.
    """
    store = Store(store_location(settings.store, root))
    model = resolve_model(settings.model, root)
    tokenizer = resolve_tokenizer(settings.tokenizer or settings.model, root)
    labels = label_names(model.labels, settings.labels, model.name)
    return Run(settings, root, store, model, tokenizer, labels, Planner(model, tokenizer, settings), read_timings(store), log)


def plan_all(settings: Settings, root: Path, log: Log = no_log) -> Survey:
    """Say what `explain_all` would do, and why, and how long it would take; nothing is computed or written."""
    run = prepare(settings, root, log)
    found = survey(run.passages(), run.labels, run.planner, run.store, run.timings, untouched(run.store, _say))
    click.echo("\n".join(describe(found, run.timings)))
    _log_survey(run, "plan", found)
    return found


def explain_all(settings: Settings, root: Path, log: Log = no_log) -> list[str]:
    """Bring the store up to date with the passages; return a message for every passage that could not be explained.

    Passages are read several times and never held: first to see what they lack, then to explain them, and last for the
    manifest. Raises a GalleryError where nothing can be done at all: settings, model or store.
    """
    run = prepare(settings, root, log)
    run.store.sweep()
    _set_aside_damaged_manifest(run.store)
    used = lineage_of(settings, (run.model, run.tokenizer))
    for note in dict.fromkeys([*run.model.notes, *run.tokenizer.notes]):
        _say(note)
    found = survey(run.passages(), run.labels, run.planner, run.store, run.timings, present(run.store))
    _log_survey(run, "start", found)
    if found.pending:
        _say(describe(found, run.timings)[0])
    problems = list(found.problems)
    for message in problems:
        log("problem", message=message)
    card, explained = _explain(run, found, problems)
    run.store.sweep()  # a worker of a cluster may have been killed while it wrote
    if explained:
        click.echo(f"{explained} of {found.passages} passages explained; the others were in the store.")
    else:
        click.echo(f"Nothing to explain: all {found.passages} passages are in the store.")
    header = Header(model=card, methods=settings.methods, scripts=_scripts(run.store, settings), parts=run.planner.parts)
    write_manifest(run.store, header, _rows(run))
    if settings.wandb_lineage or settings.wandb_log:
        record_lineage(settings, used, run.store, click.echo)
    log("end", explained=explained, problems=len(problems))
    return problems


def _explain(run: Run, found: Survey, problems: list[str]) -> tuple[Model, int]:
    """Explain what lacks something; return the model's card, and how many passages that were."""
    earlier, spent = deepcopy(run.timings), defaultdict[str, float](float)
    card, explained, kept = _card(run), 0, monotonic()
    with closing(_outcomes(run, found, earlier)) as outcomes, progress("explaining", found.pending, found.cost, run.log) as advance:
        try:
            for outcome in outcomes:
                card = outcome.card
                if outcome.problem:
                    problems.append(outcome.problem)
                    run.log("problem", message=outcome.problem)
                run.timings.merge(outcome.spent)
                run.timings.device, run.timings.workers = outcome.device, outcome.workers
                for group, one in outcome.spent:
                    spent[group.part] += one.seconds
                for line in outcome.notes:
                    _say(line)
                explained += 1
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

        card = load_classifier(run.model, run.tokenizer, run.settings).card
    return card, explained


def _outcomes(run: Run, found: Survey, earlier: Timings) -> "Generator[Outcome, None, None]":
    """Explain on the configured engine; yield the outcome of each passage that lacked something."""
    if run.settings.engine == "ray" and found.pending:
        from gallery.explain.on_ray import run_ray

        yield from run_ray(run.settings, run.root, run.planner, run.labels, earlier, found.pending)
        return
    pending = (job for job in jobs(run.passages(), run.labels, run.planner, mending(run.store, _say)) if isinstance(job, Job) and job.missing)
    first = next(pending, None)
    if first is None:
        return
    from gallery.explain.local import Explainer, run_local
    from gallery.model.loading import load_classifier

    explainer = Explainer(load_classifier(run.model, run.tokenizer, run.settings), run.planner, run.store, earlier)
    yield from run_local(explainer, chain([first], pending))


def _say(line: str) -> None:
    click.echo(line, err=True)


def _log_survey(run: Run, event: str, found: Survey) -> None:
    parts = {part: {"entries": entries, "seconds": None if part in found.untimed else round(seconds, 3)} for part, (entries, seconds) in found.parts.items()}
    estimate = round(found.seconds / run.timings.workers, 3) if found.seconds else None
    run.log(event, passages=found.passages, pending=found.pending, estimate_s=estimate, parts=parts, reasons=dict(found.reasons.most_common(20)))


def _card(run: Run) -> Model | None:
    """Return what the last run wrote about this same model, so that it need not be loaded for that alone."""
    try:
        header = read_header(run.store)
    except StoreError:
        return None
    card = header.model
    same = (card.weights_digest, card.tokenizer_digest, card.source) == (run.model.digest, run.tokenizer.digest, run.settings.model)
    return card if same and card.labels == run.labels else None


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
    """Report a manifest that cannot be read; the run writes it anew either way."""
    try:
        read_header(store)
        for _ in read_rows(store):
            pass
    except StoreError as error:
        if moved := store.set_aside(MANIFEST, error.message.split(". Run")[0].removeprefix(f"{store.files.where(MANIFEST)}: ")):
            _say(f"{moved}; it is written again.")


def _rows(run: Run) -> Iterator[Row]:
    """Yield the manifest's rows: every passage whose entries are all there."""
    store, planner = run.store, run.planner
    for passage in run.passages():
        if isinstance(passage, PassageError):
            continue
        try:
            true_class = class_number(passage, run.labels)
        except PassageError:
            continue
        first = planner.prediction(passage.text)
        if not store.has("prediction", first.key):
            continue
        prediction = store.read("prediction", first.key)
        assert isinstance(prediction, Prediction)
        needs = planner.others(passage.text, prediction, true_class)
        if all(store.has(need.kind, need.key) for need in needs):
            needs += [need for need in planner.sanity(passage.text, prediction) if store.has(need.kind, need.key)]
            yield Row(
                id=passage.id,
                title=passage.title,
                work=passage.work,
                source=passage.source,
                note=passage.note,
                true_class=true_class,
                targets=tuple(targets_of(prediction, true_class)),
                entries=entry_names([first, *needs]),
            )
