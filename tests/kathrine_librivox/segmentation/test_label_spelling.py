"""A sentence in the labels of a model's own vocabulary."""

from __future__ import annotations

import pytest

from kathrine.errors import KathrineError
from kathrine_librivox.segmentation.ctc import WILD
from kathrine_librivox.segmentation.labels import Alphabet, word_places

LETTERS = "abcdefghijklmnopqrstuvwxyzæøå"
LOWER = {"<pad>": 0, "|": 1, "<unk>": 2, **{letter: n for n, letter in enumerate(LETTERS, start=3)}}


def read(spelling, alphabet: Alphabet) -> str:
    names = {number: entry for entry, number in alphabet.ids.items()} | {1: "|", WILD: "?"}
    return "".join(names[label] for label in spelling.labels_L.tolist())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hun kom, så gikk hun.", "hun|kom|så|gikk|hun"),
        ("«Æ e i A, æ å!»", "æ|e|i|a|æ|å"),
        ("Småbåt-hamna – ho’s", "småbåt|hamna|hos"),
        ("Café à la Bø", "cafe|a|la|bø"),
        ("Café", "cafe"),
    ],
)
def test_words_and_letters(text, expected):
    alphabet = Alphabet(LOWER, 0)
    spelling = alphabet.spell(text)
    assert read(spelling, alphabet) == expected and spelling.scored and spelling.lacking == 0
    for end, first, last in spelling.words:
        assert text[:end][-1].isalnum() and last > first


def test_letters_that_the_model_lacks_are_left_out_and_counted():
    alphabet = Alphabet(LOWER, 0)
    spelling = alphabet.spell("Γειά, мир og fred")
    assert read(spelling, alphabet) == "og|fred" and spelling.lacking == 7 and len(spelling.words) == 2


def test_a_word_with_digits_is_left_to_any_sound_and_the_sentence_is_not_scored():
    alphabet = Alphabet(LOWER, 0)
    spelling = alphabet.spell("I 1905 kom 3 000 menn, ca. 2,5 år før.")
    assert read(spelling, alphabet) == "i|?|kom|?|?|menn|ca|?|år|før" and not spelling.scored


def test_a_vocabulary_in_capitals_without_a_separator():
    alphabet = Alphabet({"_": 0, **{letter.upper(): n for n, letter in enumerate(LETTERS, start=1)}}, 0, None)
    spelling = alphabet.spell("Så bra")
    assert spelling.labels_L.tolist() == [19, 29, 2, 18, 1] and alphabet.separator is None


def test_a_model_that_does_not_write_letters_is_refused():
    with pytest.raises(KathrineError, match="0 single letters"):
        Alphabet({"<pad>": 0, "▁og": 1, "▁det": 2}, 0)


def test_places_of_words():
    text = "Kl. 12.30, sa'kje ho – nei!"
    assert [text[a:b] for a, b in word_places(text)] == ["Kl", "12.30", "sa'kje", "ho", "nei"]
