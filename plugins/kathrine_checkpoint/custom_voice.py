"""The exporter `custom_voice`: a complete checkpoint that brings speakers of its own, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from kathrine.components import FinishedRun, PlannedRun, Progress
from kathrine.errors import KathrineError
from kathrine_checkpoint import voices as known
from kathrine_checkpoint.complete import CompleteExporter, CompleteOptions
from kathrine_checkpoint.files import without_paths
from kathrine_checkpoint.voices import NewVoice, stored_name

if TYPE_CHECKING:
    from kathrine.corpus.mixture import Corpus


class CustomVoiceOptions(CompleteOptions):
    """Voices belong to people: ask whoever speaks in the recordings before you share the export."""

    voices: dict[str, str] = Field(default_factory=dict, json_schema_extra={"path": "or_id"})
    """Name -> reference: a recording, a folder of recordings, or `data:ENTRY/SPEAKER` for a speaker of the prepared
    corpus. The voice is the mean of the speaker embeddings of all of them. Names are written in lower case."""
    rows: dict[str, int] = Field(default_factory=dict)
    """Name -> row of the model's table, for voices that are to lie at a certain place; the others take free ones."""
    keep_base: bool = False
    """Keep the type of the base and its speaker encoder: the export still takes voices from recordings, but other
    software may not let its named voices be used."""


class CustomVoice(CompleteExporter):
    """A complete checkpoint with one or several named speakers, beside those that the base brings."""

    name = "custom_voice"
    Options = CustomVoiceOptions
    options: CustomVoiceOptions

    @property
    def keep_base(self) -> bool:  # type: ignore[override]
        return self.options.keep_base

    def problems(self) -> Iterator[str]:
        if not self.options.voices:
            yield 'voices: names nobody: voices = { kari = "kari.wav" }'
        yield from known.name_problems(self.options.voices)
        yield from known.reference_problems(self.options.voices)
        names = {stored_name(name) for name in self.options.voices}
        strange = [name for name in self.options.rows if stored_name(name) not in names]
        if strange:
            yield f"rows: {', '.join(strange)} is none of the voices"
        places: dict[int, str] = {}
        for name, row in self.options.rows.items():
            if row in places:
                yield f"rows: {places[row]} and {name} can not both have row {row}"
            places.setdefault(row, name)

    def wanted(self) -> dict[str, int | None]:
        """The row of each voice by its stored name, None for the next free one."""
        rows = {stored_name(name): row for name, row in self.options.rows.items()}
        return {stored_name(name): rows.get(stored_name(name)) for name in self.options.voices}

    def before_run(self, plan: PlannedRun, progress: Progress) -> Iterator[str]:
        self._tell_names(progress)
        yield from known.entry_problems(self.options.voices, plan.sources)
        yield from plan.family.voice_rows(plan.workspace, self.wanted(), plan.languages)[1]
        facts = plan.family.facts(plan.workspace)
        if facts is not None:
            read = partial(conditioned_recording, document=plan.document, sample_rate=facts.sample_rate)
            yield from known.recording_problems(self.options.voices, read)

    def before_training(self, plan: PlannedRun, corpus: Corpus) -> Iterator[str]:
        yield from known.speaker_problems(self.options.voices, corpus)
        # What the configuration says was not known before the model was fetched.
        yield from plan.family.voice_rows(plan.workspace, self.wanted(), plan.languages)[1]

    def _tell_names(self, progress: Progress) -> None:
        for name in self.options.voices:
            if name != stored_name(name):
                progress.warn(
                    f"export.{self.label}: the voice {name!r} is written as {stored_name(name)!r}: "
                    "speakers are looked up in lower case"
                )

    def voices(self, run: FinishedRun, languages: Mapping[str, int], progress: Progress) -> Sequence[NewVoice]:
        self._tell_names(progress)
        rows, problems = run.family.voice_rows(run.workspace, self.wanted(), languages)
        problems += known.speaker_problems(self.options.voices, run.corpus) if run.corpus is not None else []
        problems += known.reference_problems(self.options.voices)  # a file may have gone since the run began
        if problems:
            raise KathrineError(f"export.{self.label}: {'; '.join(problems)}")
        device = str(next(iter(run.model.originals.values())).device)
        encoder = run.family.open_speaker_encoder(run.workspace, device)
        if encoder is None:
            raise KathrineError(
                f"{run.model.facts.checkpoint} has no speaker encoder: it can not take a voice from a recording",
                "train on a base model, or use export.merged",
            )
        read = partial(
            conditioned_recording, document=run.recipe, sample_rate=run.model.facts.sample_rate, warn=progress.warn
        )
        made = []
        for name, reference in self.options.voices.items():
            embeddings = known.embeddings_of(reference, run.corpus, lambda path: encoder(read(path)))
            mean_H = known.mean_embedding(embeddings)
            source = without_paths(reference)
            made.append(NewVoice(stored_name(name), rows[stored_name(name)], mean_H, source, len(embeddings)))
        return made


def conditioned_recording(path: Path, document: Mapping[str, Any], sample_rate: int, warn: Any = None) -> Any:
    """A recording through the conditioning of a recipe's `[prepare]`, as what was trained on. Raises: KathrineError."""
    from kathrine.recipe.tables import PrepareTable
    from kathrine.speech.voices import conditioned

    return conditioned(path, PrepareTable.model_validate(document.get("prepare", {})), sample_rate, warn)
