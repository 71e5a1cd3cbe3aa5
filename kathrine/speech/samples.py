"""Sentences spoken by a model, written as WAV files with what was measured on each.

Legend: T generated frames, Q codebooks, H width of a speaker embedding.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kathrine.components import Codec, Progress, SpeechModel
from kathrine.recipe.tables import SpeakTable
from kathrine.speech.checks import measure
from kathrine.types import Sampling, SpeechRequest

if TYPE_CHECKING:
    import numpy as np

SECONDS_PER_LETTER = 0.16
"""Slower than the slowest of good readings (evaluation on 85 files: 0.061 to 0.131): beyond it a take runs away."""
LEAST_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Spoken:
    """One synthesised sentence. generate_seconds and decode_seconds are wall time; stop: `end` or `budget`."""

    text: str
    file: str
    seconds: float
    frames: int
    rms_db: float
    peak_db: float
    seconds_per_letter: float
    stop: str
    generate_seconds: float
    decode_seconds: float
    flags: tuple[str, ...]


def frame_budget(text: str, frames_per_second: float, max_seconds: float) -> int:
    """Frames that a sentence may take at most, so that no take can hang.

    Given: written text; max_seconds, the hard limit. Returns: frames for twice the slowest plausible reading,
    between 3 seconds and the limit.
    """
    letters = sum(character.isalnum() for character in text)
    seconds = min(max_seconds, max(LEAST_SECONDS, 2 * SECONDS_PER_LETTER * letters))
    return max(1, int(seconds * frames_per_second))


def sampling_of(table: SpeakTable) -> Sampling:
    """Sampling settings from `[speak]`: the same for talker and sub-talker."""
    standard = Sampling()
    temperature = table.temperature if table.temperature is not None else standard.temperature
    top_k = table.top_k if table.top_k is not None else standard.top_k
    return Sampling(
        greedy=table.greedy,
        sub_greedy=table.greedy,
        temperature=temperature,
        sub_temperature=temperature,
        top_k=top_k,
        sub_top_k=top_k,
    )


def speak_samples(
    *,
    model: SpeechModel,
    codec: Codec,
    requests: Sequence[tuple[str, SpeechRequest]],
    sampling: Sampling,
    max_seconds: float,
    seed: int,
    folder: Path,
    progress: Progress,
) -> list[Spoken]:
    """Synthesise sentences one by one and write `01.wav`, `02.wav`... and `samples.json`.

    Given: requests, (written text, what to synthesise) pairs; seed, the same sentence with the same weights and
    seed gives the same codes; folder, made if missing. Returns: what was measured, in order. A take that reaches
    its frame budget is cut there and flagged `no end`, never hidden.
    """
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    facts = model.facts
    spoken: list[Spoken] = []
    with progress.task("speaking test sentences", total=len(requests)) as advance:
        for number, (text, request) in enumerate(requests, start=1):
            budget = frame_budget(text, facts.frames_per_second, max_seconds)
            started = time.perf_counter()
            generated = model.generate([request], sampling, budget, seed=seed)[0]
            generated_at = time.perf_counter()
            wave = _decode(codec, generated.codes_TQ)
            decoded_at = time.perf_counter()
            measured = measure(wave, facts.sample_rate)
            flags = (*measured.flags, *(("no end",) if generated.stop == "budget" else ()))
            file = folder / f"{number:02d}.wav"
            temporary = file.with_suffix(".wav.part")
            soundfile.write(temporary, wave, facts.sample_rate, format="WAV", subtype="PCM_16")
            temporary.replace(file)
            letters = max(1, sum(character.isalnum() for character in text))
            spoken.append(
                Spoken(
                    text=text,
                    file=file.name,
                    seconds=measured.seconds,
                    frames=len(generated.codes_TQ),
                    rms_db=measured.rms_db,
                    peak_db=measured.peak_db,
                    seconds_per_letter=measured.seconds / letters,
                    stop=generated.stop,
                    generate_seconds=generated_at - started,
                    decode_seconds=decoded_at - generated_at,
                    flags=flags,
                )
            )
            advance(1)
    table = folder / "samples.json.part"
    table.write_text(json.dumps([asdict(one) for one in spoken], ensure_ascii=False, indent=1), encoding="utf-8")
    table.replace(folder / "samples.json")
    return spoken


def _decode(codec: Codec, codes_TQ: np.ndarray) -> np.ndarray:
    """Codes to a wave; no frames give an empty wave instead of an error in the codec."""
    import numpy as np

    if len(codes_TQ) == 0:
        return np.zeros(0, dtype=np.float32)
    return codec.decode([codes_TQ])[0]
