"""The Parquet export of the segmented set: the table and the recordings in one file or a few.

Rows are read without their recordings first; then the recordings of wanted rows are written out as files, some rows
at a time. Memory holds a few recordings, never a file of the export.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import TYPE_CHECKING, Any

from kathrine import KathrineError
from kathrine.datafiles import DataFiles, inside, safe_name, write_atomically
from kathrine_librivox.table import Segment, id_of

if TYPE_CHECKING:
    import pyarrow.parquet

PARQUET_REVISION = "refs/convert/parquet"
"""Branch on which the Hub keeps its export of a dataset."""
TEXT_COLUMNS = ("text", "sentence", "transcription")
SPEAKER_COLUMNS = ("speaker_name", "speaker", "reader")
ROWS = 16
"""Recordings held in memory at once."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row lies: file of the export, row group, row in that group."""

    file: str
    group: int
    row: int


def parquet_names(files: DataFiles) -> list[str]:
    """The Parquet files of a corpus, all splits, in order."""
    return [name for name in files.names() if name.endswith(".parquet") and inside(name)]


class ParquetClips(DataFiles):
    """The recordings of an export as files: `fetch` writes one out where that was not done before.

    Args:
        files: what holds the export. segments and problems are filled by `read`.
    """

    def __init__(self, files: DataFiles) -> None:
        self.files = files
        self.label = files.label
        self.exports = parquet_names(files)
        stamp = safe_name("-".join(files.stamp(name) for name in self.exports))[:80]
        self.folder = files.folder / f"parquet-{stamp}"
        self.places: dict[str, Place] = {}
        self.wanted: set[str] = set()
        self.lock = Lock()

    def read(self, advance: Callable[[float], Any] | None = None) -> tuple[list[Segment], list[str]]:
        """The rows in order, and what is wrong with others as `file:row: message`; fetches the export.

        Raises: KathrineError for a file that is no Parquet or lacks a column.
        """
        segments: list[Segment] = []
        problems: list[str] = []
        seen: dict[str, str] = {}
        for name in self.exports:
            with opened(self.files.fetch(name, advance), name) as table:
                columns = columns_of(table.schema_arrow, name)
                number = 0
                for group in range(table.num_row_groups):
                    rows = table.read_row_group(group, columns=columns.small).to_pylist()
                    for row, values in enumerate(rows):
                        number += 1
                        segment, problem = segment_of_row(values, columns, number)
                        if segment is not None and segment.id in seen:
                            problem = f"the same clip as {seen[segment.id]}"
                        if problem or segment is None:
                            problems.append(f"{name}:{number}: {problem}")
                            continue
                        seen[segment.id] = f"{name}:{number}"
                        self.places[segment.file] = Place(name, group, row)
                        segments.append(segment)
        return segments, problems

    def want(self, segments: Iterable[Segment]) -> None:
        """Which recordings may be written out."""
        self.wanted = {segment.file for segment in segments}

    def names(self) -> list[str]:
        return sorted(self.places)

    def size(self, name: str) -> int | None:
        return 0 if name in self.places else None

    def stamp(self, name: str) -> str:
        return self.folder.name

    def fetch(self, name: str, advance: Callable[[float], Any] | None = None) -> Path:
        path = self.folder / name
        if not path.is_file():
            if name not in self.places:
                raise KathrineError(f"{self.label} has no recording {name}", "set another layout, or another root")
            with self.lock:
                if not path.is_file():
                    self._write_out(self.places[name])
        return path

    def _write_out(self, place: Place) -> None:
        """Write the wanted recordings of a row group; what is there already is left alone."""
        wanted = {
            spot.row: name
            for name, spot in self.places.items()
            if (spot.file, spot.group) == (place.file, place.group)
            and (name in self.wanted or spot == place)
            and not (self.folder / name).is_file()
        }
        with opened(self.files.fetch(place.file), place.file) as table:
            column = columns_of(table.schema_arrow, place.file).audio
            row = 0
            for batch in table.iter_batches(batch_size=ROWS, row_groups=[place.group], columns=[f"{column}.bytes"]):
                for value in batch.column(0):
                    if row in wanted:
                        content = value.as_py()["bytes"] or b""
                        write_atomically(self.folder / wanted[row], content)
                    row += 1


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns. facts: columns of plain values that are carried along."""

    audio: str
    text: str
    speaker: str
    facts: tuple[str, ...]

    @property
    def small(self) -> list[str]:
        return [f"{self.audio}.path", self.text, self.speaker, *self.facts]


def columns_of(schema: Any, name: str) -> Columns:
    """The columns of an export. Raises: KathrineError, naming what is missing and what is there."""
    import pyarrow

    def is_audio(kind: Any) -> bool:
        return pyarrow.types.is_struct(kind) and {"bytes", "path"} <= {
            kind.field(n).name for n in range(kind.num_fields)
        }

    def first(names: Sequence[str]) -> str:
        return next((column for column in names if column in schema.names), "")

    audio = next((field.name for field in schema if is_audio(field.type)), "")
    text, speaker = first(TEXT_COLUMNS), first(SPEAKER_COLUMNS)
    absent = [
        told
        for told, found in (
            ("a recording (a struct of bytes and path)", audio),
            (f"a text ({' or '.join(TEXT_COLUMNS)})", text),
            (f"a reader ({' or '.join(SPEAKER_COLUMNS)})", speaker),
        )
        if not found
    ]
    if absent:
        raise KathrineError(
            f"{name} has no column with {', '.join(absent)}", f"its columns are: {', '.join(schema.names) or 'none'}"
        )
    plain = (
        pyarrow.types.is_string,
        pyarrow.types.is_large_string,
        pyarrow.types.is_integer,
        pyarrow.types.is_floating,
    )
    facts = tuple(
        field.name
        for field in schema
        if field.name not in (audio, text, speaker) and any(kind(field.type) for kind in plain)
    )
    return Columns(audio, text, speaker, facts)


def segment_of_row(row: dict[str, Any], columns: Columns, number: int) -> tuple[Segment | None, str]:
    """A row's segment, or what is wrong with it. A recording without a name is named by its row."""
    file = str((row[columns.audio] or {}).get("path") or f"row_{number:06d}").strip()
    if not inside(file):
        return None, f"path '{file}' points outside of the corpus"
    speaker = " ".join(str(row[columns.speaker] or "").split())
    if not speaker:
        return None, f"no {columns.speaker}: a voice needs an owner"
    suffix = PurePosixPath(file).suffix
    stem = id_of(file)
    facts = {name: str(row[name]).strip() for name in columns.facts if row[name] is not None and str(row[name]).strip()}
    named = suffix.lower() if re.fullmatch(r"[.]\w+", suffix) else ""
    return Segment(stem, safe_name(stem) + named, str(row[columns.text] or ""), speaker, facts), ""


def opened(path: Path, name: str) -> pyarrow.parquet.ParquetFile:
    """A Parquet file, to be closed. Raises: KathrineError for what is none."""
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path, pre_buffer=False)
    except (pyarrow.ArrowInvalid, OSError) as problem:
        reason = str(problem).splitlines()[0]
        raise KathrineError(f"{name} is no Parquet file, or not all of it: {reason}", "get the file again") from problem
