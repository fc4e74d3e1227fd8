"""`build.py verify`: attributions of the store held against Captum's, the cheapest passages first."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from gallery.config import Settings
from gallery.errors import GalleryError, command
from gallery.evaluation.metrics import VERIFICATION_LIMIT
from gallery.explain.explained import explained, prediction_of, spread, with_entries
from gallery.explain.fallback import FastEncoderError, fall_back
from gallery.explain.plan import Planner
from gallery.explain.progress import progress
from gallery.explain.verification import Passage, apart, passage_of, unverified, verified
from gallery.methods import method_of
from gallery.model.loading import load_classifier
from gallery.store.entries import Store
from gallery.store.manifest import Row, write_manifest
from gallery.store.records import Verification


def verify_all(settings: Settings, root: Path, idents: Sequence[str], every: bool, count: int) -> tuple[str, list[str]]:
    """Verify explained passages: those named, all, or `count` spread over the lengths; return a table and the problems.

    What the store has is not computed again, and each result is written at once, so an interrupted run goes on where it stopped.
    Raises GalleryError where the fast encoder is to blame for a difference above 3 %, which the store remembers; where no passage is
    explained yet, or not with these settings; where no method has a counterpart in Captum; and where an id is unknown.
    """
    gallery = explained(settings, root, idents)
    run, rows, store, planner = gallery.run, gallery.rows, gallery.run.store, gallery.run.planner
    if not planner.verification("", prediction_of(store, rows[0])):
        raise GalleryError(f"extra.gallery.methods: Captum has none of {', '.join(settings.methods)} with the same definition, so there is nothing to verify.")
    passages = _chosen([_passage(store, planner, row) for row in rows], idents, every, count)
    missing = [(passage, lacking) for passage in passages if (lacking := unverified(store, passage))]
    problems = []
    if missing:
        classifier = load_classifier(run.model, run.tokenizer, settings, planner.fast)
        with progress("verifying", len(missing), sum(_cost(passage) for passage, _ in missing)) as advance:
            for passage, lacking in missing:
                for record, fallback in verified(classifier, store, passage, lacking):
                    if fallback is not None:
                        fall_back(store, run.model, settings, fallback)
                        raise GalleryError(f"{FastEncoderError(run.model.name, fallback).message} Run: {command()}")
                    if record.difference > VERIFICATION_LIMIT:
                        problems.append(f"{passage.id}: {apart(record)}; the fast encoder is not to blame. Lower delta_tolerance, or raise max_steps.")
                advance(passage.id, _cost(passage))
    write_manifest(store, gallery.header, [_with(row, planner, store) for row in rows])
    return _table(store, passages), problems


def _passage(store: Store, planner: Planner, row: Row) -> Passage:
    passage = passage_of(planner, row.id, prediction_of(store, row), row.truth)
    if not all(store.has(name.kind, key) for name, key in passage.keys.items() if name.kind == "attribution"):
        raise GalleryError(f"{row.id}: not explained with these settings yet. Run: {command('explain')}")
    return passage


def _chosen(passages: Sequence[Passage], idents: Sequence[str], every: bool, count: int) -> list[Passage]:
    """Return the wanted passages, the shortest first, so that an interrupted run has verified as many as possible."""
    ordered = sorted(passages, key=lambda passage: len(passage.prediction.ids))
    if idents:
        return [passage for passage in ordered if passage.id in idents]
    if every:
        return ordered
    return spread(ordered, count)


def _cost(passage: Passage) -> float:
    """Return the relative time that Captum takes for a passage: attention makes long ones a little dearer than their length."""
    tokens = len(passage.prediction.ids)
    return tokens * (1 + tokens / 2000)


def _with(row: Row, planner: Planner, store: Store) -> Row:
    prediction = prediction_of(store, row)
    return with_entries(row, planner.verification(prediction.text, prediction), store)


def _table(store: Store, passages: Sequence[Passage]) -> str:
    """Return methods with their largest difference as plain text."""
    records: dict[str, list[tuple[Verification, str]]] = defaultdict(list)
    for passage in passages:
        for need in passage.needs:
            record = store.read(need.kind, need.key)
            assert isinstance(record, Verification)
            records[record.method].append((record, passage.id))
    width = max(len(name) for name in records)
    count = len(passages)
    lines = [f"Largest difference from Captum on {count} {'passage' if count == 1 else 'passages'}, as a share of the largest contribution:"]
    for name, own in records.items():
        worst, ident = max(own, key=lambda pair: pair[0].difference)
        steps = f", {min(record.steps for record, _ in own)} to {max(record.steps for record, _ in own)} steps" if worst.steps else ""
        lines.append(f"{name:{width}} {worst.difference:9.4%}  on {ident}; {method_of(name).captum}{steps}")
    return "\n".join(lines)
