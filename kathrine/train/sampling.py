"""Test sentences spoken while a run trains: the same sentences, voice and seeds at every checkpoint.

Only the codec's decoder is loaded for it, when the first sentence is spoken. Nothing here touches the generators that
training draws from.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kathrine.components import Codec, Progress, SpeechModel
from kathrine.corpus.mixture import Corpus
from kathrine.errors import KathrineError
from kathrine.recipe.recipe import Recipe
from kathrine.speech.limits import SpeechLimits, limits_from
from kathrine.speech.noise import NoiseFacts, medians, noise_facts
from kathrine.speech.requests import Manner, parts_of
from kathrine.speech.samples import sampling_of, speak_samples
from kathrine.speech.takes import Part, Take, decode, write_wave
from kathrine.speech.voices import Voice, best_first, conditioned, voice_of_example
from kathrine.types import Example, PromptedExample, SamplesReport, SpeechRequest
from kathrine.workspace import Workspace

REFERENCE = "reference.wav"
"""In `samples/`: the recording whose voice is used, as the codec gives it back."""


@dataclass(eq=False)
class Sampler:
    """Speaks the run's test sentences with the weights that the model has now. held_out: items of the validation."""

    recipe: Recipe
    workspace: Workspace
    folder: Path
    model: SpeechModel
    corpus: Corpus
    held_out: Sequence[PromptedExample]
    tag: Callable[[str], str | None]
    device: str
    progress: Progress
    limits: SpeechLimits = field(default_factory=SpeechLimits)
    reference: NoiseFacts | None = None
    _codec: Codec | None = None
    _manner: Manner | None = None
    _lines: list[tuple[str, list[Part]]] | None = None

    def __post_init__(self) -> None:
        entries = self.corpus.facts.get("entries", {})
        self.limits = limits_from([entry.get("pace", {}) for entry in entries.values()])

    def due(self, step: int, validating: bool) -> bool:
        """Whether sentences are spoken after this step."""
        table = self.recipe.speak
        if not self.wanted:
            return False
        return validating if not table.every else step % table.every == 0

    @property
    def wanted(self) -> bool:
        """Whether the recipe wants sentences spoken."""
        return bool(self.recipe.speak.count)

    def at(self, step: int, stage: str) -> SamplesReport | None:
        """Speak into `samples/STEP`; None where there is nothing to say."""
        folder = self.folder / f"{step:08d}"
        takes = self.speak(folder)
        return samples_report(step, stage, folder, takes, self.reference) if takes else None

    def speak(self, folder: Path) -> list[Take]:
        """All test sentences into a folder. Returns what was measured on each."""
        lines = self.lines()
        if not lines:
            return []
        was_training = self.model.network.training
        self.model.network.eval()
        try:
            return speak_samples(
                model=self.model,
                codec=self.codec(),
                lines=lines,
                sampling=sampling_of(self.recipe.speak),
                max_seconds=self.recipe.speak.max_seconds,
                seed=self.recipe.run.seed,
                folder=folder,
                progress=self.progress,
                limits=self.limits,
            )
        finally:
            self.model.network.train(was_training)

    def codec(self) -> Codec:
        """The codec's decoder, loaded once."""
        if self._codec is None:
            self._codec = self.recipe.model.open_codec(self.workspace, self.device, decode_only=True)
        return self._codec

    def lines(self) -> list[tuple[str, list[Part]]]:
        """Sentences of the recipe, else of the language, else of held-out utterances, in the voice that the recipe
        names; made once."""
        if self._lines is None:
            self._lines = self._make_lines()
        return self._lines

    def written(self) -> list[str]:
        """Sentences of the language, else of held-out utterances."""
        language = self.recipe.language
        own = list(language.test_sentences()) if language is not None else []
        return own or [item.example.spoken["text"] for item in self.held_out]

    def manner(self) -> Manner:
        """How the run speaks; made once."""
        if self._manner is None:
            language = self.recipe.language
            self._manner = Manner(
                tokenise=self.recipe.model.open_text(self.workspace),
                voice=self.voice(),
                language=language,
                tag=self.tag(language.tag() if language is not None else ""),
                streamed=self.model.facts.text_layouts[0] == "streamed",
            )
        return self._manner

    def first_line(self) -> tuple[str, SpeechRequest] | None:
        """The first test sentence, whether or not the recipe wants any spoken, and the request that speaks it (of a
        text of several sentences the first); None where there is none that can be spoken."""
        first = next((row.key for row in self.corpus.rows), None)
        others = [self.corpus.example(first).spoken["text"]] if first is not None else []
        for sentence in [*self.recipe.speak.sentences, *self.written(), *others]:
            try:
                part = parts_of(sentence, self.manner())[0]
            except KathrineError:
                continue  # it was told, or is told by those who speak all of them
            return part.text, part.request
        return None

    def _make_lines(self) -> list[tuple[str, list[Part]]]:
        table = self.recipe.speak
        written = list(table.sentences) or self.written()[: table.count]
        if not written:
            self.progress.warn("no test sentences: name some in [speak], or a [language]")
            return []
        manner = self.manner()
        lines = []
        for sentence in written:
            try:
                lines.append((sentence, parts_of(sentence, manner)))
            except KathrineError as error:
                self.progress.warn(f"not spoken: {error.message}")
        return lines

    def voice(self) -> Voice:
        """The voice of the recording that the recipe names, else of a held-out utterance of the first data entry;
        without any there, of the next entry that has one, and at last of a training utterance. The recording is written
        beside the samples."""
        import numpy as np

        family = self.recipe.model
        if self.recipe.speak.reference_file:
            encoder = family.open_speaker_encoder(self.workspace, self.device)
            if encoder is None:
                raise KathrineError(
                    "speak.reference_file is set, but the model has no speaker encoder",
                    "leave it out: a held-out utterance then gives the voice, where the model takes one in context",
                )
            path = Path(self.recipe.speak.reference_file).expanduser()
            wave = conditioned(path, self.recipe.prepare, self.model.facts.sample_rate)
            found = Voice(str(path), encoder(wave), wave=wave)
        else:
            example, whose = self._example()
            given = voice_of_example(self.model.facts, example, whose) if example is not None else None
            if example is None or given is None:
                return Voice("the model's own")
            found = dataclasses.replace(given, wave=decode(self.codec(), np.asarray(example.codes_FQ)))
        self.progress.say(f"test sentences are spoken in the voice of {found.whose}")
        assert found.wave is not None
        self.reference = noise_facts(found.wave, self.model.facts.sample_rate)
        write_wave(self.folder / REFERENCE, found.wave, self.model.facts.sample_rate)
        return found

    def _example(self) -> tuple[Example | None, str]:
        place = {entry.name: number for number, entry in enumerate(self.recipe.data)}
        held_out = sorted((item.example for item in self.held_out), key=lambda one: place.get(one.entry, len(place)))
        if held_out and self.model.facts.clones_in_context:
            longest = self.recipe.prompt.max_reference_seconds
            held_out = [held_out[place] for place in best_first([one.seconds for one in held_out], longest)]
        if held_out:
            return held_out[0], f"{held_out[0].key} (held out)"
        first = next((self.corpus.example(row.key) for row in self.corpus.rows), None)
        return first, f"{first.key} (a training utterance)" if first is not None else ""


def samples_report(
    step: int, stage: str, folder: Path, takes: Sequence[Take], reference: NoiseFacts | None = None
) -> SamplesReport:
    """What a checkpoint sounds like, in numbers that do not depend on the clock.

    `samples.flagged`: share of takes with a flag; `samples.flag.NAME`: how many have it; medians over takes of what
    grows when a model decays, and of seconds a letter. With the reference also `samples.over_reference.NAME`: the same
    medians less its own, so that a bright or noisy voice is not held against the model.
    """
    documents = [take.document() for take in takes]
    counts = Counter(flag for take in takes for flag in take.flags)
    metrics: dict[str, Any] = {
        "samples.takes": len(takes),
        "samples.flagged": sum(bool(take.flags) for take in takes) / len(takes),
        **{f"samples.flag.{name}": counts[name] for name in sorted(counts)},
        **{f"samples.{name}": value for name, value in medians(documents).items()},
        "samples.seconds_per_letter": sorted(take.seconds_per_letter for take in takes)[len(takes) // 2],
    }
    if reference is not None:
        metrics |= {
            f"samples.over_reference.{name}": value - getattr(reference, name)
            for name, value in medians(documents).items()
        }
    return SamplesReport(step, stage, folder, tuple(documents), metrics)


def noise_of(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of the noise trend out of a report's metrics."""
    return {name: metrics[f"samples.{name}"] for name in ("floor_db", "flatness", "high_db")}
