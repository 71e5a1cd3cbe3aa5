"""Fundamental frequency of a wave: Praat's where parselmouth is installed, else autocorrelation in numpy.

Legend: N samples, W windows 10 ms apart.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

STEP_SECONDS = 0.01
LOWEST_HZ, HIGHEST_HZ = 65.0, 500.0
WINDOW_SECONDS = 3 / LOWEST_HZ
"""Three periods of the lowest voice."""
VOICED = 0.45
"""Least normalised autocorrelation of a voiced window (as in Boersma 1993)."""
OCTAVE_COST = 0.02
"""Taken off a candidate for each octave below the highest: the period itself wins over twice the period."""
SILENCE_DB = 35.0
"""Under the loudest window: not looked at."""


def backend() -> str:
    """What `f0` uses: `praat` or `autocorrelation`."""
    return "praat" if find_spec("parselmouth") else "autocorrelation"


def f0(wave: np.ndarray, sample_rate: int, how: str = "") -> np.ndarray:
    """F0 in Hz [W], 0 where there is no voice. how: `praat` or `autocorrelation`; empty: the best that is there."""
    return praat(wave, sample_rate) if (how or backend()) == "praat" else autocorrelation(wave, sample_rate)


def praat(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """Praat's pitch (parselmouth, GPL-3: in the extra `prosody`, never in the core)."""
    import numpy as np
    import parselmouth

    if len(wave) < WINDOW_SECONDS * sample_rate:
        return np.zeros(0)
    sound = parselmouth.Sound(wave.astype(np.float64), sampling_frequency=sample_rate)
    return sound.to_pitch(STEP_SECONDS, LOWEST_HZ, HIGHEST_HZ).selected_array["frequency"]


def autocorrelation(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """The strongest peak of the window's autocorrelation divided by that of its Hann window, parabola between samples
    (after Boersma 1993, without the path over windows)."""
    import numpy as np

    size, hop = int(WINDOW_SECONDS * sample_rate), int(STEP_SECONDS * sample_rate)
    if len(wave) < size:
        return np.zeros(0)
    windows_WN = np.lib.stride_tricks.sliding_window_view(wave.astype(np.float64), size)[::hop]
    windows_WN = windows_WN - windows_WN.mean(axis=1, keepdims=True)
    level_W = np.sqrt((windows_WN**2).mean(axis=1))
    hann = np.hanning(size)
    length = 2 ** int(np.ceil(np.log2(2 * size)))
    window = np.fft.irfft(np.abs(np.fft.rfft(hann, length)) ** 2)[:size]
    power = np.abs(np.fft.rfft(windows_WN * hann, length, axis=1)) ** 2
    raw_WL = np.fft.irfft(power, axis=1)[:, :size]
    first, last = int(sample_rate / HIGHEST_HZ), min(int(sample_rate / LOWEST_HZ), size - 2)
    energy_W1 = np.maximum(raw_WL[:, :1], 1e-12)
    normal_WL = raw_WL / energy_W1 / np.maximum(window / window[0], 1e-6)
    lags = np.arange(first, last + 1)
    here = normal_WL[:, first : last + 1]
    peak = (here >= normal_WL[:, first - 1 : last]) & (here > normal_WL[:, first + 1 : last + 2])
    score = np.where(peak, here - OCTAVE_COST * np.log2(lags / first), -np.inf)
    best = score.argmax(axis=1)
    rows = np.arange(len(here))
    strength = np.where(np.isfinite(score[rows, best]), here[rows, best], 0.0)
    left, middle, right = (normal_WL[rows, first + best + shift] for shift in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.where(np.abs(bend) > 1e-12, 0.5 * (left - right) / np.where(bend == 0, 1, bend), 0.0)
    hertz = sample_rate / (first + best + np.clip(shift, -0.5, 0.5))
    loud = level_W > level_W.max() * 10 ** (-SILENCE_DB / 20)
    return np.where((strength > VOICED) & loud & (level_W > 0), hertz, 0.0)
