"""What is measured of a recording: bandwidth, level, clipping, silence, pauses, noise. Pure functions of a wave.

Whoever changes what they answer raises `keys.MEASURES`.

Shapes: N samples, L level windows (20 ms, every 10 ms). Waves are float32, levels in dB relative to full scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

LEVEL_WINDOW, LEVEL_HOP = 0.020, 0.010
SILENT_PEAK = 1e-4
OPEN_END_SECONDS, OPEN_END_DB, CLOSING_SILENCE = 0.050, 25.0, 0.080
CLIPPED = 0.999
SILENCE_DB = 40.0
"""Silence inside an utterance: this much under its loudest moment. A breath is usually above, and ends a pause."""
END_SILENCE_DB = 45.0
"""Silence at the ends: the depth at which `prepare.trim_db` cuts by default."""
SHORTEST_PAUSE = 0.1
"""Seconds. What is shorter belongs to the sounds of speech: the closure of p, t and k takes up to 80 ms."""
QUIETEST = -120.0


@dataclass(frozen=True, slots=True)
class Sound:
    """What was measured of a recording.

    Of the conditioned wave: seconds and samples; silence, the share of it that lies 40 dB under its loudest moment;
    inner_silence, the same between its first and last moment above that, 1 for silence throughout; pauses, the
    lengths (seconds) of the inner silences of 0.1 s or more, in order; edge_silence, the longer silence of its two
    ends (seconds).

    As found: original_rate (Hz); channels; bandwidth_hz, 0 where the recording is too short to tell; clipped, the
    share of samples at full scale, and clipped_run, the most of them in a row; rms_db, peak_db and loudness_lufs,
    -120 for silence; start_silence and end_silence (seconds); open_end, whether it ends in the middle of speech;
    snr_db, speech against what is between (see `signal_to_noise`), None where that could not be told or was not
    asked."""

    seconds: float
    samples: int
    original_rate: int
    channels: int
    bandwidth_hz: float
    clipped: float
    silence: float
    rms_db: float
    peak_db: float
    open_end: bool
    clipped_run: int
    loudness_lufs: float
    inner_silence: float
    pauses: tuple[float, ...]
    edge_silence: float
    start_silence: float
    end_silence: float
    snr_db: float | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Sound:
        """From what `dataclasses.asdict` made, also after JSON."""
        return cls(**{**values, "pauses": tuple(values["pauses"])})

    @property
    def longest_pause(self) -> float:
        """Seconds of the longest inner silence, 0 without any of 0.1 s."""
        return max(self.pauses, default=0.0)


def levels(wave_N: np.ndarray, rate: int) -> np.ndarray:
    """Root mean square of windows of 20 ms, every 10 ms; one window for anything shorter."""
    window, hop = round(LEVEL_WINDOW * rate), round(LEVEL_HOP * rate)
    total_N = np.concatenate([[0.0], np.cumsum(np.square(wave_N, dtype=np.float64))])
    if len(wave_N) <= window:
        return np.sqrt(total_N[-1:] / max(len(wave_N), 1))
    first = np.arange(0, len(wave_N) - window + 1, hop)
    return np.sqrt(np.maximum(total_N[first + window] - total_N[first], 0) / window)


def bandwidth(wave_N: np.ndarray, rate: int) -> float:
    """Highest frequency (Hz) whose mean power lies no more than 50 dB under the strongest; over 30 s at
    most."""
    size = 2 ** round(math.log2(0.0116 * rate))
    if len(wave_N) < size:
        return 0.0
    count = min(len(wave_N), 30 * rate) // size
    frames = wave_N[: count * size].reshape(count, size) * np.hanning(size).astype(np.float32)
    power = np.mean(np.abs(np.fft.rfft(frames, axis=1)) ** 2, axis=0)
    if power.max() <= 0:
        return 0.0
    return float(np.nonzero(power >= power.max() * 1e-5)[0][-1] * rate / size)


def silence_share(wave_N: np.ndarray, rate: int, below_db: float = SILENCE_DB) -> float:
    """Share of windows that lie `below_db` under the loudest; 1 for silence."""
    level = levels(wave_N, rate)
    if level.max() < SILENT_PEAK:
        return 1.0
    return float(np.mean(level < level.max() * 10 ** (-below_db / 20)))


def inner_pauses(wave_N: np.ndarray, rate: int, below_db: float = SILENCE_DB) -> list[tuple[float, float]]:
    """Start and end (seconds) of every silence of 0.1 s or more between the first and the last moment of sound, in
    order. Silence: `below_db` under the loudest moment."""
    loud = _loud(levels(wave_N, rate), below_db)
    gaps = np.diff(loud)
    return [
        (float((before + 1) * LEVEL_HOP), float((before + gap - 1) * LEVEL_HOP + LEVEL_WINDOW))
        for before, gap in zip(loud[:-1], gaps, strict=True)
        if gap > 1 and (gap - 2) * LEVEL_HOP + LEVEL_WINDOW > SHORTEST_PAUSE - 1e-6
    ]


def inner_silence_share(wave_N: np.ndarray, rate: int, below_db: float = SILENCE_DB) -> float:
    """Share of windows that lie `below_db` under the loudest, between the first and the last that does not; 1 for
    silence."""
    loud = _loud(levels(wave_N, rate), below_db)
    return 1 - len(loud) / (loud[-1] - loud[0] + 1) if len(loud) else 1.0


def end_silences(wave_N: np.ndarray, rate: int, below_db: float = END_SILENCE_DB) -> tuple[float, float]:
    """Seconds before the first and after the last moment of sound. Silence throughout belongs to the start."""
    level = levels(wave_N, rate)
    loud = _loud(level, below_db)
    if not len(loud):
        return len(wave_N) / rate, 0.0
    return float(loud[0] * LEVEL_HOP), float((len(level) - 1 - loud[-1]) * LEVEL_HOP)


def _loud(level_L: np.ndarray, below_db: float) -> np.ndarray:
    """Positions of windows that are not silent."""
    if level_L.max(initial=0.0) < SILENT_PEAK:
        return np.zeros(0, dtype=np.int64)
    return np.nonzero(level_L >= level_L.max() * 10 ** (-below_db / 20))[0]


def longest_run(wave_N: np.ndarray, limit: float = CLIPPED) -> int:
    """Most samples in a row whose amplitude reaches the limit."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], np.abs(wave_N) >= limit, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def ends_open(wave_N: np.ndarray, rate: int) -> bool:
    """Whether the recording stops in the middle of speech: no pause, and no fading away, at its end.

    Up to 80 ms of nothing after the stop do not count as a pause: mp3 coding leaves as much behind.
    """
    peak = np.abs(wave_N).max(initial=0.0)
    if peak < SILENT_PEAK:
        return False
    last = int(np.nonzero(np.abs(wave_N) > 1e-3 * peak)[0][-1]) + 1
    if len(wave_N) - last > CLOSING_SILENCE * rate:
        return False
    tail = wave_N[max(0, last - round(OPEN_END_SECONDS * rate)) : last]
    level = float(np.sqrt(np.mean(np.square(tail, dtype=np.float64))))
    return level > float(levels(wave_N, rate).max()) * 10 ** (-OPEN_END_DB / 20)


def decibels(value: float) -> float:
    """Amplitude to dB relative to full scale, no lower than -120."""
    return max(QUIETEST, 20 * math.log10(max(value, 1e-6)))
