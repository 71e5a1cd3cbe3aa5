"""What workers do: decode a part of a recording, condition it, measure it. Plain functions of plain values, which a
process of its own can be given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kathrine.corpus.audio import AudioRejected, Conditioning, condition, read_audio
from kathrine.corpus.sound import Sound

if TYPE_CHECKING:
    import numpy as np

    from kathrine.types import Utterance


@dataclass(frozen=True, slots=True)
class Recording:
    """A file, or the part of it from `start` to `end` (seconds). seconds: the length that it is supposed to have."""

    path: str
    start: float | None = None
    end: float | None = None
    seconds: float | None = None

    @classmethod
    def of(cls, utterance: Utterance) -> Recording:
        """The recording of an utterance that has one."""
        return cls(str(utterance.audio), utterance.start, utterance.end, utterance.seconds)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a recording can not be used: the reason under which it is counted, and one line."""

    reason: str
    detail: str = ""


def conditioned(
    recording: Recording, settings: Conditioning, limit: float = 0.0, find_noise: bool = False
) -> tuple[np.ndarray, Sound] | Refused:
    """The conditioned wave float32 [samples] and what was measured. limit: seconds beyond which nothing is decoded;
    find_noise: measure the signal-to-noise ratio too."""
    try:
        wave_NC, rate = read_audio(Path(recording.path), recording.start, recording.end, recording.seconds, limit)
        return condition(wave_NC, rate, settings, find_noise)
    except AudioRejected as rejected:
        return Refused(rejected.reason, rejected.detail)


def listen(
    recording: Recording, settings: Conditioning, limit: float = 0.0, find_noise: bool = False
) -> Sound | Refused:
    """What is measured of a recording; its wave is dropped."""
    heard = conditioned(recording, settings, limit, find_noise)
    return heard if isinstance(heard, Refused) else heard[1]


def wave_of(recording: Recording, settings: Conditioning) -> np.ndarray | Refused:
    """The conditioned wave float32 [samples]."""
    heard = conditioned(recording, settings)
    return heard if isinstance(heard, Refused) else heard[0]
