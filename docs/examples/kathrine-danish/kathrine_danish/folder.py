"""The source `danish_folder`: a folder for each speaker, and a text file beside each recording."""

from collections.abc import Iterable
from pathlib import Path

import kathrine
from kathrine.types import Utterance
from pydantic import Field

AUDIO = {".wav", ".flac", ".ogg", ".mp3"}


class DanishFolder(kathrine.Source):
    """Recordings in `FOLDER/SPEAKER/`, each with a text file of the same name."""

    name = "danish_folder"

    class Options(kathrine.Options):
        folder: str = Field(json_schema_extra={"path": True})
        """Folder with one sub-folder a speaker."""

    def prepare(self, context: kathrine.SourceContext) -> None:
        folder = Path(self.options.folder)
        if not folder.is_dir():
            raise kathrine.KathrineError(
                f"data.{self.label}: {folder} is no folder", "set `folder` to where the recordings are"
            )
        missing = [str(audio) for audio in recordings(folder) if not audio.with_suffix(".txt").is_file()]
        if missing:
            raise kathrine.KathrineError(
                f"data.{self.label}: without a text file of the same name: {', '.join(missing)}",
                "write what is said, or move the recordings elsewhere",
            )
        if not recordings(folder):
            raise kathrine.KathrineError(
                f"data.{self.label}: no recordings in {folder}/SPEAKER/", f"endings that are read: {', '.join(AUDIO)}"
            )

    def utterances(self, context: kathrine.SourceContext) -> Iterable[Utterance]:
        for audio in recordings(Path(self.options.folder)):
            speaker, text = audio.parent.name, audio.with_suffix(".txt").read_text(encoding="utf-8")
            yield Utterance(
                id=f"{speaker}-{audio.stem}", audio=audio, texts={"text": text}, speaker=speaker, language="da"
            )


def recordings(folder: Path) -> list[Path]:
    """All recordings below the speakers' folders, in the same order every time."""
    return sorted(path for path in folder.glob("*/*") if path.suffix.lower() in AUDIO)
