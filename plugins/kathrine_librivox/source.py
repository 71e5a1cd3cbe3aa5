"""The component of the segmented set: options, and the order of work. Rows first, then recordings in their order
until it is enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from kathrine import KathrineError, Options, Source, SourceContext
from kathrine.datafiles import corpus_problems, hub_datasets, still_to_fetch, voices_of
from kathrine.types import Utterance
from kathrine_librivox.layouts import Corpus, open_corpus
from kathrine_librivox.voices import VOICES
from kathrine_librivox.walk import Durations, walk, wanted_segments

HOURS, BYTES_PER_HOUR = 9.0, 30e6
"""Of NbAiLab/nb-librivox: 266 MB of mp3."""


class LibrivoxOptions(Options):
    """Options of `source = "librivox"`."""

    root: str = Field(default="NbAiLab/nb-librivox", json_schema_extra={"path": "or_id"})
    """Dataset id on the Hub, a local folder in the same layout, or `kathrine:nb-librivox` for the bundled
    sample."""
    revision: str = "main"
    """Branch, tag or commit of the Hub repository."""
    layout: Literal["auto", "table", "parquet"] = "auto"
    """`table`: metadata.csv and one file a recording, of which only the wanted ones are fetched. `parquet`: the Hub's
    Parquet export, fetched whole. auto: the table where there is one, else Parquet."""
    metadata: str = "metadata.csv"
    """The table: columns file_name (relative to the table), text and speaker_name."""
    language: str = "nb"
    """Language of the recordings; the set does not say it by row."""


class LibrivoxSource(Source):
    """Read-aloud Norwegian books, segmented: metadata.csv and files, or a Parquet export."""

    name = "librivox"
    Options = LibrivoxOptions

    def variants(self) -> tuple[str, ...]:
        return ("text",)

    def hub_datasets(self) -> tuple[str, ...]:
        return hub_datasets(self.options.root)

    def voices(self) -> str:
        return voices_of(self.options.root, VOICES)

    def __init__(self, options: Any = None, label: str = "") -> None:
        super().__init__(options, label)
        self._left_out: dict[str, int] = {}

    def reachable(self, context: SourceContext) -> Iterator[str]:
        return corpus_problems(self.options.root, self.options.revision, context)

    def bytes_to_fetch(self, context: SourceContext) -> int:
        root = self.options.root
        if root.startswith("kathrine:") or Path(root).expanduser().is_dir():
            return 0
        # an export is fetched whole, and the clips are written out of it
        hours = HOURS if self.options.layout == "parquet" else min(HOURS, context.max_hours or HOURS)
        copies = 2 if self.options.layout == "parquet" else 1
        return still_to_fetch(hours * BYTES_PER_HOUR * copies, root, context)

    def prepare(self, context: SourceContext) -> None:
        warn = context.progress.warn
        corpus = self._open(context, loud=True)
        if corpus.problems:
            shown = "".join(f"\n  {problem}" for problem in corpus.problems[:5])
            more = f"\n  and {len(corpus.problems) - 5} more" if len(corpus.problems) > 5 else ""
            count = len(corpus.problems)
            rows = "1 row of the table is" if count == 1 else f"{count} rows of the table are"
            warn(f"{self.label}: {rows} left out:{shown}{more}")
        files, segments = corpus.files, corpus.segments
        wanted = wanted_segments(segments, context.speakers)
        if not wanted:
            names = Counter(segment.speaker_name for segment in segments)
            known = ", ".join(f"{name} ({count})" for name, count in names.most_common(8)) or "nobody"
            readers = " or ".join(context.speakers) or "anybody"
            raise KathrineError(
                f"{self.label}: no recording of {files.label} is by {readers}",
                f"the readers are: {known}",
            )
        absent = [segment.file for segment in wanted if files.size(segment.file) is None]
        if absent:
            warn(f"{self.label}: {len(absent)} recordings of the table do not exist, the first is {absent[0]}")
        durations = Durations(files)
        with context.progress.task(f"{self.label}: recordings", len(wanted)) as advance:
            taken = walk(files, wanted, durations, context, advance)
        durations.save()
        hours = sum(durations.get(segment.file) or 0 for segment in taken) / 3600
        context.progress.say(f"{self.label}: {len(taken)} of {len(segments)} recordings, {hours:.2f} h")

    def utterances(self, context: SourceContext) -> Iterator[Utterance]:
        corpus = self._open(context, loud=False)
        self._left_out = {"mistake in the row": len(corpus.problems)}
        files = corpus.files
        durations = Durations(files)
        wanted = wanted_segments(corpus.segments, context.speakers)
        for segment in walk(files, wanted, durations, context, None):
            yield Utterance(
                id=segment.id,
                audio=files.fetch(segment.file),
                texts={"text": segment.text},
                speaker=segment.speaker,
                language=self.options.language,
                seconds=durations.get(segment.file),
                facts={"licence": corpus.licence, **segment.facts, "speaker_name": segment.speaker_name},
            )

    def left_out(self) -> Mapping[str, int]:
        return self._left_out

    def _open(self, context: SourceContext, loud: bool) -> Corpus:
        """The corpus, listed and read; only recordings of wanted readers are ever written out of an export."""
        options = self.options
        corpus = open_corpus(options.root, options.revision, options.layout, options.metadata, context, loud)
        corpus.want(wanted_segments(corpus.segments, context.speakers))
        return corpus
