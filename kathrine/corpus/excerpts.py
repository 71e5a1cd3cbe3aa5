"""Short playable excerpts for the corpus page: a few seconds of a recording as mp3 in a data URI.

Shapes: N samples.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kathrine.corpus.audio import LEAD_SECONDS, AudioRejected, Conditioning, condition, read_audio, to_mono
from kathrine.corpus.sound import inner_pauses

SECONDS = 8.0
RATE = 24000
EDGE = 0.005


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Sound for one utterance. uri: a data URI, empty where nothing can be played; problem: why. pauses: seconds
    from and to, for one that was drawn with its pauses."""

    uri: str
    seconds: float = 0.0
    problem: str = ""
    wave_N: np.ndarray | None = None
    pauses: tuple[tuple[float, float], ...] = ()


def as_found(told: Mapping[str, Any]) -> Excerpt:
    """The first 8 s of an utterance, as its source gave it: not made louder, not filtered."""
    if not told.get("audio"):
        return Excerpt("", problem="it has no recording")
    try:
        wave_N, rate = _first_seconds(Path(told["audio"]), told.get("start") or 0.0, told.get("end"))
    except AudioRejected as problem:
        return Excerpt("", problem=problem.detail or problem.reason)
    return Excerpt(mp3_uri(_at(wave_N, rate)), len(wave_N) / rate)


def as_trained(told: Mapping[str, Any], settings: Conditioning) -> Excerpt:
    """The first 8 s of a kept utterance as the model hears it, with its pauses."""
    try:
        wave_NC, rate = read_audio(Path(told["audio"]), told.get("start"), told.get("end"))
    except AudioRejected as problem:
        return Excerpt("", problem=problem.detail or problem.reason)
    wave_N, rate = condition(wave_NC, rate, settings)[0], settings.sample_rate
    wave_N = wave_N[: round(SECONDS * rate)]
    pauses = tuple(inner_pauses(wave_N, rate))
    return Excerpt(mp3_uri(_at(wave_N, rate)), len(wave_N) / rate, "", wave_N, pauses)


def _first_seconds(path: Path, start: float, end: float | None) -> tuple[np.ndarray, int]:
    import soundfile

    if not path.is_file():
        raise AudioRejected("missing file", f"{path.name} does not exist")
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            seconds = SECONDS if end is None else min(SECONDS, end - start)
            first = min(round(start * rate), file.frames)
            lead = min(first, round(LEAD_SECONDS * rate))
            file.seek(first - lead)
            wave_NC = file.read(lead + round(seconds * rate), dtype="float32", always_2d=True)[lead:]
    except (soundfile.SoundFileError, RuntimeError, OSError) as problem:
        raise AudioRejected("corrupt", str(problem).splitlines()[0][:120]) from problem
    if not len(wave_NC) or not np.isfinite(wave_NC).all():
        raise AudioRejected("corrupt", "nothing in it can be played")
    return np.clip(to_mono(wave_NC), -1, 1), rate


def _at(wave_N: np.ndarray, rate: int) -> np.ndarray:
    import soxr

    return wave_N if rate == RATE else soxr.resample(wave_N, rate, RATE, quality="HQ").astype(np.float32)


def mp3_uri(wave_N: np.ndarray) -> str:
    """A wave at 24 kHz as mp3 (about 45 kbit/s) in a data URI; the same wave gives the same bytes."""
    import soundfile

    wave_N = np.array(wave_N, dtype=np.float32)
    edge = min(round(EDGE * RATE), len(wave_N) // 2)
    wave_N[len(wave_N) - edge :] *= np.linspace(1, 0, edge, dtype=np.float32)
    buffer = io.BytesIO()
    soundfile.write(buffer, wave_N, RATE, format="MP3", subtype="MPEG_LAYER_III")
    return "data:audio/mpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
