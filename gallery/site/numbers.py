"""A passage's numbers: what its page holds and fetches, and what a reader may take away."""

from collections.abc import Mapping, Sequence
from typing import Any

from gallery.language import language
from gallery.manifest import Header, Row
from gallery.records import Attribution, Prediction
from gallery.site.views import LEVELS, Piece, View, paragraphs, views
from gallery.site.vocabulary import lemma


def words_on_page(code: str, ways: Sequence[View]) -> dict[str, Any]:
    """Return what `<gallery-words>` needs at once: the numbers of the first view; those of the others lie in the passage's words.json."""
    return {"locale": language(code).code, "levels": LEVELS, "views": [_view_data(view, values=view is ways[0]) for view in ways]}


def words_file(header: Header, row: Row, prediction: Prediction, attributions: Mapping[str, Attribution], language: str) -> dict[str, Any]:
    """Return a passage's words.json: what other views of the page and the comparison of passages are drawn from.

    `text` holds paragraphs; in each, what stands before a word and the word take turns. `forms` are the words' dictionary forms.
    """
    predicted = prediction.ranking[0]
    shown = paragraphs(prediction, [0.0] * len(prediction.words))
    return {
        "id": row.id,
        "title": row.title,
        "language": language,
        "true": row.true_class,
        "predicted": predicted,
        "probabilities": [float(f"{p:.4g}") for p in prediction.probabilities],
        "text": [_turns(pieces) for pieces in shown],
        "forms": [lemma(word, language) for word in prediction.word_texts()],
        "views": [_view_data(view) for view in views(row, predicted, attributions, header.methods)],
    }


def _turns(pieces: Sequence[Piece]) -> list[str]:
    turns: list[str] = []
    for piece in pieces:
        if piece.number is not None and len(turns) % 2 == 0:
            turns.append("")
        turns.append(piece.text)
    return turns


def _view_data(view: View, values: bool = True) -> dict[str, Any]:
    data = {"method": view.method, "target": view.target, "against": view.against, "error": view.error}
    return data | {"values": [float(f"{value:.4g}") for value in view.words]} if values else data
