"""`[evaluate.prosody]`: pitch, speaking rate, pauses and breaths, beside those of the reference.

Legend: N samples, W windows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.metadata import version
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from kathrine import Metric, MetricContext, MetricFacts, Options
from kathrine_metrics.pitch import backend, f0

if TYPE_CHECKING:
    import numpy as np

PAUSE_SECONDS = 0.15
"""Shorter silences are part of plosives."""
BREATH_SECONDS = 0.15
BREATH_DB = (-50.0, -15.0)
"""Level of a breath under that of the speech."""
BREATH_FLATNESS = 0.1
"""Spectral flatness above which a sound in a pause is air and not voice."""


class ProsodyOptions(Options):
    pitch: Literal["auto", "praat", "autocorrelation"] = "auto"
    """What measures pitch; auto: Praat where `kathrine[prosody]` is installed, else autocorrelation."""


class Prosody(Metric):
    """Median and range of pitch, letters a second, pauses and breaths, and their distance from the reference."""

    name = "prosody"
    shows = {  # noqa: RUF012
        "f0_hz": "", "f0_range": "", "rate": "", "pauses": "", "breaths": "", "f0_distance": "lower",
        "range_distance": "lower", "pause_distance": "lower",
    }  # fmt: skip
    Options = ProsodyOptions
    options: ProsodyOptions
    _how = ""

    def available(self) -> str:
        missing = self.options.pitch == "praat" and backend() != "praat"
        return 'Praat is not installed: pip install "kathrine[prosody]", or pitch = "auto"' if missing else ""

    def open(self, context: MetricContext) -> MetricFacts:
        self._how = backend() if self.options.pitch == "auto" else self.options.pitch
        release = f" {version('praat-parselmouth')}" if self._how == "praat" else ""
        return MetricFacts(self.version, f"{self._how}{release}", "", "cpu", "proxy: the reference says other words")

    def score(
        self, wave: np.ndarray, sample_rate: int, text: str, reference: np.ndarray | None
    ) -> Mapping[str, float | str]:
        own = prosody_of(wave, sample_rate, self._how, text)
        if reference is None or not own:
            return own
        return {**own, **distances(own, prosody_of(reference, sample_rate, self._how))}


def prosody_of(wave: np.ndarray, sample_rate: int, how: str = "", text: str = "") -> dict[str, float]:
    """Of one recording: `f0_hz` median; `f0_range`, semitones between its 10th and 90th percentile; `voiced` share;
    `rate`, letters a second of sound, where the text is known; `pauses` of 0.15 s and more, and `breaths`, a minute;
    `paused`, share of the time. Nothing for silence; no pitch where nothing is voiced."""
    import numpy as np

    from kathrine.speech.checks import letters
    from kathrine.speech.spectrum import HOP_SECONDS, window_levels

    wave = np.nan_to_num(wave, nan=0.0, posinf=0.0, neginf=0.0)
    if wave.size < sample_rate // 10 or not np.abs(wave).max() > 0:
        return {}
    level_W = window_levels(wave, sample_rate)
    sound = level_W > level_W.max() * 10 ** (-30 / 20)
    places = np.flatnonzero(sound)
    first, last = int(places[0]), int(places[-1]) + 1
    minutes = (last - first) * HOP_SECONDS / 60
    gaps = [(a, b) for a, b in gaps_of(sound[first:last]) if (b - a) * HOP_SECONDS >= PAUSE_SECONDS]
    speech_db = 20 * math.log10(float(np.sqrt(np.mean(level_W[sound] ** 2))))
    breaths = sum(has_breath(wave, sample_rate, first + a, first + b, speech_db) for a, b in gaps)
    found = {
        "pauses": len(gaps) / minutes,
        "breaths": breaths / minutes,
        "paused": sum(b - a for a, b in gaps) / (last - first),
    }
    if text:
        found["rate"] = letters(text) / (float(sound.sum()) * HOP_SECONDS)
    pitch = f0(wave, sample_rate, how)
    voiced = pitch[pitch > 0]
    if voiced.size:
        low, middle, high = np.quantile(voiced, [0.1, 0.5, 0.9])
        found |= {"f0_hz": float(middle), "f0_range": 12 * math.log2(high / low), "voiced": voiced.size / pitch.size}
    return found


def gaps_of(sound: np.ndarray) -> list[tuple[int, int]]:
    """First window and end of each silence between sounds."""
    import numpy as np

    places = np.flatnonzero(sound)
    return [(int(a) + 1, int(b)) for a, b in pairwise(places) if b - a > 1]


def has_breath(wave: np.ndarray, sample_rate: int, first: int, end: int, speech_db: float) -> bool:
    """Whether a pause (windows first to end) holds 0.15 s of air: quieter than speech, louder than the floor, and
    without a voice."""
    import numpy as np

    from kathrine.speech.spectrum import HOP_SECONDS, spectra, window_levels

    part = wave[int(first * HOP_SECONDS * sample_rate) : int(end * HOP_SECONDS * sample_rate)]
    if part.size < BREATH_SECONDS * sample_rate:
        return False
    level_W = 20 * np.log10(np.maximum(window_levels(part, sample_rate), 1e-6)) - speech_db
    power_WF = spectra(part, sample_rate)[0] + 1e-20
    count = min(len(level_W), len(power_WF))
    flat_W = np.exp(np.log(power_WF[:count]).mean(axis=1)) / power_WF[:count].mean(axis=1)
    level_W = level_W[:count]
    air = (level_W > BREATH_DB[0]) & (level_W < BREATH_DB[1]) & (flat_W > BREATH_FLATNESS)
    longest = length = 0
    for one in air:
        length = length + 1 if one else 0
        longest = max(longest, length)
    return longest * HOP_SECONDS >= BREATH_SECONDS


def distances(own: Mapping[str, float], reference: Mapping[str, float]) -> dict[str, float]:
    """`f0_distance`, semitones between medians; `range_distance`, semitones between ranges; `pause_distance`, pauses a
    minute; each where both have it."""
    found = {}
    if "f0_hz" in own and "f0_hz" in reference:
        found["f0_distance"] = abs(12 * math.log2(own["f0_hz"] / reference["f0_hz"]))
        found["range_distance"] = abs(own["f0_range"] - reference["f0_range"])
    if "pauses" in own and "pauses" in reference:
        found["pause_distance"] = abs(own["pauses"] - reference["pauses"])
    return found
