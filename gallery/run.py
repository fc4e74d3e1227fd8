"""The explain half from end to end: sources, passages, plan, engine, manifest."""

import os
from collections.abc import Iterator
from pathlib import Path

import click

from gallery.classifier import Classifier, load_classifier
from gallery.config import Settings
from gallery.engine import run_local
from gallery.errors import PassageError, StoreError
from gallery.excerpt import bertviz_scripts
from gallery.labels import class_number, label_names
from gallery.lineage import lineage_of, record_lineage
from gallery.manifest import Header, Row, read_header, read_rows, write_manifest
from gallery.passages import Passage, places_of, read_passages
from gallery.plan import Planner, entry_names, jobs, targets_of
from gallery.progress import progress
from gallery.records import Model, Prediction, entry_key
from gallery.sources import Source, resolve_model, resolve_tokenizer
from gallery.store import MANIFEST, Store


def explain_all(settings: Settings, root: Path) -> list[str]:
    """Bring the store up to date with the passages; return a message for every passage that could not be explained.

    Raises a GalleryError where nothing can be done at all: settings, model or store.
    """
    store = Store(root / settings.store)
    store.sweep()
    _set_aside_damaged_manifest(store)
    model = resolve_model(settings.model, root)
    tokenizer = resolve_tokenizer(settings.tokenizer or settings.model, root)
    used = lineage_of(settings, (model, tokenizer))
    for note in dict.fromkeys([*model.notes, *tokenizer.notes]):
        click.echo(note, err=True)
    labels = label_names(model.labels, settings.labels, model.name)
    planner = Planner(model, tokenizer, settings)
    problems: list[str] = []
    pending, total = [], 0
    for job in jobs(_passages(settings, root), labels, planner, store, lambda line: click.echo(line, err=True)):
        if isinstance(job, PassageError):
            problems.append(job.message)
            continue
        total += 1
        if job.missing:
            pending.append(job)

    classifier: Classifier | None = None
    if pending:
        classifier = load_classifier(model, tokenizer, settings)
        with progress("explaining", len(pending)) as advance:
            problems += run_local(classifier, pending, planner, store, settings, lambda job: advance(job.passage.id))
        click.echo(f"{len(pending)} of {total} passages explained; the others were in the store.")
    else:
        click.echo(f"Nothing to explain: all {total} passages are in the store.")
    card = _card(store, model, tokenizer, settings) if classifier is None else classifier.card
    if card is None:
        card = load_classifier(model, tokenizer, settings).card
    header = Header(model=card, methods=settings.methods, scripts=_scripts(store, settings))
    write_manifest(store, header, _rows(settings, root, labels, planner, store))
    if settings.wandb_lineage or settings.wandb_log:
        record_lineage(settings, used, store, click.echo)
    return problems


def _passages(settings: Settings, root: Path) -> Iterator[Passage | PassageError]:
    return read_passages(places_of(settings), root, root / settings.texts if settings.texts else None)


def _card(store: Store, model: Source, tokenizer: Source, settings: Settings) -> Model | None:
    """Return what the last run wrote about this same model, so that it need not be loaded for that alone."""
    try:
        header = read_header(store)
    except StoreError:
        return None
    card = header.model
    same = (card.weights_digest, card.tokenizer_digest, card.source) == (model.digest, tokenizer.digest, settings.model)
    return card if same and card.labels == label_names(model.labels, settings.labels, model.name) else None


def _scripts(store: Store, settings: Settings) -> str | None:
    if not settings.bertviz_tokens:
        return None
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
    path = store.folder / MANIFEST
    if not os.path.lexists(path):
        return
    try:
        read_header(store)
        for _ in read_rows(store):
            pass
    except StoreError as error:
        click.echo(f"{store.set_aside(path, error)}; it is written again.", err=True)


def _rows(settings: Settings, root: Path, labels: tuple[str, ...], planner: Planner, store: Store) -> Iterator[Row]:
    """Yield the manifest's rows: every passage whose entries are all there."""
    for passage in _passages(settings, root):
        if isinstance(passage, PassageError):
            continue
        try:
            true_class = class_number(passage, labels)
        except PassageError:
            continue
        first = planner.prediction(passage.text)
        if not store.has("prediction", first.key):
            continue
        prediction = store.read("prediction", first.key)
        assert isinstance(prediction, Prediction)
        targets = targets_of(prediction, true_class)
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
                targets=tuple(targets),
                entries=dict(entry_names([first, *needs])),
            )
