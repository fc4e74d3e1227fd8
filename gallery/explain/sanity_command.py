"""`build.py sanity`: explanations of a few passages while the model's weights are randomised, layer by layer."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gallery.config import Settings
from gallery.evaluation.sanity import sanity
from gallery.explain.explained import explained, prediction_of, spread, with_entries
from gallery.explain.needs import Need
from gallery.explain.plan import Planner, sanity_parameters
from gallery.explain.progress import progress
from gallery.model.loading import load_classifier
from gallery.store.entries import Store
from gallery.store.manifest import Row, write_manifest
from gallery.store.records import Array, Sanity


def sanity_all(settings: Settings, root: Path, idents: Sequence[str], count: int) -> str:
    """Randomise the model for some explained passages, those named or `count` of them, and return the result as a table.

    Entries of the store are not computed again. Raises a GalleryError where no passage is explained yet, where the store explains
    another model, and where an id is unknown.
    """
    gallery = explained(settings, root, idents)
    run, rows, store, planner = gallery.run, gallery.rows, gallery.run.store, gallery.run.planner
    chosen = [row for row in rows if row.id in idents] if idents else spread(rows, count)
    predictions = {row.id: prediction_of(store, row) for row in chosen}
    needs = {ident: planner.sanity(prediction.text, prediction) for ident, prediction in predictions.items()}
    missing = {ident: lacking for ident, wanted in needs.items() if (lacking := [need for need in wanted if store.read_sound(need.kind, need.key)[0] is None])}
    if missing:
        classifier = load_classifier(run.model, run.tokenizer, settings, planner.fast)
        with progress("randomising", len(missing) * (gallery.header.model.layers + 3)) as advance:
            for ident, lacking in missing.items():
                methods = {need.method: sanity_parameters(planner.settings, need.method) for need in lacking}
                tokenized = classifier.tokenize(predictions[ident].text)
                records = sanity(classifier, tokenized, lacking[0].target, methods, lambda step, ident=ident: advance(f"{ident}: {step}"))  # type: ignore[misc]
                for need, record in zip(lacking, records, strict=True):
                    store.write(need.key, record)
    write_manifest(store, gallery.header, [_with_sanity(row, planner, store) for row in rows])
    return _table(store, needs)


def _with_sanity(row: Row, planner: Planner, store: Store) -> Row:
    prediction = prediction_of(store, row)
    return with_entries(row, planner.sanity(prediction.text, prediction), store)


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
