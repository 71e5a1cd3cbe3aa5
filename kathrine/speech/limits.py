"""How long speech of a language is: limits of the always-on checks, learnt from the training corpus. No numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TOLERANCE = 0.3
"""Speech may be this share slower than the slowest, or quicker than the quickest, percentile of the corpus."""
LEAST_UTTERANCES = 50
"""Fewer say too little about a language: the general limits stay."""


@dataclass(frozen=True, slots=True)
class SpeechLimits:
    """What good speech keeps to, in seconds. The general values are those of 85 good recordings in six languages.

    seconds_per_letter: the slowest plausible reading, pauses included. active_seconds_per_letter: the quickest,
    without pauses. lead_seconds, tail_seconds, pause_seconds: longest silence before, after and inside. learnt_from:
    utterances that the two letter limits come from; 0 for the general ones.
    """

    seconds_per_letter: float = 0.16
    active_seconds_per_letter: float = 0.03
    lead_seconds: float = 1.0
    tail_seconds: float = 1.5
    pause_seconds: float = 1.5
    learnt_from: int = 0


def percentile(values: Sequence[float], share: float) -> float:
    """Linear between the two nearest; values need not be sorted, and there is at least one."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def pace(utterances: Sequence[tuple[float, float, int]]) -> dict[str, float | int]:
    """The two percentiles of a corpus that limits are made of, as facts of the corpus hold them.

    Given: (seconds, seconds of sound, letters) of each kept utterance. Returns: `utterances`, `slowest` (99th
    percentile of seconds a letter), `quickest` (1st of seconds of sound a letter); nothing for no utterances.
    """
    usable = [(seconds / count, active / count) for seconds, active, count in utterances if count > 0]
    if not usable:
        return {}
    return {
        "utterances": len(usable),
        "slowest": round(percentile([whole for whole, _ in usable], 0.99), 5),
        "quickest": round(percentile([active for _, active in usable], 0.01), 5),
    }


def limits_from(paces: Sequence[Mapping[str, Any]]) -> SpeechLimits:
    """Limits from the paces of a corpus' entries (`pace`), the widest of them; the general ones where too few
    utterances were measured."""
    known = [one for one in paces if one]
    count = sum(int(one["utterances"]) for one in known)
    if count < LEAST_UTTERANCES:
        return SpeechLimits()
    return SpeechLimits(
        seconds_per_letter=(1 + TOLERANCE) * max(float(one["slowest"]) for one in known),
        active_seconds_per_letter=(1 - TOLERANCE) * min(float(one["quickest"]) for one in known),
        learnt_from=count,
    )
