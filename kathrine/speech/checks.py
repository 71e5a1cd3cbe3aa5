"""Numbers of a wave that need no model: what tells a silent or clipped file from speech.

Legend: T samples. Waves are float32 [T], mono, in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SILENT_PEAK = 1e-3
"""Under this peak a listener hears nothing at normal volume."""
SILENT_RMS_DB = -50.0
CLIPPED_SHARE = 0.002
FULL_SCALE = 0.999
FLOOR_DB = -120.0
"""Stands for digital silence, so that every number can be written as JSON."""


@dataclass(frozen=True, slots=True)
class WaveFacts:
    """Measured on one wave. rms_db and peak_db: dBFS (-120 for digital silence). flags: what is wrong, if anything."""

    seconds: float
    rms_db: float
    peak_db: float
    flags: tuple[str, ...]


def decibel(amplitude: float) -> float:
    """Amplitude (1 = full scale) in dBFS; digital silence gives the floor of -120."""
    import math

    return max(FLOOR_DB, 20.0 * math.log10(amplitude)) if amplitude > 0 else FLOOR_DB


def measure(wave: np.ndarray, sample_rate: int) -> WaveFacts:
    """Measure a wave and flag what a person would complain about.

    Given: wave float32 [T]; sample_rate in Hz. Returns: WaveFacts; a wave with NaN or Inf is flagged
    `not finite` and measured on its finite part.
    """
    import numpy as np

    flags: list[str] = []
    if wave.size == 0:
        return WaveFacts(0.0, FLOOR_DB, FLOOR_DB, ("empty",))
    finite = np.isfinite(wave)
    if not finite.all():
        flags.append("not finite")
        wave = np.where(finite, wave, 0.0)
    peak = float(np.abs(wave).max())
    rms_db = decibel(float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))))
    if peak < SILENT_PEAK or rms_db < SILENT_RMS_DB:
        flags.append("silent")
    if float(np.mean(np.abs(wave) >= FULL_SCALE)) > CLIPPED_SHARE:
        flags.append("clipped")
    return WaveFacts(wave.size / sample_rate, rms_db, decibel(peak), tuple(flags))
