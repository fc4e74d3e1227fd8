"""`gallery calibrate`: calibration.json of a model, from labelled texts that it was not trained on."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gallery.config import Settings
from gallery.errors import GalleryError, PassageError, SourceError, reason
from gallery.evaluation.calibration import SCORES, Floats, auroc, calibrate, choose_score, prediction_set, softmax
from gallery.evaluation.calibration_file import CALIBRATION
from gallery.explain.progress import progress
from gallery.model.classifier import Classifier
from gallery.model.loading import load_classifier
from gallery.passages.read import Passage, read_passages
from gallery.passages.tables import is_dataset
from gallery.passages.true_class import Classes, class_number
from gallery.sources.resolve import resolve_model, resolve_tokenizer

FEWEST = 100
"""Texts below which shares and intervals would say nothing."""
GROUP = 300
"""Texts of each length group, about; at most three groups."""


def calibrate_model(settings: Settings, root: Path, table: Path, outside: Path | None, out: Path | None) -> str:
    """Measure the model on the texts of `table`, write calibration.json beside it or into `out`, and return what was measured.

    Texts of `outside` are of none of the classes; with them the score that tells them best from the others is chosen. Raises a
    GalleryError where a row cannot be used, where there are fewer than FEWEST texts, and where the model lies in no folder of
    one's own and `out` is missing. Nothing half-written stays.
    """
    own = root / settings.model
    if out is None and not own.is_dir():
        raise GalleryError(f"--out: {settings.model} is no folder of this machine. Name a folder for {CALIBRATION}, and put the file beside the weights.")
    model = resolve_model(settings.model, root)
    tokenizer = resolve_tokenizer(settings.tokenizer or settings.model, root)
    folder = out or model.folder
    passages = _read(table, "--table")
    strangers = _read(outside, "--outside") if outside else []
    if len(passages) < FEWEST:
        raise GalleryError(f"--table: {table}: {len(passages)} texts, too few to calibrate on. Give at least {FEWEST}, better {GROUP} or more.")
    classifier = load_classifier(model, tokenizer, settings)
    classes = Classes(classifier.card.labels, model.labels, settings.true_class_is)
    truth = np.array([class_number(passage, classes) for passage in passages])
    with progress("measuring", len(passages) + len(strangers)) as advance:
        logits, lengths = measured(classifier, passages, advance)
        others = measured(classifier, strangers, advance)[0] if strangers else None
    score = choose_score(logits, others) if others is not None else "energy"
    groups = {int(np.median(lengths[rows])): rows for rows in length_groups(lengths)}
    calibration = calibrate({length: (logits[rows], truth[rows]) for length, rows in groups.items()}, score)
    calibration["works"] = [f"{table.name}: {len(passages)} texts"]
    if others is not None:
        calibration["outside"] = {"n": len(others), "auroc": {name: round(auroc(rate(logits), rate(others)), 4) for name, rate in SCORES.items()}}
    path = folder / CALIBRATION
    fresh = path.with_suffix(".writing")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(calibration, ensure_ascii=False, indent=1) + "\n", "utf-8")
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise SourceError(f"{path}: {reason(error)}. Make room, or allow writing there, or name another folder as --out.") from error
    lines = [f"{path}: {len(passages)} texts in {len(groups)} {'length' if len(groups) == 1 else 'lengths'}."]
    for length, rows in sorted(groups.items()):
        probabilities = softmax(logits[rows])
        right = (probabilities.argmax(1) == truth[rows]).mean()
        size = prediction_set(probabilities, calibration["lengths"][str(length)]["conformal_quantile"]).sum(1).mean()
        sure = probabilities.max(1).mean()
        lines.append(f"About {length} tokens, {len(rows)} texts: right {right:.1%}, says {sure:.1%}; at 90 % it leaves {size:.1f} classes.")
    if others is not None:
        lines.append(f"Texts of none of the classes: the score {score} puts a known one above them in {calibration['outside']['auroc'][score]:.0%} of pairs.")
    return "\n".join([*lines, "To put it on the pages, run: python build.py"])


def _read(table: Path, option: str) -> list[Passage]:
    """Return the passages of a table, which has the columns of a gallery's; raise the error of the first that cannot be used."""
    if not table.is_file() and not is_dataset(table):
        raise GalleryError(f"{option}: {table}: no such table. Give a CSV, JSONL or Parquet file with the columns id, true_class and text.")
    passages = []
    for passage in read_passages([str(table)]):
        if isinstance(passage, PassageError):
            raise passage
        passages.append(passage)
    return passages


def measured(classifier: Classifier, passages: Sequence[Passage], advance: Callable[[str], None]) -> tuple[Floats, Floats]:
    """Return logits [N, C] and numbers of tokens [N], special ones included, of the texts as the model reads them."""
    logits, lengths = [], []
    for passage in passages:
        tokenized = classifier.tokenize(passage.text)
        try:
            logits.append(classifier.predict([tokenized])[0].logits.astype(np.float64))
        except FloatingPointError as error:
            raise GalleryError(f"{passage.origin}: {error}. Leave the text out, or use dtype: float32.") from error
        lengths.append(float(len(tokenized.ids)))
        advance(passage.origin)
    return np.stack(logits), np.array(lengths)


def length_groups(lengths: Floats) -> list[NDArray[np.int64]]:
    """Return the rows of one to three groups of texts, short to long, of about GROUP texts or more each."""
    parts = max(1, min(3, len(lengths) // GROUP))
    groups = np.array_split(np.argsort(lengths, kind="stable"), parts)
    medians = [int(np.median(lengths[rows])) for rows in groups]
    # Groups of one length are one group.
    return groups if len(set(medians)) == parts else [np.arange(len(lengths))]
