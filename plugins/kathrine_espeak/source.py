"""The component: a list of texts, spoken by one or more voices, as WAV files in the workspace."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from kathrine import KathrineError, Options, Source, SourceContext
from kathrine.datafiles import safe_name, write_atomically
from kathrine.types import Utterance
from kathrine_espeak.engine import Engine, find_engine


class EspeakOptions(Options):
    """Options of `source = "espeak"`."""

    sentences: list[str] = Field(default_factory=list)
    """What to speak."""
    texts: str = Field(default="", json_schema_extra={"path": True})
    """A UTF-8 file with one text a line, spoken after `sentences`."""
    voices: list[str] = Field(default_factory=lambda: ["nb+m1", "nb+f2"], min_length=1)
    """Voices of espeak-ng; each is a speaker of its own."""
    every_voice: bool = True
    """Let every voice speak every text; otherwise texts are dealt out in turn."""
    speed: int = Field(default=160, ge=80, le=450)
    """Words a minute."""
    pitch: int = Field(default=50, ge=0, le=99)
    """Pitch, 0 to 99."""
    engine: Literal["auto", "program", "library"] = "auto"
    """The installed program or the library of the wheel; auto takes the program where there is one."""


class EspeakSource(Source):
    """Texts spoken by espeak-ng: for trying things out, never for training a voice."""

    name = "espeak"
    Options = EspeakOptions

    def variants(self) -> tuple[str, ...]:
        return ("text",)

    def problems(self) -> Iterator[str]:
        if not self.options.sentences and not self.options.texts:
            yield "nothing to speak: give sentences or texts"
        if not all(any(character.isalnum() for character in text) for text in self.options.sentences):
            yield "sentences holds a text without a word"
        if len(set(self.options.voices)) < len(self.options.voices):
            yield "voices names a voice twice"

    def reachable(self, context: SourceContext) -> Iterator[str]:
        find_engine(self.options.engine)
        return iter(())

    def bytes_to_fetch(self, context: SourceContext) -> int:
        # 22 kHz, 16 bits; nobody speaks more than 16 letters a second
        return sum(len(text) // 16 + 1 for _, text in self._lines(context)) * 44_100

    def prepare(self, context: SourceContext) -> None:
        engine = find_engine(self.options.engine)
        lines = self._lines(context)
        folder = clip_folder(context.folder, engine)
        with context.progress.task(f"{self.label}: speaking", len(lines)) as advance:
            for voice, text in lines:
                path = folder / f"{self._id(voice, text)}.wav"
                if not path.is_file():
                    spoken = engine.speak(text, voice, self.options.speed, self.options.pitch)
                    write_atomically(path, with_true_length(spoken, text))
                advance(1)

    def utterances(self, context: SourceContext) -> Iterator[Utterance]:
        folder = clip_folder(context.folder, find_engine(self.options.engine))
        for voice, text in self._lines(context):
            name = self._id(voice, text)
            if not (folder / f"{name}.wav").is_file():
                raise KathrineError(
                    f"{self.label}: '{text[:40]}' was not spoken yet",
                    "run `kathrine prepare` for this recipe again",
                )
            yield Utterance(
                id=name,
                audio=folder / f"{name}.wav",
                texts={"text": text},
                speaker=f"espeak-{voice}",
                language=voice.partition("+")[0],
                facts={"speaker_name": voice, "licence": "synthetic speech, licence of the texts"},
            )

    def _lines(self, context: SourceContext) -> list[tuple[str, str]]:
        """(voice, text) in the order of the source; equal pairs once."""
        for problem in self.problems():
            raise KathrineError(f"{self.label}: {problem}")
        texts = [*self.options.sentences, *read_texts(self.options.texts)]
        wanted = [part.casefold() for part in context.speakers]
        voices = self.options.voices
        if self.options.every_voice:
            pairs = [(voice, text) for text in texts for voice in voices]
        else:
            pairs = [(voices[number % len(voices)], text) for number, text in enumerate(texts)]
        pairs = [
            (voice, text)
            for voice, text in dict.fromkeys(pairs)
            if not wanted or any(part in voice.casefold() for part in wanted)
        ]
        if not pairs:
            raise KathrineError(f"{self.label}: no voice fits speakers", f"the voices are {', '.join(voices)}")
        return pairs

    def _id(self, voice: str, text: str) -> str:
        """Stable: the voice, and a hash of everything that the recording depends on."""
        told = f"{voice}\n{self.options.speed}\n{self.options.pitch}\n{text}"
        return f"{safe_name(voice.replace('+', '-'))}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def clip_folder(folder: Path, engine: Engine) -> Path:
    """Program and library differ in version and sound, so they do not share files."""
    return folder / engine.kind


def read_texts(name: str) -> list[str]:
    """The lines of a text file that hold something. Raises: KathrineError when it can not be read."""
    if not name:
        return []
    try:
        lines = Path(name).expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise KathrineError(f"texts: {name} can not be read: {problem}", "give a UTF-8 file, one text a line") from None
    texts = [line.strip() for line in lines if line.strip()]
    if not texts:
        raise KathrineError(f"texts: {name} is empty", "put one text on each line")
    return texts


def with_true_length(wav: bytes, text: str) -> bytes:
    """A WAV that came through a pipe says a wrong length in its header: written again, samples unchanged."""
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(wav), dtype="int16")
    if not len(samples):
        raise KathrineError(f"espeak-ng made no sound of '{text[:40]}'", "leave this text out")
    written = io.BytesIO()
    soundfile.write(written, samples, rate, format="WAV", subtype="PCM_16")
    return written.getvalue()
