"""Whose voices an evaluation speaks in: recordings that were given, held-out speakers of the run, or a bundled sample.

Each voice's recording is kept beside the takes, so that similarity is measured against it, and people can hear it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kathrine.corpus.prepared import CorpusRow, PreparedCorpus, known_folder
from kathrine.datafiles import safe_name
from kathrine.errors import KathrineError
from kathrine.recipe.tables import PrepareTable
from kathrine.speech.takes import decode, write_wave
from kathrine.speech.voices import Voice, speaker_voice, voice_of, voice_of_example
from kathrine.suggest import listing
from kathrine.train.loaded import Loaded
from kathrine.train.speaking import sample_recording

PROMPT_SECONDS = (7.0, 16.0)
"""Length of recordings that voices are taken from, where the corpus has such."""


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """A voice to speak in. name: short, of its takes. recording: a WAV of it, or None for a model's own voice."""

    name: str
    voice: Voice
    recording: Path | None


def prompts_of(
    loaded: Loaded, references: Sequence[Path], speakers: Sequence[str], voices: int, folder: Path
) -> list[Prompt]:
    """The voices of an evaluation; recordings are written into `folder`.

    Given: references, recordings; speakers, names of a model's own voices; voices, how many held-out speakers of the
    run to take where neither is given. Raises: KathrineError for voices that the model has not.
    """
    facts = loaded.model.facts
    if speakers:
        return [Prompt(safe_name(name), speaker_voice(facts, name), None) for name in speakers]
    if references:
        return [from_recording(loaded, path, folder) for path in references]
    if loaded.family.open_speaker_encoder(loaded.workspace, loaded.device) is None:
        if facts.speakers:
            raise KathrineError("whose voice?", f"--speaker with one of {listing(facts.speakers)}")
        own = [Prompt("own", Voice("the model's own"), None)]
        return (from_run(loaded, voices, folder) if facts.clones_in_context else []) or own
    held_out = from_run(loaded, voices, folder)
    return held_out or [from_recording(loaded, sample_recording(), folder, "a bundled sample")]


def from_recording(loaded: Loaded, path: Path, folder: Path, whose: str = "") -> Prompt:
    """A recording of any rate, through the conditioning of `prepare`."""
    table = loaded.recipe.prepare if loaded.recipe is not None else PrepareTable()
    voice = voice_of(
        path, family=loaded.family, workspace=loaded.workspace, table=table, device=loaded.device, whose=whose
    )
    return kept(path.stem, voice, loaded, folder)


def kept(name: str, voice: Voice, loaded: Loaded, folder: Path) -> Prompt:
    """The prompt with its recording written beside the takes."""
    path = folder / f"{safe_name(name)}.wav"
    assert voice.wave is not None
    write_wave(path, voice.wave, loaded.model.facts.sample_rate)
    return Prompt(safe_name(name), voice, path)


def from_run(loaded: Loaded, count: int, folder: Path) -> list[Prompt]:
    """Held-out speakers of the run's prepared corpus, where it is at hand; recordings as the codec gives them back."""
    import numpy as np

    place = known_folder(loaded.recipe, loaded.workspace) if loaded.recipe is not None else None
    if place is None:
        return []
    corpus = PreparedCorpus.open(place)
    codec = loaded.family.open_codec(loaded.workspace, loaded.device, decode_only=True)
    found = []
    for row in held_out_rows(corpus.rows)[:count]:
        example = corpus.example(row.key)
        given = voice_of_example(loaded.model.facts, example, f"{row.key} ({row.speaker}, held out)")
        if given is not None:
            voice = dataclasses.replace(given, wave=decode(codec, np.asarray(example.codes_FQ)))
            found.append(kept(row.key.replace("/", "-"), voice, loaded, folder))
    return found


def held_out_rows(rows: Sequence[CorpusRow]) -> list[CorpusRow]:
    """One held-out utterance of each speaker, those first whom training never had; of a speaker the one whose length
    is nearest to 7 to 16 s."""
    trained = {row.speaker for row in rows if row.split == "train"}
    best: dict[str, CorpusRow] = {}

    def distance(row: CorpusRow) -> float:
        low, high = PROMPT_SECONDS
        return max(low - row.seconds, row.seconds - high, 0.0)

    for row in rows:
        usable = row.split != "train" and not row.hidden
        if usable and (row.speaker not in best or distance(row) < distance(best[row.speaker])):
            best[row.speaker] = row
    return sorted(best.values(), key=lambda row: row.speaker in trained)
