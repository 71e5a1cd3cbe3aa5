"""What is measured on every wave."""

import numpy as np
import pytest

from kathrine.speech.checks import FLOOR_DB, measure

RATE = 24_000


def tone(amplitude: float) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE)).astype(np.float32)


def test_level_of_a_tone() -> None:
    facts = measure(tone(0.5), RATE)
    assert facts.seconds == 1.0
    assert facts.peak_db == pytest.approx(-6.02, abs=0.01)
    assert facts.rms_db == pytest.approx(-9.03, abs=0.01)
    assert facts.flags == ()


@pytest.mark.parametrize(
    ("wave", "flag"),
    [
        (np.zeros(RATE, np.float32), "silent"),
        (tone(0.0005), "silent"),
        (np.clip(tone(3.0), -1, 1), "clipped"),
        (np.where(np.arange(RATE) == 7, np.nan, tone(0.5)).astype(np.float32), "not finite"),
        (np.zeros(0, np.float32), "empty"),
    ],
)
def test_broken_waves_are_flagged(wave: np.ndarray, flag: str) -> None:
    facts = measure(wave, RATE)
    assert flag in facts.flags
    assert np.isfinite([facts.rms_db, facts.peak_db]).all()


def test_digital_silence_is_the_floor_not_infinity() -> None:
    assert measure(np.zeros(10, np.float32), RATE).rms_db == FLOOR_DB
