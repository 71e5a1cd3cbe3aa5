"""Where somebody speaks: the Silero detector, whose weights ship in its wheel.

Shapes: N samples, W windows of 32 ms. Waves are float32, mono, in [-1, 1]; times are seconds.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

DETECTOR_RATE = 16000
WINDOW = 512
"""Samples that the detector judges at once: 32 ms at its rate."""


@functools.cache
def _package() -> Any:
    """The detector's package. Importing it sets torch to one thread for the whole process: that is undone."""
    import torch

    threads = torch.get_num_threads()
    import silero_vad

    torch.set_num_threads(threads)
    return silero_vad


def load_detector() -> torch.nn.Module:
    """A detector; it holds the state of one recording, so every thread needs one of its own."""
    return _package().load_silero_vad()


def speech_probabilities(wave_N: np.ndarray, rate: int, detector: torch.nn.Module | None = None) -> np.ndarray:
    """Probability of speech, float32 [W], in windows of 32 ms; the last window is filled up with silence.

    Given: a wave at any rate (Hz); a detector, or none to load one. The same wave gives the same numbers whatever
    came before it.
    """
    import soxr
    import torch

    detector = detector if detector is not None else load_detector()
    if rate != DETECTOR_RATE:
        wave_N = soxr.resample(wave_N, rate, DETECTOR_RATE, quality="HQ")
    wave_N = np.ascontiguousarray(wave_N, dtype=np.float32)
    if not len(wave_N):
        return np.zeros(0, dtype=np.float32)
    detector.reset_states()  # type: ignore[operator]
    with torch.inference_mode():
        found_1W = detector.audio_forward(torch.from_numpy(wave_N)[None], DETECTOR_RATE)  # type: ignore[operator]
    return found_1W[0].numpy().astype(np.float32)


def speech_spans(
    wave_N: np.ndarray,
    rate: int,
    threshold: float = 0.5,
    min_speech: float = 0.25,
    min_pause: float = 0.1,
    pad: float = 0.03,
    detector: torch.nn.Module | None = None,
) -> list[tuple[float, float]]:
    """Start and end (seconds) of each stretch of speech, in order, not overlapping; empty where nobody speaks.

    Given: threshold, probability from which a window counts as speech; min_speech, shorter stretches are dropped;
    min_pause, shorter pauses do not split; pad, added at both ends where there is room. All but threshold in seconds.
    """
    probabilities_W = speech_probabilities(wave_N, rate, detector)
    found = _package().utils_vad.get_speech_timestamps_from_probs(
        probabilities_W.tolist(),
        audio_length_samples=round(len(wave_N) * DETECTOR_RATE / rate),
        threshold=threshold,
        sampling_rate=DETECTOR_RATE,
        min_speech_duration_ms=round(min_speech * 1000),
        min_silence_duration_ms=round(min_pause * 1000),
        speech_pad_ms=round(pad * 1000),
    )
    return [(span["start"] / DETECTOR_RATE, span["end"] / DETECTOR_RATE) for span in found]
