"""Test sentences spoken by a model, written as WAV files with what was measured on each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from kathrine.components import Codec, Progress, SpeechModel
from kathrine.corpus.files import write_json
from kathrine.recipe.tables import SpeakTable
from kathrine.speech.limits import SpeechLimits
from kathrine.speech.takes import Part, Take, make_take, write_wave
from kathrine.types import Sampling


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
    lines: Sequence[tuple[str, Sequence[Part]]],
    sampling: Sampling,
    max_seconds: float,
    seed: int,
    folder: Path,
    progress: Progress,
    limits: SpeechLimits | None = None,
) -> list[Take]:
    """Synthesise sentences one by one and write `01.wav`, `02.wav`... and `samples.json`.

    Given: lines, written texts with what speaks them; folder, made if missing; seed, the same for every sentence, so
    that leaving one out changes no other. Returns: what was measured, in order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    takes: list[Take] = []
    with progress.task("speaking test sentences", total=len(lines)) as advance:
        for number, (text, parts) in enumerate(lines, start=1):
            take, wave = make_take(
                model,
                codec,
                parts,
                text=text,
                sampling=sampling,
                max_seconds=max_seconds,
                seed=seed,
                limits=limits,
            )
            file = folder / f"{number:02d}.wav"
            write_wave(file, wave, model.facts.sample_rate)
            takes.append(dataclasses.replace(take, file=file.name))
            advance(1)
    write_takes(folder / "samples.json", takes)
    return takes


def write_takes(path: Path, takes: Sequence[Take]) -> None:
    """What was measured, as a JSON list, atomically."""
    write_json(path, [one.document() for one in takes])
