"""Where somebody speaks: the Silero detector, whose weights ship in its wheel.

Shapes: N samples, W windows of 32 ms. Waves are float32, mono, in [-1, 1]; times are seconds.
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

DETECTOR_RATE = 16000
WINDOW = 512
"""Samples that the detector judges at once: 32 ms at its rate."""
SPEECH, NO_SPEECH = 0.5, 0.3
"""A window counts as speech from the first probability, as surely none below the second."""
GUARD_WINDOWS = 2
"""Windows beside speech that count as neither: a consonant dies away there (64 ms)."""
FEWEST_WINDOWS = 5
"""Less of speech, or of what is between, than this (160 ms) tells nothing."""
MUTED = 10 ** (-96 / 10)
"""Mean power below which a window was muted or padded rather than recorded: one step of 16 bits."""


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


_mine = threading.local()


def thread_detector() -> torch.nn.Module:
    """The detector of this thread, loaded when it first asks."""
    if not hasattr(_mine, "detector"):
        _mine.detector = load_detector()
    return _mine.detector


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


def signal_to_noise(wave_N: np.ndarray, rate: int, probabilities_W: np.ndarray) -> float | None:
    """Level of speech over the level of what is between, in dB; None where too little of either was recorded.

    Given: `speech_probabilities` of the same wave. Noise: the median power of windows that hold no speech and do not
    touch any. The median, so that a breath or a page turned does not count as noise all over; muted windows are left
    out, since they tell nothing of the noise under the speech. Speech: the mean power of speech windows, less the
    noise in them. On speech with white noise added at 30, 20 and 10 dB it reads within 1 dB of that.
    """
    if len(probabilities_W) < 2 * FEWEST_WINDOWS:
        return None
    size = rate * WINDOW / DETECTOR_RATE
    edges = np.minimum(np.round(np.arange(len(probabilities_W) + 1) * size).astype(np.int64), len(wave_N))
    total_N = np.concatenate([[0.0], np.cumsum(np.square(wave_N, dtype=np.float64))])
    power_W = (total_N[edges[1:]] - total_N[edges[:-1]]) / np.maximum(np.diff(edges), 1)
    maybe_W = (probabilities_W >= NO_SPEECH).astype(np.int64)
    around_W = np.convolve(maybe_W, np.ones(2 * GUARD_WINDOWS + 1, dtype=np.int64))
    near_W = around_W[GUARD_WINDOWS : GUARD_WINDOWS + len(power_W)] > 0
    between = power_W[~near_W & (power_W > MUTED)]
    speech = power_W[probabilities_W >= SPEECH]
    if min(len(between), len(speech)) < FEWEST_WINDOWS:
        return None
    noise = float(np.median(between))
    return float(10 * np.log10(max(float(speech.mean()) - noise, 1e-3 * noise) / noise))
