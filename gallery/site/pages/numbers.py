"""A passage's numbers: in its page, as JSON for the page and for programs, and as a table to download."""

import csv
import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gallery.site.language import language
from gallery.site.pages.erasing import erasing_data
from gallery.site.passage_input import PassageInput
from gallery.site.templates import method_titles
from gallery.site.view_labels import labels_of
from gallery.site.views import LEVELS, View, class_order, is_signed, knows_classes
from gallery.site.vocabulary import lemma
from gallery.store.records import Array, EveryClass, Prediction


def numbers_name(compressed: bool) -> str:
    """Return the name of the file that holds a passage's numbers."""
    return "explanation.json.gz" if compressed else "explanation.json"


def words_on_page(passage: PassageInput) -> dict[str, Any]:
    """Return the data of `<gallery-words>`: all views with their labels, and the numbers of the first view.

    passage.js fetches explanation.json for the numbers of the others.
    """
    shown, titles = passage.views, method_titles(passage.code)
    return {
        "locale": language(passage.code).code,
        "levels": LEVELS,
        "views": [_view_data(view, values=view is shown[0]) for view in shown],
        "classes": {view.class_name: asdict(labels_of(passage.code, passage.labels, view)) for view in shown},
        "methods": {
            view.method: {"title": titles.get(view.method, view.method), "signed": view.signed, "classes": knows_classes(view.method)} for view in shown
        },
    }


def _view_data(view: View, values: bool) -> dict[str, Any]:
    error = None if view.error is None else float(f"{view.error:.4g}")
    data = {"method": view.method, "target": view.target, "against": view.against, "error": error}
    return data | {"values": [float(f"{value:.4g}") for value in view.words]} if values else data


def explanation(passage: PassageInput) -> dict[str, Any]:
    """Return the content of a passage's explanation.json: all numbers, for programs and for the page's other views.

    `language` is the passage's, `forms` are the words' dictionary forms; attributions come in the order of the page's switches.
    """
    header, row, prediction, labels = passage.header, passage.row, passage.prediction, passage.labels
    order = ((method, target) for method in header.methods for target in class_order(row.true_class, passage.ranking))
    return {
        "id": row.id,
        "title": row.title,
        "work": row.work,
        "source": row.source,
        "note": row.note,
        **{key: value for key in ("kind", "year", "edition") if (value := getattr(row, key))},
        "language": passage.text_language,
        "text": prediction.text,
        "true_class": passage.author,
        "predicted_class": passage.answer,
        "true_target": row.true_class,
        "predicted_target": passage.predicted,
        **({"true_targets": row.truth, "predicted_targets": passage.verdict} if row.true_classes is not None else {}),
        "probabilities": dict(zip(labels, prediction.probabilities.tolist(), strict=True)),
        "words": prediction.word_texts(),
        "forms": [lemma(word, passage.text_language) for word in prediction.word_texts()],
        "tokens": prediction.tokens,
        "attributions": [
            {
                "method": a.method,
                "class": labels[a.target],
                "target": a.target,
                "signed": is_signed(a.method),
                "output": a.output,
                "output_value": a.output_value,
                "baseline_value": a.baseline_value,
                **({} if a.biases is None else {"biases": a.biases}),
                "convergence_delta": a.delta,
                "error": a.delta_share,
                "converged": a.converged,
                "steps": a.steps,
                **{name: a.extra[name] for name in ("rounding",) if a.extra.get(name) is not None},
                "parameters": a.parameters,
                "words": _single(a.words),
                "tokens": _single(a.tokens),
            }
            for a in (passage.attributions[key] for key in order if key in passage.attributions)
        ],
        **({"every_class": _every_class(passage)} if passage.first(EveryClass) is not None else {}),
        "erasing": erasing_data(passage),
        "weights_sha256": header.model.weights_digest,
    }


def _every_class(passage: PassageInput) -> dict[str, Any]:
    """Return the views of classes that only one method explains: whole numbers of a unit, a thousandth of the class's largest |contribution|."""
    further = [view for view in passage.views if view.target not in passage.row.targets]
    units = [max((abs(value) for value in view.words), default=0.0) / 1000 or 1.0 for view in further]
    return {
        "method": next((view.method for view in further), ""),
        "classes": [
            {
                "target": view.target,
                "error": view.error,
                "score": float(f"{view.output_value:.7g}"),
                "biases": view.biases if view.biases is None else float(f"{view.biases:.7g}"),
                "unit": float(f"{unit:.5g}"),
                "words": [round(value / unit) for value in view.words],
            }
            for view, unit in zip(further, units, strict=True)
        ],
    }


def _single(values: Array) -> list[float]:
    """Return numbers with seven digits, the precision of float32."""
    return [float(f"{value:.7g}") for value in values.tolist()]


def word_table(everything: Mapping[str, Any], prediction: Prediction) -> str:
    """Return a passage's words.csv from its explanation.json; downloads.js makes the same."""
    attributions = everything["attributions"]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["word", "start", "end", *(f"{a['method']}: {a['class']}" for a in attributions)])
    columns = [[f"{value:.6g}" for value in a["words"]] for a in attributions]
    for word, (start, end), *values in zip(everything["words"], prediction.words.tolist(), *columns, strict=True):
        # A spreadsheet runs a cell that begins like a formula; a quote before it marks text.
        writer.writerow(["'" + word if word[0] in "=+-@\t" else word, start, end, *values])
    return file.getvalue()


def json_bytes(content: Any) -> bytes:
    """Return a value as the JSON that the site's files hold."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def packed(content: bytes) -> bytes:
    """Return a file as gzip; the same bytes for the same content."""
    return gzip.compress(content, 6, mtime=0)  # 9 takes three times as long for one part in sixty
