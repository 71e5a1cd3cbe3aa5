"""One take: a text spoken once, decoded, measured and written. Used by `speak`, in training and by `evaluate`.

Legend: T generated frames, Q codebooks, N samples.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.components import Codec, SpeechModel
from kathrine.corpus.text import letters
from kathrine.speech.checks import measure, repeated_period
from kathrine.speech.limits import SpeechLimits
from kathrine.types import ModelFacts, Sampling, SpeechRequest, Stop

if TYPE_CHECKING:
    import numpy as np

LEAST_SECONDS = 3.0
SEEDS_APART = 1000
"""Between the seeds of a text's sentences, so that takes of neighbouring seeds share none."""
JOIN_SECONDS = 0.25
"""Silence between the sentences of one text that were synthesised one by one."""


@dataclass(frozen=True, slots=True)
class Part:
    """A sentence of a text, and the request that speaks it."""

    text: str
    request: SpeechRequest


@dataclass(frozen=True, slots=True)
class Take:
    """What was measured on one take; see `WaveFacts` for levels, pauses and flags, `NoiseFacts` for the last three.
    generate_seconds and decode_seconds are wall time; stop: why the synthesis ended (of several sentences the worst);
    file: name of the WAV."""

    text: str
    file: str
    seconds: float
    frames: int
    rms_db: float
    peak_db: float
    seconds_per_letter: float
    stop: Stop
    generate_seconds: float
    decode_seconds: float
    flags: tuple[str, ...]
    seed: int = 0
    take: int = 1
    lead: float = 0.0
    tail: float = 0.0
    longest_pause: float = 0.0
    active: float = 0.0
    flatness: float = 0.0
    floor_db: float = 0.0
    high_db: float = 0.0

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def frame_budget(text: str, frames_per_second: float, max_seconds: float, limits: SpeechLimits | None = None) -> int:
    """Frames that a sentence may take at most, so that no take can hang.

    Given: written text; max_seconds, the hard limit. Returns: frames for twice the slowest plausible reading,
    between 3 seconds and the limit.
    """
    pace = (limits or SpeechLimits()).seconds_per_letter
    seconds = min(max_seconds, max(LEAST_SECONDS, 2 * pace * letters(text)))
    return max(1, int(seconds * frames_per_second))


Watch = Callable[[str, float, float], None]
"""Told while a take is made: what is done (`synthesis` or `decoding`), how much of it, and how much there is."""


def make_take(
    model: SpeechModel,
    codec: Codec,
    parts: Sequence[Part],
    *,
    text: str,
    sampling: Sampling,
    max_seconds: float,
    seed: int,
    limits: SpeechLimits | None = None,
    watch: Watch | None = None,
) -> tuple[Take, np.ndarray]:
    """Speak a text once.

    Given: parts, the text's sentences; max_seconds, hard limit of one sentence; seed, the same parts with the same
    weights and seed give the same codes. Returns: what was measured (without file and take), and the wave float32
    [N]. A sentence that reaches its budget or goes round in circles is cut there and flagged, never hidden.
    """
    import numpy as np

    facts, tell = model.facts, watch or (lambda *_: None)
    pieces, frames, looping = [], 0, False
    stops: set[Stop] = set()
    generate_seconds = decode_seconds = 0.0

    def repeats(codes: Sequence[int]) -> bool:
        return repeated_period(np.asarray(codes), facts.frames_per_second) > 0

    for number, part in enumerate(parts):
        budget = frame_budget(part.text, facts.frames_per_second, max_seconds, limits)
        began = time.perf_counter()
        (spoken,) = model.generate(
            [part.request],
            sampling,
            budget,
            seed=seed + SEEDS_APART * number,
            progress=lambda made, budget=budget: tell("synthesis", made, budget),  # type: ignore[misc]
            repeats=repeats,
        )
        made = time.perf_counter()
        pieces.append(decode(codec, spoken.codes_TQ, lambda done, total: tell("decoding", done, total)))
        generate_seconds += made - began
        decode_seconds += time.perf_counter() - made
        frames += len(spoken.codes_TQ)
        stops.add(spoken.stop)
        looping = looping or repeats(spoken.codes_TQ[:, 0].tolist())
    stop: Stop = "repetition" if "repetition" in stops else "budget" if "budget" in stops else "end"
    wave = joined(pieces, facts)
    found = measure(wave, facts.sample_rate, text, stop=stop, limits=limits)
    flags = tuple(dict.fromkeys((*found.flags, *(("repeated",) if looping else ()))))
    take = Take(
        text=text,
        file="",
        seconds=found.seconds,
        frames=frames,
        rms_db=found.rms_db,
        peak_db=found.peak_db,
        seconds_per_letter=found.seconds / max(1, letters(text)),
        stop=stop,
        generate_seconds=generate_seconds,
        decode_seconds=decode_seconds,
        flags=flags,
        seed=seed,
        lead=found.lead,
        tail=found.tail,
        longest_pause=found.longest_pause,
        active=found.active,
        flatness=found.noise.flatness,
        floor_db=found.noise.floor_db,
        high_db=found.noise.high_db,
    )
    return take, wave


def decode(codec: Codec, codes_TQ: np.ndarray, progress: Callable[[int, int], None] | None = None) -> np.ndarray:
    """Codes to a wave float32 [N]; no frames give an empty wave instead of an error in the codec."""
    import numpy as np

    if len(codes_TQ) == 0:
        return np.zeros(0, dtype=np.float32)
    return codec.decode([codes_TQ], progress)[0]


def joined(pieces: Sequence[np.ndarray], facts: ModelFacts) -> np.ndarray:
    """The sentences of a text, a quarter of a second of silence between them."""
    import numpy as np

    pause = np.zeros(round(JOIN_SECONDS * facts.sample_rate), dtype=np.float32)
    spaced = [one for piece in pieces for one in (pause, piece)][1:]
    return np.concatenate(spaced) if spaced else np.zeros(0, dtype=np.float32)


def write_wave(path: Path, wave: np.ndarray, sample_rate: int) -> None:
    """A WAV file (16 bit, mono), atomically. Numbers that are not finite become silence, others are clipped."""
    import numpy as np
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    finite = np.nan_to_num(wave, nan=0.0, posinf=0.0, neginf=0.0)
    soundfile.write(temporary, np.clip(finite, -1.0, 1.0), sample_rate, format="WAV", subtype="PCM_16")
    temporary.replace(path)
