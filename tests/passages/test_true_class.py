"""A true class is given as a label's name or number."""

import pytest

from gallery.errors import PassageError
from gallery.passages.read import Passage
from gallery.passages.true_class import class_number

LABELS = ("Толстой", "Чехов", "1")


def passage(true_class: str) -> Passage:
    return Passage(id="one", text="Текст.", true_class=true_class, title="one", origin="list.csv: line 2")


@pytest.mark.parametrize(("true_class", "number"), [("Чехов", 1), ("0", 0), ("2", 2), ("01", 1), ("1", 2)])
def test_a_name_goes_before_a_number(true_class: str, number: int) -> None:
    assert class_number(passage(true_class), LABELS) == number


@pytest.mark.parametrize("true_class", ["3", "-1", "чехов", "1.0", "²", "１"])  # the last two are digits to Python alone
def test_a_class_that_the_model_does_not_have_is_an_error_that_names_those_it_has(true_class: str) -> None:
    with pytest.raises(PassageError) as error:
        class_number(passage(true_class), LABELS)
    assert error.value.message == (
        f"list.csv: line 2: true_class: {true_class!r} is no class of the model. Use one of: Толстой, Чехов, 1; or a number from 0 to 2."
    )
