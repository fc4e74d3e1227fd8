import pytest

from gallery.model.words import group_tokens, split_words


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in split_words(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Свой ёжик — чужой.", ["Свой", "ёжик", "—", "чужой", "."]),
        ("что-то кое-где д'Артаньян", ["что-то", "кое-где", "д'Артаньян"]),
        ("за\u0301мок и\u0306", ["за\u0301мок", "и\u0306"]),  # combining accent; й in two code points
        ("да... нет!!", ["да", "...", "нет", "!!"]),
        ("🙂👩‍👩‍👧 ок", ["🙂", "👩‍👩‍👧", "ок"]),
        ("десять\u00a0лет", ["десять", "лет"]),
        ("שלום עולם", ["שלום", "עולם"]),
        ("##ий ▁дом Ġкот", ["##", "ий", "▁", "дом", "Ġкот"]),
        ("   ", []),
    ],
)
def test_a_text_falls_into_the_words_a_reader_sees(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_pieces_belong_to_the_word_they_are_cut_from() -> None:
    spans, token_words = group_tokens("Свой дом.", [(0, 0), (0, 2), (2, 4), (5, 8), (8, 9), (0, 0)], [True, False, False, False, False, True])
    assert spans == [(0, 4), (5, 8), (8, 9)]
    assert token_words == [-1, 0, 0, 1, 2, -1]


def test_a_leading_space_in_a_piece_does_not_move_it_to_the_word_before() -> None:
    spans, token_words = group_tokens("он шёл", [(0, 2), (2, 4), (4, 6)], [False] * 3)
    assert spans == [(0, 2), (3, 6)]
    assert token_words == [0, 1, 1]


def test_an_unknown_piece_over_several_words_makes_them_one() -> None:
    spans, token_words = group_tokens('сказал: "да" и', [(0, 6), (6, 12), (13, 14)], [False] * 3)
    assert spans == [(0, 6), (6, 12), (13, 14)]
    assert token_words == [0, 1, 2]


def test_overlapping_pieces_tie_their_words_together() -> None:
    spans, token_words = group_tokens("а,б;в", [(0, 2), (1, 4), (4, 5)], [False] * 3)
    assert spans == [(0, 4), (4, 5)]
    assert token_words == [0, 0, 1]


def test_a_piece_without_characters_goes_to_the_word_behind_it() -> None:
    spans, token_words = group_tokens("кот спит", [(0, 3), (3, 4), (4, 8)], [False] * 3)
    assert spans == [(0, 3), (4, 8)]
    assert token_words == [0, 1, 1]


def test_words_behind_the_models_limit_are_left_out() -> None:
    spans, _ = group_tokens("раз два три", [(0, 3), (4, 7)], [False] * 2)
    assert spans == [(0, 3), (4, 7)]
