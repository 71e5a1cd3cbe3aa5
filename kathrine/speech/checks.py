"""What is checked on every take, in training too: plain numpy on the wave and its codes, no model.

A flag names what a listener would complain about. Its likely cause and the next thing to try stand in `ADVICE`.

Legend: N samples, T frames of codes, W windows. Waves are float32 [N], mono, in [-1, 1]; levels in dBFS, times in
seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kathrine.corpus.text import letters
from kathrine.speech.limits import SpeechLimits
from kathrine.speech.noise import NoiseFacts, noise_facts
from kathrine.speech.spectrum import FLOOR_DB, HOP_SECONDS, WINDOW_SECONDS, decibel, window_levels

if TYPE_CHECKING:
    import numpy as np

SILENT_PEAK, SILENT_RMS_DB = 1e-3, -50.0
LOUDEST = 1.5
"""A peak above it is no wave in [-1, 1]: integers that were not scaled."""
CLIPPED_SHARE, FULL_SCALE, CLIPPING_PEAK = 0.002, 0.999, 0.5
OFFSET_SHARE = 0.02
QUIET_DB = 40.0
"""Under the loudest window: what counts as a pause."""
NOISE_FLATNESS = 0.3
"""Median spectral flatness of voiced frames; 85 good files had 0.04 at most, white noise has 0.56."""
REPEATED_SECONDS, REPEATED_TIMES, LONGEST_PERIOD = 4.0, 3, 25
FREE_SECONDS = 3.0
"""A take this short is never called a runaway: one word may be drawn out."""

ADVICE: dict[str, tuple[str, str]] = {
    "not finite": ("NaN or Inf in the wave: weights or precision are broken", "kathrine inspect TARGET"),
    "out of range": ("samples far above full scale: integers that nobody scaled", "kathrine inspect TARGET"),
    "empty": ("the model ended before the first frame", "another --seed, or a later checkpoint"),
    "silent": (
        "the checkpoint speaks silence: most often trained too far, or decoded without what it was trained with",
        "of a run, --without lora,text_projection to hear the base, then an earlier --checkpoint",
    ),
    "clipped": ("levels beyond full scale: noise that grew in training", "of a run, an earlier --checkpoint"),
    "offset": (
        "the wave does not swing around zero: codes that the codec never saw",
        "an earlier --checkpoint",
    ),
    "late start": ("a pause before the first word", "another --seed, or a --reference without a pause at its start"),
    "long tail": (
        "the model went on after the last word: it is unsure where to end",
        "another --seed, or train for more steps",
    ),
    "long pause": ("the model lost its place inside the sentence", "--text-layout whole, or a shorter sentence"),
    "noise-like": (
        "noise instead of speech: a learning rate too high, or too many steps",
        "of a run, an earlier --checkpoint; of an adapter, --lora-scale 0.5",
    ),
    "runaway": (
        "far more sound than the text needs",
        "another --seed, or --text-layout whole",
    ),
    "no end": ("the model did not end by itself and was cut at its budget", "another --seed, or --text-layout whole"),
    "repeated": ("the same codes over and over: greedy decoding loops", "--temperature 0.9 instead of --greedy"),
    "truncated": ("far less sound than the text needs: words are missing", "another --seed, or --text-layout whole"),
}
"""Every flag -> its likely cause, and what to try next."""


def advice(flag: str, layouts: Sequence[str]) -> tuple[str, str]:
    """Cause and remedy of a flag, for a model of these text layouts: another layout is named where there is one."""
    cause, remedy = ADVICE[flag]
    tries = [one for one in remedy.split(", or ") if "--text-layout" not in one or len(layouts) > 1]
    return cause, ", or ".join(tries)


NO_NOISE = NoiseFacts(FLOOR_DB, 0.0, FLOOR_DB)
"""Of a take in which there is nothing to hear."""


@dataclass(frozen=True, slots=True)
class WaveFacts:
    """Measured on one take. rms_db, peak_db: dBFS (-120 for digital silence). offset: mean over peak. lead, tail,
    longest_pause, active: seconds before the first sound, after the last one, the longest silence between, and of
    sound. flatness: median over voiced frames, 0 (a tone) to 1. period: frames after which the codes repeat, or 0.
    flags: what is wrong, if anything, each a key of `ADVICE`."""

    seconds: float
    rms_db: float
    peak_db: float
    flags: tuple[str, ...]
    offset: float = 0.0
    lead: float = 0.0
    tail: float = 0.0
    longest_pause: float = 0.0
    active: float = 0.0
    noise: NoiseFacts = NO_NOISE
    period: int = 0


def measure(
    wave: np.ndarray,
    sample_rate: int,
    text: str = "",
    codes_T: np.ndarray | None = None,
    stop: str = "end",
    frames_per_second: float = 0.0,
    limits: SpeechLimits | None = None,
) -> WaveFacts:
    """Measure a take and flag what a person would complain about.

    Given: wave float32 [N]; sample_rate in Hz. With the text that was to be spoken its length is judged; with
    codes_T, integers [T], the first codebook, and frames_per_second, repetition; stop: `end`, `budget` or
    `repetition`. limits: of the language, or the general ones. A wave with NaN or Inf is flagged and measured on its
    finite part.
    """
    import numpy as np

    limits = limits or SpeechLimits()
    flags: list[str] = []
    period = repeated_period(codes_T, frames_per_second) if codes_T is not None and frames_per_second else 0
    if period or stop == "repetition":
        flags.append("repeated")
    if stop == "budget":
        flags.append("no end")
    if wave.size == 0:
        return WaveFacts(0.0, FLOOR_DB, FLOOR_DB, ("empty", *flags), period=period)
    finite = np.isfinite(wave)
    if not finite.all():
        flags.append("not finite")
        wave = np.where(finite, wave, 0.0)
    peak = float(np.abs(wave).max())
    rms_db = decibel(float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))))
    offset = abs(float(wave.mean(dtype=np.float64))) / peak if peak > 0 else 0.0
    silent = peak < SILENT_PEAK or rms_db < SILENT_RMS_DB
    clipping = peak > CLIPPING_PEAK and float(np.mean(np.abs(wave) >= FULL_SCALE * peak)) > CLIPPED_SHARE
    flags += [name for name, found in (("silent", silent), ("clipped", clipping)) if found]
    flags += ["out of range"] * (peak > LOUDEST) + ["offset"] * (offset > OFFSET_SHARE and not silent)
    seconds = wave.size / sample_rate
    lead, tail, longest, active = pauses(wave, sample_rate) if not silent else (seconds, 0.0, 0.0, 0.0)
    noise = noise_facts(wave, sample_rate) if not silent else NO_NOISE
    if not silent:
        long = (
            ("late start", lead > limits.lead_seconds),
            ("long tail", tail > limits.tail_seconds),
            ("long pause", longest > limits.pause_seconds),
            ("noise-like", noise.flatness > NOISE_FLATNESS),
        )
        flags += [name for name, found in long if found]
    count = letters(text)
    if count:
        flags += ["runaway"] * (seconds > max(FREE_SECONDS, limits.seconds_per_letter * count))
        flags += ["truncated"] * (not silent and active < limits.active_seconds_per_letter * count)
    return WaveFacts(seconds, rms_db, decibel(peak), tuple(flags), offset, lead, tail, longest, active, noise, period)


def pauses(wave: np.ndarray, sample_rate: int) -> tuple[float, float, float, float]:
    """Seconds of silence before the first sound and after the last, the longest silence between, and of sound.

    Silence: windows 40 dB under the loudest.
    """
    import numpy as np

    level_W = window_levels(wave, sample_rate)
    sound_W = level_W > level_W.max() * 10 ** (-QUIET_DB / 20)
    places = np.nonzero(sound_W)[0]
    first, last = int(places[0]), int(places[-1])
    gaps = np.diff(places)
    longest = int(gaps.max()) - 1 if len(gaps) else 0
    tail = max(0.0, len(wave) / sample_rate - last * HOP_SECONDS - WINDOW_SECONDS)
    return first * HOP_SECONDS, tail, longest * HOP_SECONDS, len(places) * HOP_SECONDS


def repeated_period(codes_T: np.ndarray, frames_per_second: float) -> int:
    """Frames after which the end of a sequence repeats itself, or 0.

    Repetition: at least four seconds at the end that consist of one pattern of at most 25 frames, three times or
    more. Pauses of speech repeat a code too, but not for so long.
    """
    import numpy as np

    codes_T = np.asarray(codes_T)
    needed = math.ceil(REPEATED_SECONDS * frames_per_second)
    for period in range(1, LONGEST_PERIOD + 1):
        length = max(needed, REPEATED_TIMES * period)
        if length > len(codes_T):
            break
        tail = codes_T[len(codes_T) - length :]
        if np.array_equal(tail[period:], tail[:-period]):
            return period
    return 0
