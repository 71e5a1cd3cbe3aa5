"""High-pass filter and loudness (ITU-R BS.1770-4) in numpy: filters are applied to the spectrum.

Shapes: N samples, B blocks. Waves are float32.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np


def _spectral(wave_N: np.ndarray, rate: int, response: np.ndarray, size: int) -> np.ndarray:
    return np.fft.irfft(np.fft.rfft(wave_N, size) * response, size)[: len(wave_N)].astype(np.float32)


def _fft_size(samples: int, rate: int) -> int:
    """Room for the filter's tail (0.4 s), in a length that the transform likes: five binary digits and
    zeros."""
    wanted = samples + int(0.4 * rate)
    unit = 1 << max(0, wanted.bit_length() - 5)
    return -(-wanted // unit) * unit


@lru_cache(maxsize=8)
def _highpass_response(size: int, rate: int, cutoff: float) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return (1 / np.sqrt(1 + (cutoff / np.fft.rfftfreq(size, 1 / rate)) ** 4)).astype(np.float32)


def highpass(wave_N: np.ndarray, rate: int, cutoff: float) -> np.ndarray:
    """Without what lies under `cutoff` Hz (second-order Butterworth, no phase shift); 0 only removes the
    offset."""
    wave_N = wave_N - wave_N.mean(dtype=np.float64).astype(np.float32)
    if not cutoff:
        return wave_N
    size = _fft_size(len(wave_N), rate)
    return _spectral(wave_N, rate, _highpass_response(size, rate, cutoff), size)


@lru_cache(maxsize=8)
def _k_response(size: int, rate: int) -> np.ndarray:
    """ITU-R BS.1770-4 K-weighting at any rate: the analogue prototypes of its two filters, bilinear
    transform."""
    z = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    k, q, high = (
        math.tan(math.pi * 1681.974450955533 / rate),
        0.7071752369554196,
        10 ** (3.999843853973347 / 20),
    )
    band = high**0.4996667741545416
    shelf = (high + band * k / q + k * k) + 2 * (k * k - high) * z + (high - band * k / q + k * k) * z * z
    shelf = shelf / ((1 + k / q + k * k) + 2 * (k * k - 1) * z + (1 - k / q + k * k) * z * z)
    k, q = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    a0 = 1 + k / q + k * k
    low = (1 - z) ** 2 / (1 + 2 * (k * k - 1) / a0 * z + (1 - k / q + k * k) / a0 * z * z)
    return (shelf * low).astype(np.complex64)


def loudness(wave_N: np.ndarray, rate: int) -> float:
    """Integrated loudness in LUFS (ITU-R BS.1770-4: K-weighting, 400 ms blocks, gates at -70 LUFS and -10
    LU).

    A clip under 400 ms is one block. -inf for silence.
    """
    if not len(wave_N):
        return -math.inf
    size = _fft_size(len(wave_N), rate)
    power_N = np.square(_spectral(wave_N, rate, _k_response(size, rate), size), dtype=np.float64)
    block, step = round(0.4 * rate), round(0.1 * rate)
    total_N = np.concatenate([[0.0], np.cumsum(power_N)])
    if len(wave_N) < block:
        power_B = np.array([power_N.mean()])
    else:
        first_B = np.arange(0, len(wave_N) - block + 1, step)
        power_B = (total_N[first_B + block] - total_N[first_B]) / block

    def lufs(power: float | np.ndarray) -> np.ndarray:
        return -0.691 + 10 * np.log10(np.maximum(power, 1e-20))

    kept_B = power_B[lufs(power_B) > -70]
    if not len(kept_B):
        return -math.inf
    kept_B = kept_B[lufs(kept_B) > lufs(kept_B.mean()) - 10]
    return float(lufs(kept_B.mean()))
