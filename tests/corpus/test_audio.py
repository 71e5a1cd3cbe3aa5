"""Reading and conditioning recordings, against values that are known without it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpus_fakes import speech

from kathrine.corpus.audio import (
    AudioRejected,
    Conditioning,
    bandwidth,
    condition,
    ends_open,
    fade_ends,
    read_audio,
    set_level,
    silence_share,
    to_mono,
    trim_silence,
)
from kathrine.corpus.filters import highpass, loudness
from kathrine.recipe.tables import PrepareTable


def sine(hertz: float, seconds: float, rate: int, level: float = 1.0) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


# --------------------------------------------------------------------------- loudness


@pytest.mark.parametrize("rate", [24000, 44100, 48000])
def test_full_scale_sine_has_the_loudness_of_the_recommendation(rate: int) -> None:
    # ITU-R BS.1770-4: a 0 dBFS sine of 997 Hz in one front channel reads -3.01 LKFS.
    assert loudness(sine(997, 5, rate), rate) == pytest.approx(-3.01, abs=0.02 if rate > 24000 else 0.04)


def test_loudness_follows_the_level_and_weighs_frequencies() -> None:
    rate = 48000
    assert loudness(sine(997, 5, rate, 0.1), rate) == pytest.approx(-23.01, abs=0.02)
    # The shelf raises 10 kHz by about 4 dB over 100 Hz-1 kHz, the high-pass takes 20 Hz down.
    assert loudness(sine(10000, 5, rate), rate) - loudness(sine(500, 5, rate), rate) == pytest.approx(3.9, abs=0.5)
    assert loudness(sine(20, 5, rate), rate) < -14


def test_silence_between_words_is_gated() -> None:
    rate = 48000
    loud = sine(997, 10, rate, 0.1)
    quiet = np.concatenate([loud, np.zeros(10 * rate, np.float32)])
    assert loudness(quiet, rate) == pytest.approx(loudness(loud, rate), abs=0.15)
    # Relative gate: a part 20 dB under the rest does not count either (ungated it would be 3 dB lower).
    softer = np.concatenate([loud, sine(997, 10, rate, 0.01)])
    assert loudness(softer, rate) == pytest.approx(loudness(loud, rate), abs=0.15)


def test_loudness_of_short_clips_and_of_silence() -> None:
    assert loudness(sine(997, 0.2, 24000), 24000) == pytest.approx(-3.01, abs=0.3)
    assert loudness(np.zeros(24000, np.float32), 24000) == -math.inf
    assert loudness(np.zeros(0, np.float32), 24000) == -math.inf


def test_peak_limit_is_a_gain_and_clips_nothing() -> None:
    wave = sine(997, 1, 24000, 0.5)
    wave[1000] = 0.9
    made = set_level(wave, 24000, -3.0, -1.0)
    assert np.abs(made).max() == pytest.approx(10 ** (-1 / 20), rel=1e-4)
    np.testing.assert_allclose(made / made[1000], wave / wave[1000], atol=1e-5)
    assert loudness(set_level(wave, 24000, -30.0, -1.0), 24000) == pytest.approx(-30, abs=0.05)
    np.testing.assert_array_equal(set_level(np.zeros(500, np.float32), 24000, -23, -1), np.zeros(500))


# --------------------------------------------------------------------------- filters and measures


def test_highpass_removes_rumble_and_offset_and_leaves_speech() -> None:
    rate = 24000
    speech_N = sine(300, 2, rate, 0.3)
    made = highpass(speech_N + sine(10, 2, rate, 0.5) + 0.2, rate, 50.0)
    inner = slice(rate // 2, -rate // 2)
    assert np.abs(made[inner] - speech_N[inner]).max() < 0.03
    assert abs(highpass(speech_N + 0.2, rate, 0.0).mean()) < 1e-6


def test_bandwidth_finds_the_edge_of_the_spectrum() -> None:
    rate, random = 48000, np.random.default_rng(1)
    spectrum = np.fft.rfft(random.normal(size=rate * 5))
    spectrum[np.fft.rfftfreq(rate * 5, 1 / rate) > 5800] = 0
    narrow = np.fft.irfft(spectrum).astype(np.float32)
    assert bandwidth(narrow, rate) == pytest.approx(5800, abs=300)
    assert bandwidth(random.normal(size=rate).astype(np.float32), rate) == pytest.approx(rate / 2)
    assert bandwidth(np.zeros(rate, np.float32), rate) == 0.0


def test_mono_is_the_mean_or_the_much_louder_channel() -> None:
    wave = sine(300, 0.1, 8000)
    np.testing.assert_allclose(to_mono(np.stack([wave, 0.8 * wave], 1)), 0.9 * wave, atol=1e-6)
    np.testing.assert_array_equal(to_mono(np.stack([0.1 * wave, wave], 1)), wave)


def test_trim_leaves_the_pad_and_inner_pauses() -> None:
    rate = 24000
    burst, pause = sine(300, 0.5, rate, 0.5), np.zeros(rate, np.float32)
    wave = np.concatenate([pause, burst, pause, burst, pause])
    made = trim_silence(wave, rate, 45.0, 100.0)
    assert len(made) / rate == pytest.approx(0.5 + 1 + 0.5 + 0.2, abs=0.03)
    assert np.abs(made[: int(0.07 * rate)]).max() == 0
    np.testing.assert_array_equal(trim_silence(pause, rate, 45.0, 100.0), pause)
    # An end without silence gets none.
    assert len(trim_silence(burst, rate, 45.0, 100.0)) == len(burst)


def test_fades_are_five_milliseconds() -> None:
    made = fade_ends(np.ones(24000, np.float32), 24000)
    assert made[0] == made[-1] == 0
    assert (made[120:-120] == 1).all() and 0.4 < made[60] < 0.6


def test_silence_share() -> None:
    rate = 24000
    wave = np.concatenate([sine(300, 1, rate, 0.5), np.zeros(3 * rate, np.float32)])
    assert silence_share(wave, rate) == pytest.approx(0.75, abs=0.02)
    assert silence_share(np.zeros(rate, np.float32), rate) == 1.0


def test_an_end_in_the_middle_of_speech_is_seen() -> None:
    rate = 24000
    wave = speech(2.0, 3, rate, tail=0.3)
    assert not ends_open(wave, rate)
    assert ends_open(wave[: round(1.0 * rate)], rate)
    # What a codec leaves behind a cut is no pause.
    assert ends_open(np.concatenate([wave[: round(1.0 * rate)], np.zeros(rate // 20, np.float32)]), rate)
    # Speech that fades away is not cut, even where no silence follows.
    fading = sine(300, 1, rate, 0.5) * np.linspace(1, 0, rate, dtype=np.float32) ** 3
    assert not ends_open(fading, rate)
    assert not ends_open(np.zeros(rate, np.float32), rate)


# --------------------------------------------------------------------------- reading


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.wav"
    soundfile.write(path, speech(2.0, 1, 48000), 48000)
    return path


def reason(path: Path, *args: float | None, **more: float) -> str:
    with pytest.raises(AudioRejected) as error:
        read_audio(path, *args, **more)  # type: ignore[arg-type]
    assert path.name in error.value.detail or error.value.reason == "too long"
    return error.value.reason


def test_part_of_a_file(clip: Path) -> None:
    whole, rate = read_audio(clip)
    part, _ = read_audio(clip, 0.5, 1.25)
    assert rate == 48000 and whole.shape == (96000, 1)
    np.testing.assert_array_equal(part, whole[24000:60000])
    assert reason(clip, 2.5, 3.0) == "corrupt"
    assert reason(clip, 1.0, 4.0) == "length differs"
    assert reason(clip, limit=1.5) == "too long"
    assert reason(clip, None, None, 4.0) == "length differs"
    assert len(read_audio(clip, seconds=2.1)[0]) == 96000


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_half_a_file_is_refused_in_every_format(tmp_path: Path, kind: str) -> None:
    whole, half = tmp_path / f"whole.{kind}", tmp_path / f"half.{kind}"
    soundfile.write(whole, speech(3.0, 2, 24000), 24000)
    assert len(read_audio(whole)[0]) == pytest.approx(72000, abs=100)
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert reason(half) == "corrupt"


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    for name, content in {
        "noise.mp3": np.random.default_rng(0).bytes(4000),
        "none.wav": b"",
        "text.flac": b"hei",
    }.items():
        (tmp_path / name).write_bytes(content)
        assert reason(tmp_path / name) == "corrupt"
    assert reason(tmp_path / "absent.wav") == "missing file"
    soundfile.write(tmp_path / "nan.wav", np.full(4800, np.nan), 48000, subtype="FLOAT")
    assert reason(tmp_path / "nan.wav") == "corrupt"


# --------------------------------------------------------------------------- all together


def test_conditioning_a_stereo_recording() -> None:
    rate = 48000
    voice = speech(3.0, 5, rate, tail=0.8, level=0.05)
    wave, sound = condition(np.stack([voice, voice], 1) + 0.01, rate, Conditioning(24000))
    assert wave.dtype == np.float32 and wave.ndim == 1
    assert loudness(wave, 24000) == pytest.approx(-23, abs=0.3)
    assert sound.samples == len(wave) and sound.seconds == len(wave) / 24000
    assert sound.seconds == pytest.approx(1.4 + 0.2, abs=0.06)
    assert sound.original_rate == 48000 and sound.bandwidth_hz > 20000
    assert sound.clipped == 0 and not sound.open_end
    assert wave[0] == wave[-1] == 0


def test_clipping_is_measured_on_the_channel_where_it_happens() -> None:
    rate = 24000
    voice = speech(1.0, 5, rate)
    clipped = np.clip(voice * 20, -1, 1)
    assert condition(np.stack([voice, clipped], 1), rate, Conditioning(24000))[1].clipped > 0.1


def test_steps_can_be_turned_off() -> None:
    rate = 24000
    voice = speech(1.0, 5, rate, level=0.5)
    off = Conditioning(24000, trim_db=0, pad_ms=0, highpass_hz=0, loudness_lufs=0, peak_db=0)
    wave, _ = condition(voice[:, None], rate, off)
    assert len(wave) == len(voice)
    np.testing.assert_allclose(wave[200:-200], voice[200:-200] - voice.mean(), atol=1e-6)


def test_options_without_effect_change_no_key() -> None:
    table = PrepareTable(trim=False)
    assert Conditioning.of(table, 24000).key() == Conditioning.of(table.model_copy(update={"pad_ms": 7.0}), 24000).key()
    made = Conditioning.of(PrepareTable(), 24000)
    for change in (
        {"sample_rate": 8000},
        {"trim_db": 40.0},
        {"pad_ms": 50.0},
        {"highpass_hz": 0.0},
        {"peak_db": -3.0},
    ):
        assert replace(made, **change).key() != made.key()  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_a_part_of_an_mp3_is_the_same_part_of_the_whole(tmp_path, mode):
    """Frames borrow bits from earlier ones: a jump into the middle would begin with a click."""
    rng = np.random.default_rng(5)
    loud = np.repeat(rng.uniform(0, 1, 60), 4410)[:, None] ** 3 * rng.standard_normal((60 * 4410, 1)) * 0.2
    soundfile.write(tmp_path / "a.mp3", loud, 44100, format="MP3", bitrate_mode=mode, compression_level=0.5)
    whole_NC = soundfile.read(tmp_path / "a.mp3", dtype="float32", always_2d=True)[0]
    for first in rng.integers(1, len(whole_NC) - 44100, 40):
        part_NC, rate = read_audio(tmp_path / "a.mp3", first / 44100, (first + 22050) / 44100)
        assert rate == 44100 and np.abs(part_NC - whole_NC[first : first + 22050]).max() < 1e-5
