"""Waves for recognisers: another rate, and pieces that are short enough. Legend: N samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

RATE = 16000
"""What recognisers and DNSMOS hear at."""
LOOK_BACK_SECONDS = 6.0
QUIET_SECONDS = 0.05


def at_rate(wave: np.ndarray, sample_rate: int, rate: int = RATE) -> np.ndarray:
    """A wave float32 [N] at another rate; what is not finite becomes silence."""
    import numpy as np
    import soxr

    finite = np.nan_to_num(wave, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)
    return finite if sample_rate == rate or not finite.size else soxr.resample(finite, sample_rate, rate)


def pieces(wave: np.ndarray, rate: int, longest: float) -> list[np.ndarray]:
    """A wave in pieces of at most `longest` seconds, each cut at the quietest place of its last seconds."""
    import numpy as np

    most, hop = int(longest * rate), max(1, int(QUIET_SECONDS * rate))
    cut: list[np.ndarray] = []
    while len(wave) > most:
        first = most - int(LOOK_BACK_SECONDS * rate)
        windows = wave[first : first + (most - first) // hop * hop].reshape(-1, hop)
        quietest = int(np.argmin(np.square(windows, dtype=np.float64).sum(axis=1)))
        end = first + quietest * hop + hop // 2
        cut.append(wave[:end])
        wave = wave[end:]
    return [*cut, wave] if wave.size or not cut else cut
