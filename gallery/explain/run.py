"""The explain half from end to end: sources, passages, plan, explaining, manifest."""

from dataclasses import replace
from pathlib import Path

import click

from gallery.config import Settings
from gallery.errors import ConfigError
from gallery.explain.fallback import FastEncoderError, planner_for
from gallery.explain.in_stages import work
from gallery.explain.plan_report import Survey, describe, present, survey, untouched
from gallery.explain.prepared import Run, prepare, say
from gallery.explain.progress import Log, no_log
from gallery.explain.stages import Follow
from gallery.explain.state import set_aside_damaged_manifest, write_state
from gallery.explain.wandb_log import lineage_of, record_lineage
from gallery.passages.read import passage_paths


def plan_all(settings: Settings, root: Path, log: Log = no_log) -> Survey:
    """Print what `explain_all` would do, why, and how long it would take. Computes and writes nothing."""
    run = prepare(settings, root, log)
    plan = survey(run.passages(say), run.classes, run.planner, run.store, run.timings, untouched(run.store, say))
    _refuse_none(run, plan)
    click.echo("\n".join(describe(plan, run.timings)))
    _log_survey(run, "plan", plan)
    return plan


def explain_all(settings: Settings, root: Path, log: Log = no_log, follow: Follow | None = None) -> list[str]:
    """Bring the store up to date with the passages; return a message for every passage that could not be explained.

    follow: where it is given, the work is done in stages, in this process, and `follow` is told of them.
    The passages are read three times, and once more for each further stage, so that they are never all in memory: to see what they
    lack, to explain them, and for the manifest. Raises a GalleryError where nothing can be done at all: settings, model or store.
    """
    run = prepare(settings, root, log)
    run.store.sweep()
    set_aside_damaged_manifest(run.store)
    used = lineage_of(settings, (run.model, run.tokenizer))
    for note in dict.fromkeys([*run.model.notes, *run.tokenizer.notes]):
        say(note)
    plan = survey(run.passages(say), run.classes, run.planner, run.store, run.timings, present(run.store))
    _refuse_none(run, plan)
    _log_survey(run, "start", plan)
    if plan.pending:
        say(describe(plan, run.timings)[0])
    for message in plan.problems.messages():
        log("problem", message=message)
    wrong = []
    try:
        done = work(run, plan, follow)
    except FastEncoderError as error:
        wrong = [error.message]
        say(error.message)
        run = replace(run, planner=planner_for(run.store, run.model, run.tokenizer, settings))
        plan = survey(run.passages(), run.classes, run.planner, run.store, run.timings, present(run.store))
        done = work(run, plan, follow)
    if follow and follow.stopped():
        return [*wrong, *done.problems.messages()]  # the next run, which was asked for already, goes on from here
    problems = [*plan.problems.messages(), *done.problems.messages()]
    run.store.sweep()  # a killed worker of a cluster may have left half a file
    click.echo(_done(plan, done.explained, done.problems.count))
    if done.card is None:
        from gallery.model.loading import load_classifier

        done.card = load_classifier(run.model, run.tokenizer, run.settings, run.planner.fast).card
    write_state(run, done.card, problems)
    if settings.wandb_lineage or settings.wandb_log:
        record_lineage(settings, used, run.store, click.echo)
    log("end", explained=done.explained, problems=len(problems))
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


def _log_survey(run: Run, event: str, plan: Survey) -> None:
    parts = {part: {"entries": entries, "seconds": None if part in plan.untimed else round(seconds, 3)} for part, (entries, seconds) in plan.parts.items()}
    estimate = round(plan.seconds / run.timings.workers, 3) if plan.seconds else None
    run.log(event, passages=plan.passages, pending=plan.pending, estimate_s=estimate, parts=parts, reasons=dict(plan.reasons.most_common(20)))
