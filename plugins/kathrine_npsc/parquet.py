"""Layout `parquet`: the Parquet export of the Hub, `{config}/{split}/NNNN.parquet` or `{config}/partial-{split}/...`.

Rows are read first, without their audio: of a file of the Hub only those columns are fetched. They are kept as JSON
Lines beside the clips, so that a second run needs no network. Then the row groups with wanted sentences are fetched,
one at a time, and their clips written out.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from kathrine import KathrineError
from kathrine.components import Progress
from kathrine.datafiles import write_atomically
from kathrine_npsc.clips import read_index, write_clips
from kathrine_npsc.layouts import Layout
from kathrine_npsc.metadata import FOLDERS, Days, Sentence, as_spoken, refuse_second, sentence_of

SHARD = re.compile(
    r"(?:.+/)?(?P<config>(?:16|48)K_mp3(?:_[a-z]+)?)/(?P<partial>partial-)?(?P<split>train|validation|test)/\d+\.parquet"
)
DAY = re.compile(r"\d{8}")
CLIPS_AT_ONCE = 16
"""Clips held in memory while they are written out."""


class ParquetExport(Layout):
    """The export. A sentence's place is a row group, as `FILE#NUMBER`."""

    name: ClassVar[str] = "parquet"
    described: ClassVar[str] = "the Parquet export"
    looks_for: ClassVar[str] = "48K_mp3_bokmaal/train/0000.parquet"

    @classmethod
    def lies_in(cls, names: Iterable[str]) -> bool:
        return any(map(SHARD.fullmatch, names))

    def read(self, progress: Progress) -> Days:
        shards = self._shards(progress)
        days: Days = {}
        problems: list[str] = []
        seen: set[str] = set()
        with progress.task(f"{self.label}: transcripts of {len(shards)} files", len(shards)) as advance:
            for name, folder in shards.items():
                for number, (place, row) in enumerate(self._rows(name, progress), start=1):
                    try:
                        sentence = sentence_of_row(row, folder, self.options.fields, place)
                        refuse_second(sentence, seen)
                    except (ValueError, TypeError) as problem:
                        problems.append(f"{name}:{number}: {problem}")
                        continue
                    days.setdefault((sentence.folder, sentence.day), []).append(sentence)
                advance(1)
        self.tell_problems(problems, self.described, progress)
        return {key: as_spoken(days[key]) for key in sorted(self.wanted_days(days))}

    def fetch(self, sentences: Sequence[Sentence], progress: Progress) -> None:
        missing: dict[str, list[int]] = {}
        for place in dict.fromkeys(sentence.place for sentence in sentences):
            if read_index(*self.where(place)) is None:
                name, group = place.rsplit("#", 1)
                missing.setdefault(name, []).append(int(group))
        total = sum(map(len, missing.values()))
        with progress.task(f"{self.label}: {total} row groups of {self.described}", total) as advance:
            for name, groups in missing.items():

                def write(table: Any, name: str = name, groups: list[int] = groups) -> None:
                    while groups:
                        place = f"{name}#{groups[0]}"
                        write_clips(clips_of(table, groups[0]), place, *self.where(place), progress.warn)
                        del groups[0]
                        advance(1)

                self._with_table(name, write, progress)

    def where(self, place: str) -> tuple[Path, str]:
        name, group = place.rsplit("#", 1)
        return self._kept(name) / f"{int(group):04d}", self.files.stamp(name)

    def _kept(self, name: str) -> Path:
        """The folder of what is kept of a file of the export."""
        return self.files.folder / "parquet" / name.removesuffix(".parquet")

    def _shards(self, progress: Progress) -> dict[str, str]:
        """File -> folder of its split, for the wanted config and splits."""
        options = self.options
        known = [match for match in map(SHARD.fullmatch, self.files.names()) if match]
        of_config = [match for match in known if match["config"] == options.config]
        if not of_config:
            raise KathrineError(
                f"{self.label}: {self.files.label} has no config '{options.config}'",
                f"there are: {', '.join(sorted({match['config'] for match in known}))}",
            )
        wanted = [match for match in of_config if match["split"] in options.splits]
        if not wanted:
            raise KathrineError(
                f"{self.label}: {self.files.label} has nothing of {', '.join(options.splits)} in {options.config}",
                f"there are: {', '.join(sorted({match['split'] for match in of_config}))}",
            )
        partial = sorted({match["split"] for match in wanted if match["partial"]})
        if partial:
            progress.say(
                f"{self.label}: the Hub cut its export of {options.config} off at about 5 GB: of {', '.join(partial)} "
                "it may lack the end"
            )
        return {match[0]: FOLDERS[match["split"]] for match in wanted}

    def _rows(self, name: str, progress: Progress) -> Iterator[tuple[str, dict[str, Any]]]:
        """Rows of a file with their place, in order; read from the file once, then from what was kept of it."""
        path = self._kept(name) / "rows.jsonl"
        stamp = json.dumps({"stamp": self.files.stamp(name)}) + "\n"
        if not path.is_file() or first_line(path) != stamp:

            def keep(table: Any) -> None:
                lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in metadata_of(table, name)]
                write_atomically(path, "".join([stamp, *lines]).encode())

            self._with_table(name, keep, progress)
        with path.open(encoding="utf-8") as kept:
            next(kept)
            for line in kept:
                group, row = json.loads(line)
                yield f"{name}#{group}", row

    def _with_table(self, name: str, work: Callable[[Any], None], progress: Progress) -> None:
        """Do something with a file of the export, reading no more of it than `work` does.

        What is read in parts can not be compared with the Hub's checksum: where it turns out to be damaged, the
        whole file is fetched (and compared), and `work` begins again. Raises: KathrineError for a damaged file.
        """
        import pyarrow

        with self.files.open(name) as file:
            try:
                return work(open_table(file))
            except (pyarrow.ArrowException, OSError) as problem:
                reason = problem
        if isinstance(reason, OSError) and reason.errno is not None:
            raise reason  # this machine's own trouble, such as a full disk: Arrow's errors carry no number
        path = self.files.fetch_again(name)
        told = str(reason).splitlines()[0]
        if path is not None:
            progress.warn(f"{self.label}: {name} does not read well in parts ({told}): the whole file was fetched")
            try:
                return work(open_table(path))
            except (pyarrow.ArrowException, OSError) as problem:
                reason = problem
        raise KathrineError(
            f"{self.label}: {name} of {self.files.label} is damaged ({told})",
            "get the file again; every clip that was written out already is kept",
        ) from reason


def open_table(file: Any) -> Any:
    """A Parquet file, from a path or an open file. Neighbouring columns are read in one go (`pre_buffer`)."""
    from pyarrow.parquet import ParquetFile

    return ParquetFile(file, pre_buffer=True)


def first_line(path: Path) -> str:
    """The first line of a text file."""
    with path.open(encoding="utf-8") as file:
        return file.readline()


def sentence_of_row(row: dict[str, Any], folder: str, fields: dict[str, str], place: str) -> Sentence:
    """A row's sentence; its day is its `meeting_date`. Raises: ValueError that says what is wrong."""
    day = row.get("meeting_date")
    if not isinstance(day, str) or not DAY.fullmatch(day):
        raise ValueError("no date of the form yyyymmdd in column 'meeting_date'")
    sentence = sentence_of(row, folder, day, fields, place)
    return sentence if sentence.stem else replace(sentence, stem=stem_by_times(row))


def stem_by_times(row: dict[str, Any]) -> str:
    """A name for a clip whose row has none."""
    return f"{row['meeting_date']}-000000_{row['start_time']}_{row['end_time']}"


def metadata_of(table: Any, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Row group and row, all columns but the audio's bytes. Raises: KathrineError for a file without audio."""
    columns = [field.name for field in table.schema_arrow]
    if "audio.bytes" not in [table.schema.column(at).path for at in range(len(table.schema))]:
        raise KathrineError(
            f"{name} has no column 'audio' with the clips themselves", f"its columns are: {', '.join(columns)}"
        )
    wanted = [column for column in columns if column != "audio"] + ["audio.path"]
    # All row groups at once: what is small of one lies beside what is small of the next, so that they come together.
    rows = iter(table.read(columns=wanted).to_pylist())
    for group in range(table.num_row_groups):
        for row in islice(rows, table.metadata.row_group(group).num_rows):
            yield group, row


def clips_of(table: Any, group: int) -> Iterator[tuple[str, BinaryIO]]:
    """Names and contents of a row group's clips."""
    columns = ["audio", "meeting_date", "start_time", "end_time"]
    for batch in table.iter_batches(batch_size=CLIPS_AT_ONCE, row_groups=[group], columns=columns):
        for at in range(batch.num_rows):
            row = {name: batch.column(name)[at].as_py() for name in columns}
            audio = row["audio"]
            if audio and audio["bytes"]:
                yield audio["path"] or f"{stem_by_times(row)}.mp3", io.BytesIO(audio["bytes"])
