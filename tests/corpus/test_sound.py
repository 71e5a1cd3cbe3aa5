"""What is measured of a recording: pauses, silences, runs, noise under speech."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpus_fakes import speech

from kathrine.corpus import keys
from kathrine.corpus.audio import AudioRejected, Conditioning, condition, read_audio
from kathrine.corpus.filters import loudness
from kathrine.corpus.sound import (
    Sound,
    end_silences,
    inner_pauses,
    inner_silence_share,
    longest_run,
)
from kathrine.corpus.speech_activity import signal_to_noise, speech_probabilities, thread_detector
from kathrine.datafiles import bundled_sample

RATE = 24000


def tone(seconds: float, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * 300 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def nothing(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


@pytest.fixture(scope="module")
def spoken() -> np.ndarray:
    """Somebody speaks, digital silence at both ends: 22,050 Hz, at 24 kHz."""
    wave, rate = soundfile.read(bundled_sample("nb-librivox") / "data" / "bok1_0000.mp3", dtype="float32")
    return condition(wave[:, None], rate, Conditioning(RATE, highpass_hz=0.0))[0]


# --------------------------------------------------------------------------- silences


def test_inner_pauses_are_found_where_they_are() -> None:
    wave = np.concatenate([nothing(0.4), tone(0.5), nothing(0.3), tone(0.5), nothing(0.08), tone(0.5), nothing(0.7)])
    ((start, end),) = inner_pauses(wave, RATE)
    assert (start, end) == (pytest.approx(0.9, abs=0.02), pytest.approx(1.2, abs=0.02))
    assert inner_silence_share(wave, RATE) == pytest.approx(0.38 / 1.88, abs=0.02)
    assert end_silences(wave, RATE) == (pytest.approx(0.4, abs=0.02), pytest.approx(0.7, abs=0.02))
    # A breath, 30 dB under the peak, ends a pause.
    breath = np.concatenate([tone(0.5), nothing(0.3), tone(0.2, 0.5 * 10 ** (-30 / 20)), nothing(0.3), tone(0.5)])
    assert [round(end - start, 1) for start, end in inner_pauses(breath, RATE)] == [0.3, 0.3]


def test_silence_throughout() -> None:
    assert inner_pauses(nothing(1), RATE) == [] and inner_silence_share(nothing(1), RATE) == 1.0
    assert end_silences(nothing(1), RATE) == (1.0, 0.0)
    _, sound = condition(nothing(2)[:, None], RATE, Conditioning(RATE))
    assert sound.silence == sound.inner_silence == 1.0
    assert sound.rms_db == sound.peak_db == sound.loudness_lufs == -120.0
    assert json.loads(json.dumps(asdict(sound), allow_nan=False))


def test_runs_at_full_scale() -> None:
    assert longest_run(np.array([0.2, 1.0, -1.0, 0.9995, 0.5, 1.0])) == 3
    assert longest_run(np.array([0.2, 0.9])) == 0 and longest_run(np.zeros(0)) == 0
    assert longest_run(np.ones(7)) == 7


def test_conditioning_measures_what_it_trims_and_keeps_pauses() -> None:
    pause = np.concatenate([tone(0.6), nothing(0.8), tone(0.6)])
    wave = np.concatenate([nothing(1.0), pause, nothing(0.5)])
    made, sound = condition(np.stack([wave] * 3, 1), RATE, Conditioning(RATE))
    assert sound.channels == 3 and sound.clipped_run == 0
    assert sound.start_silence == pytest.approx(1.0, abs=0.03) and sound.end_silence == pytest.approx(0.5, abs=0.03)
    assert sound.edge_silence == pytest.approx(0.1, abs=0.03), "after trimming"
    assert sound.pauses == (pytest.approx(0.8, abs=0.03),) and sound.longest_pause == sound.pauses[0]
    assert sound.inner_silence == pytest.approx(0.4, abs=0.03)
    assert sound.loudness_lufs == pytest.approx(loudness(wave, RATE), abs=0.2) and sound.snr_db is None
    assert len(made) / RATE == pytest.approx(2.2, abs=0.06)
    kept = condition(wave[:, None], RATE, Conditioning(RATE, trim_db=0, pad_ms=0))[1]
    assert kept.edge_silence == pytest.approx(1.0, abs=0.03)
    assert Sound.of(json.loads(json.dumps(asdict(sound)))) == sound


def test_numbers_far_beyond_full_scale_are_damage(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "int.wav", speech(1.0, 1, RATE) * 32768, RATE, subtype="FLOAT")
    with pytest.raises(AudioRejected, match="times full scale"):
        read_audio(tmp_path / "int.wav")
    soundfile.write(tmp_path / "over.wav", speech(1.0, 1, RATE) * 4, RATE, subtype="FLOAT")
    assert np.abs(read_audio(tmp_path / "over.wav")[0]).max() == pytest.approx(1.2, abs=0.01)


# --------------------------------------------------------------------------- noise


@pytest.mark.parametrize("wanted", [30.0, 20.0, 10.0])
def test_noise_under_speech_is_measured_within_one_decibel(spoken: np.ndarray, wanted: float) -> None:
    wave = np.concatenate([nothing(0.5), spoken, nothing(0.5)])
    probabilities = speech_probabilities(spoken, RATE, thread_detector())
    windows = spoken[: len(probabilities) * 768].copy()
    windows.resize(len(probabilities) * 768)
    level = float(np.mean(np.square(windows.reshape(-1, 768))[probabilities >= 0.5]))
    noise = np.random.default_rng(1).normal(0, np.sqrt(level / 10 ** (wanted / 10)), len(wave)).astype(np.float32)
    noisy = wave + noise
    found = signal_to_noise(noisy, RATE, speech_probabilities(noisy, RATE, thread_detector()))
    assert found == pytest.approx(wanted, abs=1.0)
    sound = condition(noisy[:, None], RATE, Conditioning(RATE, highpass_hz=0), find_noise=True)[1]
    assert sound.snr_db == pytest.approx(found, abs=0.1)


def test_one_loud_moment_between_the_words_is_not_noise() -> None:
    probabilities = np.array([0.0] * 12 + [0.9] * 20 + [0.0] * 12, np.float32)
    size = 768
    wave = np.full(len(probabilities) * size, 0.001, np.float32)
    wave[12 * size : 32 * size] = 0.1
    assert signal_to_noise(wave, RATE, probabilities) == pytest.approx(40.0, abs=0.1)
    wave[2 * size : 4 * size] = 0.05
    assert signal_to_noise(wave, RATE, probabilities) == pytest.approx(40.0, abs=0.1)


def test_where_nothing_is_between_the_noise_is_not_known(spoken: np.ndarray) -> None:
    said = np.full(40, 0.9, np.float32)
    wave = np.full(40 * 768, 0.1, np.float32)
    assert signal_to_noise(wave, RATE, said) is None
    assert signal_to_noise(wave, RATE, np.zeros(40, np.float32)) is None, "nobody speaks"
    # Muted ends tell nothing of the noise.
    between = np.concatenate([np.zeros(20, np.float32), said])
    muted = np.concatenate([np.zeros(20 * 768, np.float32), wave])
    assert signal_to_noise(muted, RATE, between) is None
    assert signal_to_noise(muted + 1e-4, RATE, between) is not None
    # A window that touches speech counts as neither: four free windows on one side are too few.
    close = np.concatenate([np.zeros(6, np.float32), said])
    assert signal_to_noise(np.full(46 * 768, 0.1, np.float32), RATE, close) is None
    assert signal_to_noise(np.zeros(0, np.float32), RATE, np.zeros(0, np.float32)) is None


def test_a_thread_has_one_detector_of_its_own() -> None:
    with ThreadPoolExecutor(1) as pool:
        there = [pool.submit(thread_detector).result() for _ in range(2)]
    assert there[0] is there[1] is not thread_detector()
    assert thread_detector() is thread_detector()


def test_a_new_measurement_encodes_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = keys.sound_key("a", 1.0), keys.codes_key("a", "codec"), keys.audio_key("c", None, None, "settings")
    monkeypatch.setattr(keys, "MEASURES", keys.MEASURES + 1)
    after = keys.sound_key("a", 1.0), keys.codes_key("a", "codec"), keys.audio_key("c", None, None, "settings")
    assert before[0] != after[0] and before[1:] == after[1:]
    assert keys.sound_key("a", 1.0, noise=True) != keys.sound_key("a", 1.0, noise=False)
