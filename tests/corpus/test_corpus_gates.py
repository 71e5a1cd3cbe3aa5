"""Gates and text, one reason at a time."""

from __future__ import annotations

import pytest

from kathrine.corpus.audio import Sound
from kathrine.corpus.gates import EXPLANATIONS, audio_gates, count_reasons, tags_gate, text_gate
from kathrine.corpus.text import clean, letters, spoken_text, without_added_stop, words
from kathrine.recipe.tables import PrepareTable

TABLE = PrepareTable()


def sound(seconds: float = 5.0, silence: float = 0.1, clipped: float = 0.0) -> Sound:
    return Sound(seconds, round(seconds * 24000), 48000, 20000.0, clipped, silence, -20.0, -3.0, False)


@pytest.mark.parametrize(
    ("heard", "spoken_letters", "reason"),
    [
        (sound(), 60, ""),
        (sound(1.5), 20, ""),
        (sound(1.49), 20, "too short"),
        (sound(15.0), 150, ""),
        (sound(15.01), 150, "too long"),
        (sound(silence=0.61), 60, "silence"),
        (sound(clipped=0.002), 60, "clipping"),
        (sound(), 19, "too slow"),
        (sound(), 20, ""),
        (sound(), 125, ""),
        (sound(), 126, "too fast"),
        (sound(1.0, 1.0, 1.0), 0, "too short"),
    ],
)
def test_audio_gates(heard: Sound, spoken_letters: int, reason: str) -> None:
    assert audio_gates(heard, spoken_letters, TABLE) == reason


def test_gates_follow_their_options() -> None:
    assert audio_gates(sound(clipped=0.002), 60, PrepareTable(max_clipped_share=0.01)) == ""
    assert audio_gates(sound(silence=0.3), 60, PrepareTable(max_silence_share=0.2)) == "silence"
    assert audio_gates(sound(1.0), 12, PrepareTable(min_seconds=0.5)) == ""


def test_text_gates() -> None:
    assert tags_gate("ja <ee> nei", TABLE) == ""
    assert tags_gate("ja <INAUDIBLE> nei", TABLE) == "inaudible"
    assert tags_gate("ja <inaudible/> nei", TABLE) == "inaudible"
    assert tags_gate("ja <ee> nei", PrepareTable(tags="reject")) == "tags"
    assert text_gate("", TABLE) == text_gate(" ... ", TABLE) == "no text"
    assert text_gate("ja", TABLE) == ""
    assert text_gate("ja da", PrepareTable(min_words=3)) == "few words"


def test_reasons_are_counted_in_the_order_of_the_gates() -> None:
    assert list(count_reasons(["max_hours", "", "too long", "corrupt", "too long"]).items()) == [
        ("corrupt", 1),
        ("too long", 2),
        ("max_hours", 1),
    ]
    assert all(EXPLANATIONS.values())


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("  god\u00a0 morgen\u2009alle\n ", "god morgen alle"),
        ("<ee> det er <mm>bra<qq>", "det er bra"),
        ("stor\u00adtinget", "stortinget"),
        ("a\u030a være", "å være"),
        ("\ufeffhei", "hei"),
        ("3 < 4 og 5 > 2", "3 2"),
    ],
)
def test_clean(written: str, spoken: str) -> None:
    assert clean(written) == spoken
    assert clean(spoken) == spoken
    assert spoken_text(written, "text", None).text == spoken


def test_counts_of_letters_and_words() -> None:
    assert letters("Æ, ø – 12!") == 4
    assert words("nord-norsk tid, O'Hara ...") == 3


def test_a_cut_clip_loses_the_stop_that_was_added_only() -> None:
    assert without_added_stop("da vi kom", "Da vi kom.") == "Da vi kom"
    assert without_added_stop("da vi kom.", "Da vi kom.") == "Da vi kom."
    assert without_added_stop("kom du?", "Kom du?") == "Kom du?"
