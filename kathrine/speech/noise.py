"""Whether a model grows noisy: what a take's pauses and voices sound like, and how that changes over checkpoints.

A loss can fall while the sound decays: codes of late codebooks carry detail, and overfit detail is heard as a rasping
noise. Three numbers show it before a listener is sure. Legend: N samples, W windows of 32 ms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from kathrine.speech.spectrum import ACTIVE_DB, FLOOR_DB, decibel, spectra, voiced_flatness, window_levels

if TYPE_CHECKING:
    import numpy as np

HIGH_HZ = 7000.0
FLOOR_SHARE = 0.05
MARGINS = {"floor_db": 1.5, "flatness": 0.02, "high_db": 1.5}
"""Changes of the medians over a checkpoint's takes that count; smaller ones are chance."""


@dataclass(frozen=True, slots=True)
class NoiseFacts:
    """Of one take. floor_db: its quietest twentieth under the level of its speech. flatness: median over voiced frames,
    0 (a tone) to 0.56 (white noise). high_db: energy above 7 kHz under that of the whole."""

    floor_db: float
    flatness: float
    high_db: float


def noise_facts(wave: np.ndarray, sample_rate: int) -> NoiseFacts:
    """Measure a wave float32 [N]; a silent or empty one gives the least values."""
    import numpy as np

    if wave.size == 0 or float(np.abs(wave).max()) == 0.0:
        return NoiseFacts(FLOOR_DB, 0.0, FLOOR_DB)
    level_W = window_levels(wave, sample_rate)
    speech = level_W[level_W >= level_W.max() * 10 ** (-ACTIVE_DB / 20)]
    floor = np.quantile(level_W, FLOOR_SHARE)
    power, hertz = spectra(wave, sample_rate)
    total = float(power.sum())
    high = float(power[:, hertz > HIGH_HZ].sum())
    return NoiseFacts(
        floor_db=decibel(float(floor) / float(np.sqrt(np.mean(speech**2)))),
        flatness=voiced_flatness(wave, sample_rate),
        high_db=decibel(math.sqrt(high / total)),
    )


def medians(takes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The three numbers of a checkpoint: medians over its takes. Nothing for no takes."""
    return {name: float(median(take[name] for take in takes)) for name in MARGINS} if takes else {}


def noisier(before: Mapping[str, float], after: Mapping[str, float]) -> bool:
    """Whether sound decayed between two checkpoints: a number grew by more than its margin, and none fell as much."""
    if not before or not after:
        return False
    changes = [(after[name] - before[name]) / margin for name, margin in MARGINS.items()]
    return max(changes) > 1 and min(changes) >= -1


@dataclass(frozen=True, slots=True)
class Sounding:
    """A checkpoint as the trend sees it: its step, held-out loss, and medians."""

    step: int
    loss: float
    noise: Mapping[str, float]


def noise_trend(history: Sequence[Sounding]) -> int | None:
    """The step before sound began to decay while the loss fell, when it decayed twice in a row; else None.

    Given: checkpoints in order; only the last three are looked at.
    """
    if len(history) < 3:
        return None
    first, second, third = history[-3:]
    decayed = noisier(first.noise, second.noise) and noisier(second.noise, third.noise)
    return first.step if decayed and third.loss < second.loss < first.loss else None
