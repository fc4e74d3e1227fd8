"""The state of a store as its manifest tells it: at the end of a run, or while a stage goes on."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import click

from gallery.config import Settings
from gallery.errors import PassageError, StoreError
from gallery.explain.needs import entry_names
from gallery.explain.plan import targets_of
from gallery.explain.prepared import Run, say
from gallery.explain.stages import WHOLE, Stage, first_methods
from gallery.passages.true_class import class_numbers
from gallery.store.entries import MANIFEST, Store
from gallery.store.keys import entry_key
from gallery.store.manifest import Header, Row, read_header, read_rows, write_manifest
from gallery.store.records import Model, Prediction


def write_state(run: Run, card: Model, problems: Sequence[str], stage: Stage = WHOLE) -> None:
    """Write the manifest: of everything, or of what a stage has computed so far, with the parts that are still to come."""
    needs = [run.planner.prediction(""), *run.planner.needs("", (0, 1), 0)]
    unfinished = tuple(dict.fromkeys(need.part for need in needs if not stage.has(need)))
    header = Header(
        model=replace(card, calibration=run.calibration),
        methods=run.settings.methods if stage is WHOLE else first_methods(run.settings.methods),
        scripts=None if "bertviz" in unfinished else _scripts(run.store, run.settings),
        parts={part: depends for part, depends in run.planner.parts.items() if part not in unfinished},
        problems=tuple(problems),
        unfinished=unfinished,
    )
    write_manifest(run.store, header, _rows(run, stage))


def known_card(run: Run) -> Model | None:
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


def set_aside_damaged_manifest(store: Store) -> None:
    """Set aside and report a manifest that cannot be read; the run writes a new manifest in any case."""
    try:
        read_header(store)
        for _ in read_rows(store):
            pass
    except StoreError as error:
        if error.damage and (moved := store.set_aside(MANIFEST, error.damage)):
            say(f"{moved}; it is written again.")


def _rows(run: Run, stage: Stage) -> Iterator[Row]:
    """Yield the manifest's rows: the passages that lack nothing of a stage."""
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
        needs = [need for need in planner.others(passage.text, prediction, true_classes) if stage.has(need)]
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
