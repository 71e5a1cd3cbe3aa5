"""The source `newname`: a folder with a sub-folder for each speaker, and a text beside each recording."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import kathrine
from kathrine.types import Utterance
from pydantic import Field

SOUNDS = (".wav", ".flac", ".ogg", ".mp3")


def recordings(folder: Path) -> list[Path]:
    """Every sound file of every speaker, in an order that is the same every time."""
    return sorted(path for path in folder.glob("*/*") if path.suffix.lower() in SOUNDS)


class NewNameSourceOptions(kathrine.Options):
    """Options of `source = "newname"`."""

    folder: str = Field(json_schema_extra={"path": True})
    """Folder with one sub-folder for each speaker; each recording has a .txt of the same name beside it."""
    language: str = ""
    """Language that is spoken, as `[strategy.language_tag]` names it; empty where nobody asks."""


class NewNameSource(kathrine.Source):
    """Recordings in folders, one for each speaker, with their texts."""

    name = "newname"
    Options = NewNameSourceOptions
    options: NewNameSourceOptions

    def prepare(self, context: kathrine.SourceContext) -> None:
        folder = Path(self.options.folder)
        found = recordings(folder)
        if not found:
            raise kathrine.KathrineError(
                f"data.{self.label}: {folder} holds no recordings",
                f"put them there as SPEAKER/NAME.wav ({', '.join(SOUNDS)}), each with SPEAKER/NAME.txt",
            )
        bare = [str(path.relative_to(folder)) for path in found if not path.with_suffix(".txt").is_file()]
        if bare:
            raise kathrine.KathrineError(
                f"data.{self.label}: {len(bare)} recordings have no text: {', '.join(bare[:5])}",
                "write what is said into a .txt of the same name, or take the recordings away",
            )

    def utterances(self, context: kathrine.SourceContext) -> Iterable[Utterance]:
        for audio in recordings(Path(self.options.folder)):
            yield Utterance(
                id=f"{audio.parent.name}-{audio.name}",
                audio=audio,
                texts={"text": audio.with_suffix(".txt").read_text(encoding="utf-8").strip()},
                speaker=audio.parent.name,
                language=self.options.language,
            )
