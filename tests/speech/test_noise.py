"""Decay of sound is measured and told, and chance is not."""

import numpy as np
import pytest
import soundfile

from kathrine.datafiles import bundled_sample
from kathrine.speech.noise import MARGINS, Sounding, medians, noise_facts, noise_trend, noisier


@pytest.fixture(scope="module")
def speech():
    wave, rate = soundfile.read(bundled_sample("nb-librivox") / "data" / "bok1_0000.mp3", dtype="float32")
    return wave, rate


def noisy(wave: np.ndarray, decibel: float) -> np.ndarray:
    """With white noise this much under the wave."""
    noise = np.random.default_rng(3).normal(0, 1, len(wave))
    level = np.sqrt(np.mean(wave**2)) * 10 ** (-decibel / 20)
    return (wave + level * noise).astype(np.float32)


def test_noise_raises_all_three_numbers(speech) -> None:
    wave, rate = speech
    found = [noise_facts(noisy(wave, decibel), rate) for decibel in (80, 30, 20, 10)]
    for name in MARGINS:
        values = [getattr(one, name) for one in found]
        assert values == sorted(values) and values[-1] - values[0] > MARGINS[name], name


def test_a_wave_without_sound_has_the_least_noise() -> None:
    for wave in (np.zeros(0, np.float32), np.zeros(24000, np.float32)):
        facts = noise_facts(wave, 24000)
        assert (facts.floor_db, facts.flatness, facts.high_db) == (-120.0, 0.0, -120.0)


def test_a_tone_in_white_noise_has_a_known_floor_and_a_known_high_band() -> None:
    rng = np.random.default_rng(0)
    wave = rng.normal(0, 0.001, 48000)
    wave[12000:36000] += 0.5 * np.sin(2 * np.pi * 440 * np.arange(24000) / 24000)
    facts = noise_facts(wave.astype(np.float32), 24000)
    assert facts.floor_db == pytest.approx(20 * np.log10(0.001 / (0.5 / np.sqrt(2))), abs=1.0)
    # noise is spread evenly up to 12 kHz: 5/12 of it lies above 7 kHz
    expected = 10 * np.log10(5 / 12 * 0.001**2 / (0.5 * 0.5**2 / 2))
    assert facts.high_db == pytest.approx(expected, abs=0.5)


def facts(floor: float, flatness: float = 0.03, high: float = -20.0) -> dict[str, float]:
    return {"floor_db": floor, "flatness": flatness, "high_db": high}


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        (facts(-50), facts(-48), True),
        (facts(-50), facts(-48.6), False),  # within the margin
        (facts(-50), facts(-52), False),
        (facts(-50, 0.03), facts(-50, 0.06), True),
        (facts(-50, high=-20), facts(-48, high=-22), False),  # one worse, another better: not decay
        ({}, facts(-48), False),
    ],
)
def test_worse_is_beyond_the_margin_and_not_made_good(before, after, worse) -> None:
    assert noisier(before, after) is worse


def trend(*points: tuple[float, float]) -> int | None:
    return noise_trend([Sounding(100 * number, loss, facts(floor)) for number, (loss, floor) in enumerate(points, 1)])


def test_the_trend_needs_two_steps_of_decay_while_the_loss_falls() -> None:
    assert trend((3.0, -50), (2.5, -48), (2.0, -46)) == 100
    assert trend((9.0, -60), (3.0, -50), (2.5, -48), (2.0, -46)) == 200  # the last three alone
    assert trend((3.0, -50), (2.5, -48), (2.6, -46)) is None  # the loss rose as well: overfitting shows by itself
    assert trend((3.0, -50), (2.5, -48), (2.0, -48)) is None
    assert trend((3.0, -50), (2.5, -48)) is None


def test_medians_over_takes() -> None:
    takes = [{**facts(floor), "seconds": 1.0} for floor in (-50, -40, -10)]
    assert medians(takes) == facts(-40)
    assert medians([]) == {}
