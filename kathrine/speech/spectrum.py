"""Levels and spectra of short windows. Legend: N samples, W windows of 32 ms every 16 ms; waves are float32 [N]."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

WINDOW_SECONDS, HOP_SECONDS = 0.032, 0.016
BAND_HZ = (80.0, 7000.0)
ACTIVE_DB = 25.0
"""Under the loudest window: what counts as a voiced frame."""
FLOOR_DB = -120.0
"""Stands for digital silence, so that every number can be written as JSON."""


def decibel(ratio: float) -> float:
    """A ratio of amplitudes in dB (dBFS where 1 is full scale); nothing gives the floor of -120."""
    return max(FLOOR_DB, 20.0 * math.log10(ratio)) if ratio > 0 else FLOOR_DB


def window_levels(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """Root mean square [W] of windows of 32 ms, every 16 ms; one window for anything shorter."""
    import numpy as np

    window, hop = round(WINDOW_SECONDS * sample_rate), round(HOP_SECONDS * sample_rate)
    if len(wave) <= window:
        return np.sqrt(np.mean(np.square(wave, dtype=np.float64), keepdims=True))
    total = np.concatenate([[0.0], np.cumsum(np.square(wave, dtype=np.float64))])
    first = np.arange(0, len(wave) - window + 1, hop)
    return np.sqrt(np.maximum(total[first + window] - total[first], 0.0) / window)


def spectra(wave: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Power [W, bins] of windows of 32 ms every 16 ms (Hann), and the frequency of each bin in Hz."""
    import numpy as np

    window, hop = round(WINDOW_SECONDS * sample_rate), round(HOP_SECONDS * sample_rate)
    padded = np.pad(wave.astype(np.float32), (0, max(0, window - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(window).astype(np.float32), axis=1)) ** 2
    return power, np.fft.rfftfreq(window, 1 / sample_rate)


def voiced_flatness(wave: np.ndarray, sample_rate: int) -> float:
    """Median spectral flatness (geometric over arithmetic mean of the power from 80 to 7000 Hz) of the windows that
    are within 25 dB of the loudest: near 0 for voices, 0.56 for white noise."""
    import numpy as np

    power, hertz = spectra(wave, sample_rate)
    band = power[:, (hertz >= BAND_HZ[0]) & (hertz <= BAND_HZ[1])] + 1e-20
    level = power.sum(axis=1)
    band = band[level >= level.max() * 10 ** (-ACTIVE_DB / 10)]
    return float(np.median(np.exp(np.log(band).mean(axis=1)) / band.mean(axis=1)))
