"""Gates and text, one reason at a time."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from kathrine.corpus.gates import (
    EXPLANATIONS,
    audio_gates,
    characters_gate,
    count_reasons,
    gates_of,
    rate_outliers,
    tags_gate,
    text_gate,
)
from kathrine.corpus.sound import Sound
from kathrine.corpus.text import clean, letters, spoken_text, without_added_stop, words
from kathrine.recipe.tables import PrepareTable

TABLE = PrepareTable()
GOOD = Sound(
    seconds=5.0,
    samples=120000,
    original_rate=48000,
    channels=1,
    bandwidth_hz=20000.0,
    clipped=0.0,
    silence=0.1,
    rms_db=-20.0,
    peak_db=-3.0,
    open_end=False,
    clipped_run=0,
    loudness_lufs=-20.0,
    inner_silence=0.08,
    pauses=(0.2, 0.3),
    edge_silence=0.1,
    start_silence=0.4,
    end_silence=0.7,
    snr_db=35.0,
)


def sound(seconds: float = 5.0, **measured: Any) -> Sound:
    return replace(GOOD, seconds=seconds, **measured)


@pytest.mark.parametrize(
    ("heard", "spoken_letters", "reason"),
    [
        (sound(), 60, ""),
        (sound(1.5), 20, ""),
        (sound(1.49), 20, "too short"),
        (sound(15.0), 150, ""),
        (sound(15.01), 150, "too long"),
        (sound(channels=2), 60, ""),
        (sound(channels=3), 60, "channels"),
        (sound(inner_silence=0.4), 60, ""),
        (sound(inner_silence=0.41), 60, "silence"),
        (sound(pauses=(0.3, 1.0)), 60, ""),
        (sound(pauses=(1.01, 0.2)), 60, "long pause"),
        (sound(edge_silence=0.5), 60, ""),
        (sound(edge_silence=0.51), 60, "silent ends"),
        (sound(clipped=0.001), 60, ""),
        (sound(clipped=0.0011), 60, "clipping"),
        (sound(clipped_run=5), 60, ""),
        (sound(clipped_run=6), 60, "clipping"),
        (sound(loudness_lufs=-45.0), 60, ""),
        (sound(loudness_lufs=-45.1), 60, "too quiet"),
        (sound(loudness_lufs=-8.0), 60, ""),
        (sound(loudness_lufs=-7.9), 60, "too loud"),
        (sound(bandwidth_hz=7000.0), 60, ""),
        (sound(bandwidth_hz=6999.0), 60, "narrow band"),
        (sound(bandwidth_hz=0.0), 60, ""),
        (sound(snr_db=20.0), 60, ""),
        (sound(snr_db=19.9), 60, "noisy"),
        (sound(snr_db=None), 60, ""),
        (sound(), 24, "too slow"),
        (sound(), 25, ""),
        (sound(), 105, ""),
        (sound(), 106, "too fast"),
        (sound(1.0, inner_silence=1.0, clipped=1.0), 0, "too short"),
    ],
)
def test_audio_gates(heard: Sound, spoken_letters: int, reason: str) -> None:
    assert audio_gates(heard, spoken_letters, TABLE) == reason


@pytest.mark.parametrize(
    ("heard", "off"),
    [
        (sound(clipped=0.002), {"max_clipped_share": 0.01}),
        (sound(clipped_run=100), {"max_clipped_run": 0}),
        (sound(1.0), {"min_seconds": 0.5}),
        (sound(channels=8), {"max_channels": 8}),
        (sound(inner_silence=0.9), {"max_silence_share": 1.0}),
        (sound(pauses=(4.0,)), {"max_pause_seconds": 0.0}),
        (sound(edge_silence=3.0), {"max_end_silence_seconds": 0.0}),
        (sound(loudness_lufs=-80.0), {"min_loudness_lufs": -70.0}),
        (sound(loudness_lufs=-1.0), {"max_loudness_lufs": 0.0}),
        (sound(bandwidth_hz=4000.0), {"min_bandwidth_hz": 0.0}),
        (sound(bandwidth_hz=4000.0), {"allow_narrowband": True}),
        (sound(snr_db=-3.0), {"min_snr_db": 0.0}),
    ],
)
def test_every_gate_of_the_sound_can_be_turned_off(heard: Sound, off: dict[str, Any]) -> None:
    spoken = round(12 * heard.seconds)
    assert audio_gates(heard, spoken, TABLE)
    # A noise of -3 dB is under a threshold of 0 too: off means that it was not even looked for.
    heard = replace(heard, snr_db=None) if "min_snr_db" in off else heard
    assert audio_gates(heard, spoken, PrepareTable(**off)) == ""


def test_a_source_may_allow_narrow_band_for_its_own_entry() -> None:
    def entry(**options: Any) -> Any:
        return SimpleNamespace(source=SimpleNamespace(options=SimpleNamespace(**options)))

    assert gates_of(entry(allow_narrowband=True), TABLE).allow_narrowband
    assert not gates_of(entry(allow_narrowband=False), TABLE).allow_narrowband
    assert not gates_of(entry(), TABLE).allow_narrowband
    assert gates_of(entry(), PrepareTable(allow_narrowband=True)).allow_narrowband


def test_rate_outliers_are_outside_tukeys_fences_of_their_own_speaker() -> None:
    # Quartiles of 10..29 are 14.75 and 24.25: the fences lie at 0.5 and 38.5.
    slow = [("slow", float(rate)) for rate in range(10, 30)]
    assert rate_outliers([*slow, ("fast", 40.0)], TABLE) == set()
    rates = [*slow[:-1], ("slow", 200.0), *(("fast", 40.0 + rate / 10) for rate in range(30))]
    assert rate_outliers(rates, TABLE) == {19}
    assert rate_outliers(rates, PrepareTable(rate_outlier_iqr=0.0)) == set()
    assert rate_outliers(rates, PrepareTable(rate_outlier_utterances=21)) == set()
    assert rate_outliers(rates[1:], TABLE) == set(), "19 utterances are not enough"
    assert rate_outliers([*[("same", 12.0)] * 30, ("same", 12.1)], TABLE) == set()
    edge = [("edge", rate) for rate in [10.0] * 7 + [12.0] * 7 + [14.0] * 6]
    assert rate_outliers([*edge, ("edge", 20.0)], TABLE) == set(), "on the fence"
    assert rate_outliers([*edge, ("edge", 20.01)], TABLE) == {20}


def test_characters_that_no_text_has() -> None:
    assert characters_gate({"text": "Å, æ\u00adø – «10 %»\n\tmañana 😀 \u200b"}) == ""
    assert characters_gate({"text": "hei\x07"}) == "U+0007 at 4"
    assert characters_gate({"text": "hei", "digits": "\x00"}) == "U+0000 at 1"
    assert characters_gate({"text": "sm\ufffdr"}) == "U+FFFD at 3"
    assert characters_gate({"text": "h\ud800"}) == "U+D800 at 2"
    assert characters_gate({"text": "h\x85ei"}) == "", "a line break of its own"
    assert characters_gate({"text": "h\x9bei"}) == "U+009B at 2"


def test_text_gates() -> None:
    assert tags_gate("ja <ee> nei", TABLE) == ""
    assert tags_gate("ja <INAUDIBLE> nei", TABLE) == "inaudible"
    assert tags_gate("ja <inaudible/> nei", TABLE) == "inaudible"
    assert tags_gate("ja <ee> nei", PrepareTable(tags="reject")) == "tags"
    assert text_gate("", TABLE) == text_gate(" ... ", TABLE) == "no text"
    assert text_gate("ja", TABLE) == "few words"
    assert text_gate("ja da", TABLE) == text_gate("ja", PrepareTable(min_words=1)) == ""
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
