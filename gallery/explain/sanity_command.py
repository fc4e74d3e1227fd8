"""`build.py sanity`: explanations of a few passages while the model's weights are randomised, layer by layer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gallery.config import Settings
from gallery.errors import GalleryError, command
from gallery.evaluation.sanity import sanity
from gallery.explain.fallback import planner_for
from gallery.explain.needs import Need, entry_names
from gallery.explain.plan import sanity_parameters
from gallery.explain.progress import progress
from gallery.files import store_location
from gallery.model.loading import load_classifier
from gallery.sources.resolve import resolve_model, resolve_tokenizer
from gallery.store.entries import Store
from gallery.store.manifest import EntryName, Row, read_header, read_rows, write_manifest
from gallery.store.records import Array, Prediction, Sanity


def sanity_all(settings: Settings, root: Path, idents: Sequence[str], count: int) -> str:
    """Randomise the model for some explained passages, those named or `count` of them, and return the result as a table.

    Entries of the store are not computed again. Raises a GalleryError where no passage is explained yet, where the store explains
    another model, and where an id is unknown.
    """
    store = Store(store_location(settings.store, root))
    header, rows = read_header(store), list(read_rows(store))
    model = resolve_model(settings.model, root)
    tokenizer = resolve_tokenizer(settings.tokenizer or settings.model, root)
    if (model.digest, tokenizer.digest) != (header.model.weights_digest, header.model.tokenizer_digest):
        raise GalleryError(f"{model.name}: not the model that the store explains. Run: {command('explain')}")
    planner = planner_for(store, model, tokenizer, settings)
    chosen = _chosen(rows, idents, count)
    predictions = {row.id: _prediction(store, row) for row in chosen}
    needs = {ident: planner.sanity(prediction.text, prediction) for ident, prediction in predictions.items()}
    missing = {ident: lacking for ident, wanted in needs.items() if (lacking := [need for need in wanted if store.read_sound(need.kind, need.key)[0] is None])}
    if missing:
        classifier = load_classifier(model, tokenizer, settings, planner.fast)
        with progress("randomising", len(missing) * (header.model.layers + 3)) as advance:
            for ident, lacking in missing.items():
                methods = {need.method: sanity_parameters(planner.settings, need.method) for need in lacking}
                tokenized = classifier.tokenize(predictions[ident].text)
                records = sanity(classifier, tokenized, lacking[0].target, methods, lambda step, ident=ident: advance(f"{ident}: {step}"))  # type: ignore[misc]
                for need, record in zip(lacking, records, strict=True):
                    store.write(need.key, record)
    write_manifest(store, header, [_with(row, planner.sanity(_prediction(store, row).text, _prediction(store, row)), store) for row in rows])
    return _table(store, needs)


def _chosen(rows: Sequence[Row], idents: Sequence[str], count: int) -> list[Row]:
    """Return the rows of the ids, or `count` rows evenly spread over the gallery."""
    if not rows:
        raise GalleryError(f"No passage has been explained yet. Run: {command('explain')}")
    known = {row.id: row for row in rows}
    unknown = [ident for ident in idents if ident not in known]
    if unknown:
        raise GalleryError(f"--id {unknown[0]}: no explained passage of that id. There are: {', '.join(list(known)[:12])}{', …' if len(known) > 12 else ''}")
    if idents:
        return [known[ident] for ident in dict.fromkeys(idents)]
    return [rows[index] for index in sorted({int(position) for position in np.linspace(0, len(rows) - 1, min(count, len(rows))).round()})]


def _prediction(store: Store, row: Row) -> Prediction:
    prediction = store.read("prediction", row.entries[EntryName("prediction")])
    assert isinstance(prediction, Prediction)
    return prediction


def _with(row: Row, needs: Sequence[Need], store: Store) -> Row:
    return replace(row, entries={**row.entries, **entry_names(need for need in needs if store.has(need.kind, need.key))})


def _table(store: Store, needs: Mapping[str, Sequence[Need]]) -> str:
    """Return methods × steps as plain text: the mean over the passages."""
    correlations: dict[str, list[Array]] = {}
    steps: tuple[str, ...] = ()
    for wanted in needs.values():
        for need in wanted:
            record = store.read("sanity", need.key)
            assert isinstance(record, Sanity)
            steps = record.steps
            correlations.setdefault(record.method, []).append(record.correlations)
    short = [step.replace("layer ", "L").replace("classifier", "head").replace("embeddings", "embed") for step in steps]
    width = max(len(method) for method in correlations)
    lines = [f"{'':{width}}" + "".join(f" {step:>7}" for step in short)]
    lines += [f"{method:{width}}" + "".join(f" {value:7.2f}" for value in np.mean(rows, axis=0)) for method, rows in correlations.items()]
    count = len(needs)
    return "\n".join(
        [
            f"Rank correlation with the trained model's words, mean of {count} {'passage' if count == 1 else 'passages'}; randomised down to:",
            *lines,
            "1: the method does not notice what the model has lost. Near 0: it answers to what was learned.",
        ]
    )
