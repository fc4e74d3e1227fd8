"""Pictures of a passage: the card that a shared link shows, and the lines that words are set on."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from gallery.site.pages.citation import bibtex, program
from gallery.site.passage_input import PassageInput, passage_input
from gallery.site.pictures.card import passage_card, site_card
from gallery.site.pictures.typeset import set_lines, set_plain, width_of
from gallery.site.publication import Publication
from gallery.site.views import Piece
from gallery.store.manifest import Header, Row
from gallery.store.records import Attribution, Model, Prediction

TEXT = "Свой человек пришёл домой поздно, и никто его не ждал. " * 12
MODEL = Model("m", "org/name@abc", "d" * 64, "t" * 64, "bert", ("Чехов", "Толстой"), 1, 1, 4, 64)
HEADER = Header(MODEL, ("integrated_gradients",), None)
PUBLICATION = Publication("ru", "Галерея")


def row(title: str = "Буфет", true_class: int = 0, ident: str = "buffet") -> Row:
    return Row(ident, title, "Рассказы", "", "", true_class, (0, 1), {})


def prediction(text: str = TEXT) -> Prediction:
    at, spans = 0, []
    for word in text.split():
        start = text.index(word, at)
        at = start + len(word)
        spans.append((start, at))
    words = np.array(spans, np.int32)
    nothing = np.zeros(0, np.int32)
    return Prediction(text, (), nothing, np.zeros((0, 2)), nothing, words, nothing, len(text), np.array([2.0, 0.0], np.float32), {})


def passage(of: Row | None = None, value: float = 1.0, publication: Publication = PUBLICATION, resolved: str = MODEL.resolved) -> PassageInput:
    """A passage whose words contribute `value` and its negative in turn."""
    read, zeros = prediction(), np.zeros(3)
    words = np.array([value * (-1) ** i for i in range(len(read.words))])
    parameters = {"baseline": "pad", "n_steps": None, "dtype": "float32", "at": "bert.embeddings"}
    shown = Attribution("integrated_gradients", 0, parameters, zeros, words, "logit", 1.0, 0.0, 0.0, True, 17, zeros, {})
    header = Header(replace(MODEL, resolved=resolved), HEADER.methods, None)
    return passage_input(publication, header, of or row(), {"prediction": read, "attribution/integrated_gradients/0": shown})


def card(value: float, title: str = "Буфет", true_class: int = 0) -> bytes:
    return passage_card(passage(row(title, true_class), value))


def colours(file: bytes) -> set[tuple[int, ...]]:
    image = Image.open(io.BytesIO(file))
    return {colour for _, colour in image.convert("RGB").getcolors(1 << 20) or ()}


def test_a_card_is_what_networks_ask_for_small_and_the_same_each_time() -> None:
    file = card(1.0, "Очень длинное заглавие, которому не хватит и двух строк, сколько его ни переноси, потому что оно не кончается никогда")
    image = Image.open(io.BytesIO(file))
    assert (image.size, image.mode) == ((1200, 630), "P")
    assert len(file) < 40_000
    assert file == card(1.0, "Очень длинное заглавие, которому не хватит и двух строк, сколько его ни переноси, потому что оно не кончается никогда")


def test_a_card_shades_words_and_tells_right_from_wrong() -> None:
    deepest = {(237, 186, 125), (186, 178, 207)}  # gallery.css: 54 % of --g-for and --g-against on paper
    assert deepest <= colours(card(1.0))
    assert not deepest & colours(card(0.0))
    right, wrong = (27, 106, 71), (143, 45, 45)
    assert right in colours(card(1.0))
    assert wrong not in colours(card(1.0))
    assert wrong in colours(card(1.0, true_class=1))


def test_a_gallery_without_a_passage_that_speaks_for_it_has_a_card_too() -> None:
    assert Image.open(io.BytesIO(site_card("Галерея", "", "0 отрывков", []))).size == (1200, 630)


def test_lines_keep_the_width_and_every_character() -> None:
    pieces = [Piece(part, None) for part in ("«", "Свой", "»", " ", "человек", ",", " ", "неразрывноедлинноеслово" * 9, " ", "да", ".")]
    lines = set_lines(pieces, 300, 20)
    assert "".join(placed.text for line in lines for placed in line) == "".join(piece.text.strip() for piece in pieces)
    assert all(line[-1].x + line[-1].width <= 300.001 for line in lines)
    assert [placed.text for placed in lines[0]][:5] == ["«", "Свой", "»", "человек", ","]
    assert lines[-1][0].text != ".", "a mark was torn from its word"


def test_what_does_not_fit_ends_in_an_ellipsis() -> None:
    (line,) = set_plain("Повесть о том, как никто не дождался", 200, 20, 1)
    assert line.endswith("…")
    assert width_of(line, 20) <= 200
    assert set_plain("Повесть", 200, 20, 1) == ["Повесть"]


def test_bibtex_is_escaped_and_knows_the_year_only_if_it_was_told() -> None:
    known = Publication("ru", "Галерея", author="A. & B.", url="https://example.org/g/", year="2026")
    entry = bibtex(passage(row("Цена 5% {нет} #1_a", ident="buffet-1"), publication=known))
    assert entry.startswith("@misc{buffet-1,")
    assert r"Цена 5\% \{нет\} \#1\_a" in entry
    assert r"author = {{A. \& B.}}" in entry
    assert "year = {2026}" in entry
    assert "url = {https://example.org/g/passages/buffet-1/}" in entry
    assert entry.count("{") - entry.count(r"\{") == entry.count("}") - entry.count(r"\}")
    assert "year" not in bibtex(passage())
    assert "url" not in bibtex(passage())


@pytest.mark.parametrize(
    ("resolved", "wanted"),
    [
        ("org/name@abc", "from_pretrained('org/name', revision='abc')"),
        ("models/mine", "from_pretrained('models/mine')"),
        ("zip:mine.zip@1a2b", "# put the files of zip:mine.zip@1a2b into the folder model\n"),
        ("wandb:ann/hw/baseline:v1", "# wandb artifact get ann/hw/baseline:v1 --root baseline"),
    ],
)
def test_the_program_names_the_model_as_its_reader_can_have_it(resolved: str, wanted: str) -> None:
    explained = passage(resolved=resolved)
    text = program(explained)
    assert text is not None
    assert wanted in text
    compile(text, "program", "exec")
    explained.main.parameters["baseline"] = "zero"
    assert program(explained) is None
