"""Takes of an evaluation: every sentence in every voice with every seed, spoken once and kept.

A folder that holds takes already is gone on with, if it was made with the same weights and settings.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kathrine.components import Progress
from kathrine.corpus import keys
from kathrine.errors import KathrineError
from kathrine.speech.checks import measure
from kathrine.speech.evaluation import TAKES, JsonLines, Made, read_wave
from kathrine.speech.limits import SpeechLimits
from kathrine.speech.requests import Manner, parts_of
from kathrine.speech.sets import Sentence, SentenceSet
from kathrine.speech.takes import Part, make_take, write_wave
from kathrine.train.loaded import Loaded
from kathrine.train.prompt_voices import Prompt, from_recording
from kathrine.types import Sampling

SETTINGS = "settings.json"
FIRST_SEED = 1234
WEIGHTS = (".safetensors", ".bin", ".json")
"""Endings of files that decide what a model says."""


@dataclasses.dataclass(frozen=True, slots=True)
class Planned:
    """A take that is to be there. id: of its sentence, voice and seed."""

    id: str
    sentence: Sentence
    prompt: Prompt
    seed: int


def planned(
    sentences: Sequence[Sentence], prompts: Mapping[Path | None, Sequence[Prompt]], seeds: int
) -> list[Planned]:
    """Every take: sentence by sentence, so that a killed evaluation has whole sentences."""
    return [
        Planned(f"{one.number:03d}-{prompt.name}-{seed + 1}", one, prompt, FIRST_SEED + seed)
        for one in sentences
        for prompt in prompts[one.clip]
        for seed in range(seeds)
    ]


def voices_by_clip(
    loaded: Loaded, found: SentenceSet, prompts: Sequence[Prompt], folder: Path
) -> dict[Path | None, Sequence[Prompt]]:
    """The voices of each sentence: its own clip's where the set names one, else the prompts."""
    clips = dict.fromkeys(one.clip for one in found.sentences if one.clip is not None)
    return {None: prompts, **{clip: [from_recording(loaded, clip, folder)] for clip in clips}}


def speak_set(
    loaded: Loaded,
    found: SentenceSet,
    prompts: Sequence[Prompt],
    manner: Manner,
    *,
    seeds: int,
    max_seconds: float,
    folder: Path,
    again: bool,
    progress: Progress,
) -> list[Made]:
    """Speak what is not there yet, and return all takes of the set.

    Given: manner, without a voice of its own. Raises: KathrineError where the folder was made otherwise, before
    anything is spoken, and for a sentence that the language's rules refuse.
    """
    by_clip = voices_by_clip(loaded, found, prompts, folder.parent / "prompts")
    voices = {prompt.name: prompt for group in by_clip.values() for prompt in group}
    open_folder(folder, settings_of(loaded, manner, voices, max_seconds), again)
    log = JsonLines(folder / TAKES)
    done = {row["id"]: row for row in log.rows() if (folder / row["file"]).is_file()}
    wanted = planned(found.sentences, by_clip, seeds)
    codec = None
    parts: dict[tuple[str, str], list[Part]] = {
        (one.sentence.text, one.prompt.name): parts_of(
            one.sentence.text, dataclasses.replace(manner, voice=one.prompt.voice)
        )
        for one in wanted
    }
    with progress.task(f"speaking into {folder.name}", total=len(wanted)) as advance:
        for one in wanted:
            row = done.get(one.id)
            if row is None or row["text"] != one.sentence.text:
                codec = codec or loaded.family.open_codec(loaded.workspace, loaded.device, decode_only=True)
                take, wave = make_take(
                    loaded.model,
                    codec,
                    parts[one.sentence.text, one.prompt.name],
                    text=one.sentence.text,
                    sampling=Sampling(),
                    max_seconds=max_seconds,
                    seed=one.seed,
                    limits=loaded.limits,
                )
                write_wave(folder / f"{one.id}.wav", wave, loaded.model.facts.sample_rate)
                take = dataclasses.replace(take, file=f"{one.id}.wav", take=one.seed - FIRST_SEED + 1)
                row = {"id": one.id, "sentence": one.sentence.number, "voice": one.prompt.name, **take.document()}
                log.add(row)
                done[one.id] = json.loads(json.dumps(row))
            advance(1)
    return [
        Made(
            one.id,
            one.sentence.number,
            one.sentence.text,
            folder / f"{one.id}.wav",
            tuple(done[one.id]["flags"]),
            one.prompt.recording,
        )
        for one in wanted
    ]


def settings_of(loaded: Loaded, manner: Manner, voices: Mapping[str, Prompt], max_seconds: float) -> dict[str, Any]:
    """What a take depends on beside its sentence, voice and seed. A voice is told by its recording's hash."""
    return {
        "loaded": loaded.told,
        "weights": weights_of(loaded),
        "language": manner.tag or "auto",
        "rules": manner.language.rules_version() if manner.language is not None else "",
        "max_seconds": max_seconds,
        "voices": {
            name: keys.file_digest(one.recording) if one.recording is not None else one.voice.whose
            for name, one in sorted(voices.items())
        },
    }


def weights_of(loaded: Loaded) -> str:
    """Changes whenever other weights speak under the same name: the content of the checkpoint of a run, of an adapter's
    folder, and of the model below where that is a folder; a model that has a name is told by its revision."""
    facts = loaded.model.facts
    parts = [facts.checkpoint, facts.revision]
    folders = [Path(facts.checkpoint).expanduser(), loaded.adapter]
    parts += [folder_digest(folder) for folder in folders if folder is not None and folder.is_dir()]
    if loaded.run is not None and loaded.step is not None:
        saved = loaded.run / "checkpoints" / f"{loaded.step:08d}"
        ema = saved / "ema.safetensors"
        parts.append(keys.file_digest(ema if ema.is_file() else saved / "trainable.safetensors"))
    return keys.digest(*parts)


def folder_digest(folder: Path) -> str:
    """Of every file of weights or configuration in a folder, by content: a copy is the same, and an edit is not."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in WEIGHTS and path.is_file())
    return keys.digest(*((path.relative_to(folder).as_posix(), keys.file_digest(path)) for path in files))


def open_folder(folder: Path, settings: Mapping[str, Any], again: bool) -> None:
    """Make a system's folder, or go on with it. Voices may be added; with anything else that differs it is refused, or
    emptied where `again` says so."""
    path = folder / SETTINGS
    settings = json.loads(json.dumps(settings))
    if again and path.is_file():
        shutil.rmtree(folder)
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else settings
    common = before["voices"].keys() & settings["voices"].keys()
    different = [name for name in settings if name != "voices" and settings[name] != before.get(name)]
    different += [f"voice {name}" for name in sorted(common) if before["voices"][name] != settings["voices"][name]]
    if different:
        raise KathrineError(
            f"{folder} holds takes that were made otherwise ({', '.join(different)})",
            "--again speaks everything anew, --out names another folder",
        )
    folder.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    document = {**settings, "voices": {**before["voices"], **settings["voices"]}}
    temporary.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    temporary.replace(path)


# --------------------------------------------------------------------------- takes that are there already


def sample_takes(run: Path, step: int) -> list[Made]:
    """The takes that a run saved of a checkpoint while it trained. Raises: KathrineError where there are none."""
    folder = run / "samples" / f"{step:08d}"
    if not (folder / "samples.json").is_file():
        raise KathrineError(f"{run} saved no samples of step {step}", f"it has of: {listed_steps(run)}")
    reference = run / "samples" / "reference.wav"
    rows = json.loads((folder / "samples.json").read_text(encoding="utf-8"))
    return [
        Made(
            Path(row["file"]).stem,
            number,
            row["text"],
            folder / row["file"],
            tuple(row["flags"]),
            reference if reference.is_file() else None,
        )
        for number, row in enumerate(rows, start=1)
    ]


def sample_steps(run: Path) -> list[int]:
    """Steps whose samples a run saved."""
    return sorted(int(path.parent.name) for path in (run / "samples").glob("[0-9]*/samples.json"))


def listed_steps(run: Path) -> str:
    """These, as told."""
    return ", ".join(str(step) for step in sample_steps(run)) or "none"


def human_takes_of(found: SentenceSet, recordings: Mapping[int, Path], limits: SpeechLimits) -> Iterator[Made]:
    """Human recordings of a set's sentences. The reference of each is the next one: how alike one person is to
    themselves is the ceiling of similarity."""
    texts = {one.number: one.text for one in found.sentences}
    numbers = list(recordings)
    for place, number in enumerate(numbers):
        path = recordings[number]
        wave, rate = read_wave(path)
        flags = measure(wave, rate, texts[number], limits=limits).flags
        other = recordings[numbers[(place + 1) % len(numbers)]] if len(numbers) > 1 else None
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
        yield Made(f"{number:03d}-{digest}", number, texts[number], path, flags, other)
