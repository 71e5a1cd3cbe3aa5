"""Long texts are cut where a reader would breathe, and nothing is lost."""

from hypothesis import given
from hypothesis import strategies as st

from kathrine.speech.sentences import sentences


def test_sentences_are_cut_at_their_ends_and_short_ones_stay_together() -> None:
    text = "Det regner. Vi går hjem! «Hvorfor det?» spurte hun. Ja … Åse ler."
    assert sentences(text, 1) == text.split()  # nothing fits: every word by itself
    assert sentences(text, 24) == ["Det regner. Vi går hjem!", "«Hvorfor det?» spurte", "hun.", "Ja … Åse ler."]
    assert sentences(text, 30) == ["Det regner. Vi går hjem!", "«Hvorfor det?» spurte hun.", "Ja … Åse ler."]
    assert sentences(text, 200) == [text]


def test_small_letters_after_a_point_do_not_begin_a_sentence() -> None:
    assert sentences("Den tredje. mai var fin. Så kom regnet.", 25) == ["Den tredje. mai var fin.", "Så kom regnet."]


def test_a_long_sentence_is_cut_at_a_comma_before_it_is_cut_between_words() -> None:
    text = "en to tre fire, fem seks sju åtte, ni ti"
    assert sentences(text, 20) == ["en to tre fire,", "fem seks sju åtte,", "ni ti"]
    assert sentences("en to tre fire fem seks", 12) == ["en to tre", "fire fem", "seks"]
    assert sentences("menneskerettighetsorganisasjonene", 10) == ["menneskerettighetsorganisasjonene"]


@given(st.text(alphabet='abÅ .,!?»"-…\n', max_size=120), st.integers(1, 60))
def test_nothing_is_lost_and_nothing_is_too_long(text: str, longest: int) -> None:
    pieces = sentences(text, longest)
    assert " ".join(pieces) == " ".join(text.split())
    assert all(len(piece) <= longest or " " not in piece for piece in pieces)
