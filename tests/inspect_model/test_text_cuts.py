"""How a tokenizer cuts words and letters, counted by hand on tokenizers made up for it and on the tiny model's own."""

from __future__ import annotations

import unicodedata
from collections import Counter

import pytest
from tiny_training import tiny_family, workspace

from kathrine.inspect.text import cut_text
from kathrine.inspect.text_report import table_rows
from kathrine.speech.sets import bundled_set
from kathrine.testing import ToyFamily


def pieces(*cuts: str | bytes) -> tuple[tuple[int, bytes], ...]:
    """Tokens with an id that follows from what they stand for."""
    made = [cut if isinstance(cut, bytes) else cut.encode() for cut in cuts]
    return tuple((sum(piece), piece) for piece in made)


# Three words: `blå` whole, `bær` as b + the two bytes of æ + r, `øl` as ø + l; then one letter and a full stop.
SENTENCE = "Blå bær, øl i."
CUTS = pieces("Blå", " b", b"\xc3", b"\xa6", "r", ",", " ø", "l", " i", ".")


def test_words_and_letters_are_counted_against_the_borders_of_tokens() -> None:
    assert b"".join(piece for _, piece in CUTS).decode() == SENTENCE
    cut, touched = cut_text("made up", [SENTENCE, SENTENCE], lambda text: (), lambda text: CUTS, 1000, rare_below=3)
    assert (cut.texts, cut.words, cut.tokens) == (2, 8, 20)
    assert cut.letters_per_word == (3 + 3 + 2 + 1) / 4 and cut.tokens_per_word == 10 / 4
    assert cut.tokens_per_letter == 10 / 9
    assert cut.whole == 2 / 4  # Blå, i
    assert cut.single_letters == 2 / 3  # bær and øl, of the three words of more than one letter
    assert cut.letters is not None
    assert {one.letter: (one.count, one.fell_apart, one.share) for one in cut.letters} == {
        "å": (2, 0, 0.0), "æ": (2, 2, 1.0), "ø": (2, 0, 0.0),
    }  # fmt: skip
    rows = Counter(number for number, _ in CUTS)
    assert touched == Counter({number: 2 * count for number, count in rows.items()})
    assert (cut.rows.table, cut.rows.touched, cut.rows.share) == (1000, len(rows), len(rows) / 1000)
    assert cut.rows.rare == sum(2 * count < 3 for count in rows.values()) and cut.rows.rare_below == 3


def test_a_token_across_half_a_letter_holds_no_two_letters() -> None:
    cut, _ = cut_text("made up", ["aøb"], lambda text: (), lambda text: pieces(b"a\xc3", b"\xb8b"))
    assert cut.single_letters == 1.0 and cut.whole == 0.0
    cut, _ = cut_text("made up", ["aøb"], lambda text: (), lambda text: pieces("aø", "b"))
    assert cut.single_letters == 0.0


def test_what_needs_bytes_is_not_known_without_them() -> None:
    cut, touched = cut_text("ids alone", ["to ord"], lambda text: (1, 1, 2))
    assert (cut.words, cut.tokens, cut.tokens_per_word) == (2, 3, 1.5)
    assert cut.whole is None and cut.single_letters is None and cut.letters is None
    assert cut.rows.table is None and cut.rows.share is None and touched == Counter({1: 2, 2: 1})


def test_no_text_at_all_divides_by_nothing() -> None:
    cut, _ = cut_text("nothing", [], lambda text: (), lambda text: ())
    assert (cut.texts, cut.words, cut.tokens_per_word, cut.whole) == (0, 0, 0.0, 0.0)


@pytest.mark.parametrize(
    "text", ["Blåbær på øya.", "l'été", "A\u030angstro\u0308m", "zażółć 日本 😀", "to  rom\nlinje"]
)
def test_the_bytes_of_tokens_are_the_text(text: str) -> None:
    family = tiny_family()
    family.fetch(workspace(), progress())
    tokens = family.open_text_tokens(workspace())(text)
    assert b"".join(piece for _, piece in tokens) == unicodedata.normalize("NFC", text).encode()
    assert tuple(number for number, _ in tokens) == family.open_text(workspace())(text)


def progress() -> object:
    from kathrine.progress import SilentProgress

    return SilentProgress()


def test_the_toy_tells_its_tokens_and_its_table_has_64_rows() -> None:
    family = ToyFamily()
    tokens_of = family.open_text_tokens(workspace())
    assert tokens_of is not None and [piece for _, piece in tokens_of("abc")] == [b"a", b"b", b"c"]
    assert tuple(number for number, _ in tokens_of("abc")) == family.open_text(workspace())("abc")
    assert table_rows(family.parameters(workspace())) == 64
    cut, _ = cut_text("toy", [one.text for one in bundled_set("english").sentences], lambda text: (), tokens_of)
    assert cut.single_letters == 1.0  # a letter is a token
