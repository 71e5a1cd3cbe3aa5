"""What is measured on every take, and what is flagged: signals whose truth is known."""

import numpy as np
import pytest
import soundfile

from kathrine.datafiles import bundled_samples
from kathrine.speech.checks import ADVICE, FLOOR_DB, measure, repeated_period
from kathrine.speech.limits import SpeechLimits, limits_from, pace, percentile
from kathrine.speech.spectrum import voiced_flatness

RATE = 24_000
FRAMES = 12.5


def tone(amplitude: float, seconds: float = 1.0) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * 220 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def quiet(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), dtype=np.float32)


def joined(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts)


def test_level_of_a_tone() -> None:
    facts = measure(tone(0.5), RATE)
    assert facts.seconds == 1.0
    assert facts.peak_db == pytest.approx(-6.02, abs=0.01)
    assert facts.rms_db == pytest.approx(-9.03, abs=0.01)
    assert facts.flags == ()


NOISE = np.random.default_rng(1).normal(0, 0.1, 2 * RATE).astype(np.float32)

BROKEN = {
    "silent": quiet(1),
    "silent, quiet": tone(0.0005),
    "clipped": np.clip(tone(3.0), -1, 1),
    "not finite": np.where(np.arange(RATE) == 7, np.nan, tone(0.5)).astype(np.float32),
    "out of range": tone(1.0) * 20000,
    "empty": quiet(0),
    "offset": tone(0.3) + 0.1,
    "late start": joined(quiet(1.2), tone(0.4)),
    "long tail": joined(tone(0.4), quiet(1.7)),
    "long pause": joined(tone(0.4), quiet(1.7), tone(0.4)),
    "noise-like": NOISE,
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_waves_are_flagged(name: str) -> None:
    facts = measure(BROKEN[name], RATE)
    assert name.split(",")[0] in facts.flags
    assert np.isfinite([facts.rms_db, facts.peak_db, facts.offset, facts.noise.flatness]).all()


@pytest.mark.parametrize(
    ("wave", "flags"),
    [
        (joined(quiet(0.9), tone(0.4), quiet(1.4), tone(0.4), quiet(1.4)), ()),
        (joined(quiet(0.9), tone(0.4), quiet(1.6), tone(0.4), quiet(1.4)), ("long pause",)),
        (tone(0.4) + 0.007, ()),
        (tone(0.4) + 0.009, ("offset",)),
    ],
)
def test_each_limit_has_two_sides(wave: np.ndarray, flags: tuple[str, ...]) -> None:
    assert measure(wave, RATE).flags == flags


def test_pauses_are_measured_where_they_are() -> None:
    facts = measure(joined(quiet(0.5), tone(0.4), quiet(1.0), tone(0.4, 2.0), quiet(0.25)), RATE)
    assert facts.lead == pytest.approx(0.5, abs=0.04)
    assert facts.longest_pause == pytest.approx(1.0, abs=0.04)
    assert facts.tail == pytest.approx(0.25, abs=0.04)
    assert facts.active == pytest.approx(3.0, abs=0.08)


def test_the_length_is_judged_by_the_text() -> None:
    wave = tone(0.4, 4.0)
    assert measure(wave, RATE, "a" * 25).flags == ()  # 0.16 seconds a letter
    assert measure(wave, RATE, "a" * 24).flags == ("runaway",)
    assert measure(tone(0.4, 2.9), RATE, "a").flags == ()  # one word may be drawn out
    assert measure(wave, RATE, "a" * 130).flags == ()
    assert measure(wave, RATE, "a" * 140).flags == ("truncated",)
    limits = SpeechLimits(seconds_per_letter=0.2, active_seconds_per_letter=0.02)
    assert measure(wave, RATE, "a" * 20, limits=limits).flags == ()
    assert measure(wave, RATE, "a" * 190, limits=limits).flags == ()


def test_how_it_stopped_is_a_flag() -> None:
    assert measure(tone(0.4), RATE, stop="budget").flags == ("no end",)
    assert measure(tone(0.4), RATE, stop="repetition").flags == ("repeated",)
    loop = np.tile(np.arange(7), 10)
    facts = measure(tone(0.4), RATE, codes_T=np.concatenate([[9, 3], loop]), frames_per_second=FRAMES)
    assert facts.flags == ("repeated",) and facts.period == 7


@pytest.mark.parametrize(
    ("codes", "period"),
    [
        (np.full(49, 5), 0),  # a pause of almost four seconds
        (np.full(50, 5), 1),
        (np.tile([1, 2, 3], 17), 3),
        (np.tile(np.arange(25), 3), 25),
        (np.tile(np.arange(26), 4), 0),  # longer than a pattern may be
        (np.tile(np.arange(25), 3)[1:], 0),  # not yet three times
        (np.concatenate([np.full(80, 5), [6]]), 0),  # it came out of the loop
        (np.random.default_rng(0).integers(0, 2048, 400), 0),
    ],
)
def test_repetition_is_one_pattern_for_four_seconds(codes: np.ndarray, period: int) -> None:
    assert repeated_period(codes, FRAMES) == period


def test_flatness_of_noise_and_of_a_tone() -> None:
    assert voiced_flatness(NOISE, RATE) == pytest.approx(0.56, abs=0.03)
    assert voiced_flatness(tone(0.4), RATE) < 0.01
    # silence around it changes nothing: only voiced frames count
    assert voiced_flatness(joined(quiet(3), tone(0.4), quiet(3)), RATE) < 0.01


def test_good_speech_is_not_flagged() -> None:
    found = {}
    for path in sorted((bundled_samples() / "nb-librivox" / "data").glob("*.mp3")):
        wave, rate = soundfile.read(path, dtype="float32")
        found[path.name] = measure(wave, rate).flags
    assert len(found) > 20
    assert not {name: flags for name, flags in found.items() if flags}


def test_every_flag_has_a_cause_and_something_to_try() -> None:
    raised = {name.split(",")[0] for name in BROKEN} | {"no end", "repeated", "runaway", "truncated"}
    assert raised == set(ADVICE)
    assert all(cause and remedy for cause, remedy in ADVICE.values())


def test_limits_are_learnt_from_the_corpus() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.5
    paces = [
        pace([(0.1 * n, 0.08 * n, n) for n in range(10, 110)]),
        pace([(0.3 * n, 0.05 * n, n) for n in range(9, 70)]),
    ]
    limits = limits_from(paces)
    assert limits.seconds_per_letter == pytest.approx(0.3 * 1.3)
    assert limits.active_seconds_per_letter == pytest.approx(0.05 * 0.7)
    assert limits.learnt_from == 161 and limits.pause_seconds == SpeechLimits().pause_seconds
    assert limits_from([pace([(1.0, 0.9, 10)] * 49), {}]) == SpeechLimits()
    assert pace([(1.0, 1.0, 0)]) == {}


def test_digital_silence_is_the_floor_not_infinity() -> None:
    assert measure(np.zeros(10, np.float32), RATE).rms_db == FLOOR_DB
