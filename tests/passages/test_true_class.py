"""A true class is given as a label's name or number; what names one class and numbers another is never guessed."""

import unicodedata
from typing import Literal

import pytest

from gallery.errors import PassageError
from gallery.passages.read import Passage
from gallery.passages.true_class import Classes, class_number

LABELS = ("Толстой", "Чехов", "1")
GRADES = ("1", "2", "3", "4", "5")


def passage(true_class: str, names_class: bool = False) -> Passage:
    return Passage(id="one", text="Текст.", true_class=true_class, title="one", origin="list.csv: line 2", names_class=names_class)


@pytest.mark.parametrize(("true_class", "number"), [("Чехов", 1), ("0", 0), ("2", 2), ("01", 1)])
def test_a_class_has_a_name_and_a_number(true_class: str, number: int) -> None:
    assert class_number(passage(true_class), Classes(LABELS)) == number


@pytest.mark.parametrize("true_class", ["1", "2", "3", "4"])
def test_what_names_one_class_and_numbers_another_is_an_error_that_shows_both(true_class: str) -> None:
    with pytest.raises(PassageError) as error:
        class_number(passage(true_class), Classes(GRADES))
    named, numbered = int(true_class) - 1, int(true_class)
    assert error.value.message == (
        f"list.csv: line 2: true_class: {true_class!r} can be read as the name of class {named} ({true_class!r}), or as the number of class {numbered} "
        f"({GRADES[numbered]!r}). Set extra.gallery.true_class_is to name or to number."
    )


@pytest.mark.parametrize(("read_as", "true_class", "number"), [("name", "1", 0), ("name", "5", 4), ("number", "0", 0), ("number", "1", 1), ("number", "4", 4)])
def test_the_setting_decides(read_as: Literal["name", "number"], true_class: str, number: int) -> None:
    assert class_number(passage(true_class), Classes(GRADES, (), read_as)) == number


def test_numbers_that_are_their_own_names_have_one_reading() -> None:
    assert [class_number(passage(str(n)), Classes(("0", "1", "2"))) for n in range(3)] == [0, 1, 2]


def test_a_name_may_be_written_with_its_accents_apart() -> None:
    for label in ("Толстой", unicodedata.normalize("NFD", "Толстой")):
        for written in ("Толстой", unicodedata.normalize("NFD", "Толстой")):
            assert class_number(passage(written), Classes(("Чехов", label))) == 1


def test_a_class_that_its_dataset_declares_is_a_name() -> None:
    assert class_number(passage("1", names_class=True), Classes(GRADES)) == 0
    assert class_number(passage("1", names_class=True), Classes(GRADES, (), "number")) == 0


def test_the_models_own_name_stays_a_name_when_pages_show_another() -> None:
    classes = Classes(("Толстой", "Чехов"), ("LABEL_0", "LABEL_1"))
    assert [class_number(passage(name), classes) for name in ("LABEL_0", "LABEL_1", "Чехов")] == [0, 1, 1]
    swapped = Classes(("neg", "pos"), ("pos", "neg"))
    with pytest.raises(PassageError, match=r"'neg' can be read as the name of class 0 .'neg'., or as the model’s own name of class 1 .'pos'."):
        class_number(passage("neg"), swapped)
    assert class_number(passage("neg"), Classes(swapped.labels, swapped.own, "name")) == 0


@pytest.mark.parametrize("true_class", ["3", "-1", "чехов", "1.0", "²", "１"])  # the last two are digits to Python alone
def test_a_class_that_the_model_does_not_have_is_an_error_that_names_those_it_has(true_class: str) -> None:
    with pytest.raises(PassageError) as error:
        class_number(passage(true_class), Classes(LABELS))
    assert error.value.message == (
        f"list.csv: line 2: true_class: {true_class!r} is no class of the model. Use one of: Толстой, Чехов, 1; or a number from 0 to 2."
    )


def test_an_over_long_class_is_not_echoed_whole_nor_are_a_thousand_labels() -> None:
    with pytest.raises(PassageError) as error:
        class_number(passage("x" * 100_000), Classes(tuple(f"author {n}" for n in range(5000))))
    assert len(error.value.message) < 800
