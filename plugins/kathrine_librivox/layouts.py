"""The layouts of the segmented set, and which one lies at hand."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from kathrine import KathrineError, SourceContext
from kathrine.datafiles import HUB_ID, DataFiles, open_files
from kathrine_librivox.parquet import PARQUET_REVISION, ParquetClips, parquet_names
from kathrine_librivox.table import Segment, licence_of_card, read_table


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus that was looked at. files: where recordings come from. problems: rows that are left out, with their
    place."""

    files: DataFiles
    segments: Sequence[Segment]
    problems: Sequence[str]
    licence: str

    def want(self, segments: Sequence[Segment]) -> None:
        """Tell which recordings will be asked for."""
        if isinstance(self.files, ParquetClips):
            self.files.want(segments)


def open_corpus(root: str, revision: str, layout: str, metadata: str, context: SourceContext, loud: bool) -> Corpus:
    """The rows of a corpus in the layout that it has.

    Given: layout, `table`, `parquet`, or `auto` to look: the table wins, since its recordings are fetched one by one;
    loud, show the download.
    The export of a Hub dataset lies on a branch of its own; it is looked for there when `revision` has none. Raises:
    KathrineError where the layout is not there.
    """
    files = open_at(root, revision, context)
    licence = licence_of(files)
    if layout == "table" or (layout == "auto" and metadata in files.names()):
        segments, problems = read_table(files.fetch(metadata), metadata)
        return Corpus(files, segments, problems, licence)
    if not parquet_names(files):
        on_hub = HUB_ID.fullmatch(root) is not None and not Path(root).expanduser().is_dir()
        if not on_hub or revision == PARQUET_REVISION:
            looked = f"no {metadata} and no Parquet file" if layout == "auto" else "no Parquet file"
            raise KathrineError(f"{files.label} has {looked}", "complete the folder, or set another root or layout")
        files = open_at(root, PARQUET_REVISION, context)
    clips = ParquetClips(files)
    if not clips.exports:
        raise KathrineError(f"{files.label} has no Parquet file", "set another root or revision")
    total = sum(files.size(name) or 0 for name in clips.exports) / 1e6
    told = f"{files.label}: Parquet export (MB)"
    with context.progress.task(told, total) if loud else nullcontext(ignore) as advance:
        segments, problems = clips.read(lambda amount: advance(amount / 1e6))
    return Corpus(clips, segments, problems, licence)


def ignore(amount: float) -> None:
    """Progress that nobody is told of."""


def open_at(root: str, revision: str, context: SourceContext) -> DataFiles:
    """The files of a corpus at a revision."""
    return open_files(root, revision, context.workspace, context.folder, context.offline, context.progress.say)


def licence_of(files: DataFiles) -> str:
    """The licence that the dataset's card names."""
    if files.size("README.md") is None:
        return "see card"
    return licence_of_card(files.fetch("README.md").read_text(encoding="utf-8", errors="replace"))
