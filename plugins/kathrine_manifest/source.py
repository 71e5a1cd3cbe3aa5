"""The source `manifest`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from kathrine.components import Options, Source, SourceContext
from kathrine.errors import KathrineError
from kathrine.types import Utterance
from kathrine_manifest.rows import DEFAULT_KEYS, Layout, lines, problems_of, utterance_of

MOST_SHOWN = 20


class ManifestOptions(Options):
    """A JSON Lines file, one utterance a line."""

    path: str = Field(json_schema_extra={"path": True})
    """The file."""
    root: str = Field(default="", json_schema_extra={"path": True})
    """Folder in which relative paths of recordings start; empty: the file's own folder."""
    keys: dict[str, str] = Field(default_factory=dict)
    """Names of keys where they differ from the default: `{audio = "audio_filepath", start = "offset"}` reads
    NeMo's manifests. Fields: id, audio, text, speaker, language, reference, codes, split, start, end,
    seconds, cut."""
    texts: dict[str, str] = Field(default_factory=dict)
    """Further written forms of the transcript: variant name -> key."""
    speaker: str = Field(default="speaker", min_length=1)
    """Speaker of rows that name none."""
    language: str = ""
    """Language of rows that name none, as the model's language tag is called."""
    licence: str = ""
    """Licence of the recordings, told in reports and on cards."""


class Manifest(Source):
    """Recordings, or codes, listed in a JSON Lines file."""

    name = "manifest"
    Options = ManifestOptions
    options: ManifestOptions

    def variants(self) -> tuple[str, ...]:
        return ("text", *self.options.texts)

    @property
    def path(self) -> Path:
        return Path(self.options.path).expanduser()

    def layout(self) -> Layout:
        """How the rows are read."""
        options = self.options
        return Layout(
            root=(Path(options.root).expanduser() if options.root else self.path.parent).absolute(),
            keys=DEFAULT_KEYS | options.keys,
            texts=options.texts,
            speaker=options.speaker,
            language=options.language,
            licence=options.licence,
        )

    def problems(self) -> Iterator[str]:
        for name in self.options.keys.keys() - DEFAULT_KEYS.keys():
            yield f"keys: there is no field '{name}'; fields are {', '.join(DEFAULT_KEYS)}"
        if "text" in self.options.texts:
            yield "texts: the variant 'text' is named in keys"
        if not self.path.is_file():
            yield f"path: {self.options.path} does not exist"

    def prepare(self, context: SourceContext) -> None:
        """Check every row before any work. Raises KathrineError with all mistakes, as `file:line:
        sentence`."""
        if not self.path.is_file():
            raise KathrineError(f"the manifest {self.options.path} does not exist", "look at the option 'path'")
        found, unread = problems_of(self.path, self.layout())
        if found:
            more = [f"  and {len(found) - MOST_SHOWN} more"] if len(found) > MOST_SHOWN else []
            shown = [f"  {line}" for line in found[:MOST_SHOWN]]
            raise KathrineError("\n".join([f"{len(found)} mistakes in the manifest:", *shown, *more]))
        for key, count in sorted(unread.items()):
            context.progress.say(f"{self.path.name}: '{key}' is not read ({count} rows)")

    def utterances(self, context: SourceContext) -> Iterator[Utterance]:
        layout: Layout = self.layout()
        for _, row, _ in lines(self.path):
            utterance: Utterance | None
            problems: list[Any]
            utterance, problems = utterance_of(row, layout)
            if utterance is None:
                raise KathrineError(f"{self.path} changed while it was read: {problems[0]}", "run the command again")
            yield utterance
