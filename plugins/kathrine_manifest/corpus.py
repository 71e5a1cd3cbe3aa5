"""A corpus as readers see it: its files by name, and its tables line by line, wherever they lie."""

from __future__ import annotations

import csv
import fnmatch
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from kathrine.datafiles import DataFiles, LocalFiles
from kathrine.errors import KathrineError
from kathrine.suggest import did_you_mean
from kathrine.types import Split
from kathrine_manifest.rows import SPLITS, Line

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3")
"""What libsndfile reads, lower case; files may write them in capitals."""
PEEKED = 200
"""Rows that are looked at to recognise a format."""


@dataclass(frozen=True)
class Corpus:
    """Files of a corpus and what the recipe says of them.

    single: the one file that was named, or empty for a folder or a dataset. patterns: which tables and shards are read
    (empty: all). splits: which splits (empty: all). encoding: of text files. audio, text, reference: explicit
    keys, or empty. outside: whether links may lead out of a local folder.
    """

    files: DataFiles
    single: str = ""
    patterns: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    encoding: str = "utf-8"
    audio: str = ""
    text: str = ""
    reference: str = ""
    outside: bool = False

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every file, hidden ones left out; the one that was named, where it was one."""
        if self.single:
            return (self.single,)
        parts = ((name, PurePosixPath(name).parts) for name in self.files.names())
        return tuple(name for name, pieces in parts if not any(piece.startswith(".") for piece in pieces))

    def has(self, name: str) -> bool:
        """Whether a file exists, also one that is not looked at."""
        return self.files.size(name) is not None

    def fetch(self, name: str, advance: Callable[[float], Any] | None = None) -> Path:
        """A local file with this content. Raises: KathrineError for one that is a link out of its folder."""
        path = self.files.fetch(name, advance)
        if isinstance(self.files, LocalFiles) and not self.outside and name != self.single:
            real = path.resolve()
            if not real.is_relative_to(self.files.top):
                raise KathrineError(
                    f"{name} is a link out of {self.files.top}", "copy the file there, or set allow_outside = true"
                )
        return path

    def tables(self, *suffixes: str) -> list[str]:
        """Files that may hold rows: with one of these endings, and wanted by `files` where that is set."""
        return [
            name
            for name in self.names
            if name.lower().endswith(suffixes)
            and (not self.patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in self.patterns))
        ]

    def by_split(self, tables: Sequence[str]) -> list[tuple[str, Split | None]]:
        """Tables with the split that their names say, those of unwanted splits left out.

        Names count only where one of them says train or says nothing: a lone `test.jsonl` is all there is.
        """
        said = {name: None if self.single else split_of(name) for name in tables}
        if tables and not {"train", None} & set(said.values()):
            said = dict.fromkeys(tables)
        return [(name, split) for name, split in said.items() if not (self.splits and split) or split in self.splits]

    # ----------------------------------------------------------------------- text

    def lines(self, name: str) -> Iterator[tuple[int, str, str]]:
        """Line number from 1, its text as far as it can be read, and what is wrong with it.

        Empty lines are left out, and `.gz` is unpacked."""
        path = self.fetch(name)
        packed = name.lower().endswith(".gz")
        try:
            with gzip.open(path) if packed else path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    if not line.strip():
                        continue
                    encoding = "utf-8-sig" if number == 1 and self.encoding == "utf-8" else self.encoding
                    try:
                        yield number, line.decode(encoding).rstrip("\r\n"), ""
                    except UnicodeDecodeError:
                        yield number, line.decode(encoding, "replace"), f"not {self.encoding.upper()} (option encoding)"
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise KathrineError(f"{name} is damaged: {error}", "get the file again") from error

    def json_lines(self, name: str, split: Split | None = None) -> Iterator[Line]:
        """The rows of a JSON Lines file."""
        base = folder_of(name)
        for number, text, problem in self.lines(name):
            row = None
            if not problem:
                try:
                    row = json.loads(text)
                except (json.JSONDecodeError, RecursionError) as error:
                    where = f": {error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
                    problem = f"not JSON{where}"
            yield Line(f"{name}:{number}", row, problem, base, split)

    def peek(self, name: str) -> list[Any]:
        """The first rows of a JSON Lines file that are objects."""
        return [line.row for line in islice(self.json_lines(name), PEEKED) if isinstance(line.row, dict)]

    def header(self, name: str, delimiter: str, quoted: bool) -> list[str]:
        """The column names of a table with a header, or an empty list."""
        first = next(self.lines(name), None)
        if first is None or first[2]:
            return []
        return [column.strip() for column in next(csv.reader([first[1]], **dialect(delimiter, quoted)), [])]

    def table(self, name: str, delimiter: str, quoted: bool, split: Split | None = None) -> Iterator[Line]:
        """The rows of a table with a header, as mappings from column to text; a field that is not there is None."""
        columns = self.header(name, delimiter, quoted)
        base = folder_of(name)
        source = self.lines(name)
        next(source, None)
        position = 1

        def texts() -> Iterator[str]:
            nonlocal position
            for number, text, problem in source:
                position = number
                if problem:
                    raise _BadLine(problem)
                yield text + "\n"

        reader = csv.reader(texts(), **dialect(delimiter, quoted))
        while True:
            try:
                values = next(reader)
            except StopIteration:
                return
            except (_BadLine, csv.Error) as error:
                yield Line(f"{name}:{position}", None, str(error), base, split)
                reader = csv.reader(texts(), **dialect(delimiter, quoted))
                continue
            problem = ""
            if len(values) != len(columns):
                problem = f"{len(values)} columns, the header has {len(columns)}"
            row = dict(zip(columns, values, strict=False))
            yield Line(f"{name}:{position}", row, problem, base, split)


class _BadLine(Exception):
    pass


def dialect(delimiter: str, quoted: bool) -> dict[str, Any]:
    """Settings of the csv module. quoted: as spreadsheets write it; otherwise a quotation mark is a letter."""
    quoting: Any = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    return {"delimiter": delimiter, "quoting": quoting, "strict": quoted}


def folder_of(name: str) -> str:
    """The folder of a file, or an empty string for the top."""
    folder = PurePosixPath(name).parent.as_posix()
    return "" if folder == "." else folder


def is_audio(name: str) -> bool:
    """Whether a name ends like a recording."""
    return name.lower().endswith(AUDIO_SUFFIXES)


def split_of(name: str) -> Split | None:
    """The split that a path says: the last part of it that is the name of one."""
    words = [word for word in re.split(r"[^a-z]+", name.lower()) if word in SPLITS]
    return SPLITS[words[-1]] if words else None


def held_out_first(found: Sequence[tuple[str, Split | None]]) -> list[tuple[str, Split | None]]:
    """Files in the order in which prepare takes splits."""
    return sorted(found, key=lambda one: {"validation": 0, "test": 1}.get(one[1] or "", 2))


def wrong_columns(tables: Mapping[str, tuple[list[str], dict[str, str]]]) -> KathrineError:
    """The error for tables that lack columns: name -> (columns that there are, what is not said -> column looked
    for)."""
    lines = []
    for name, (columns, missing) in tables.items():
        told = ", ".join(f"'{column}'{did_you_mean(column, columns)}" for column in missing.values())
        lines.append(f"{name}:1: no column {told}; there are: {', '.join(columns) or 'none'}")
    fields = dict.fromkeys(field for _, missing in tables.values() for field in missing)
    example = ", ".join(f'{field} = "..."' for field in fields)
    return KathrineError("\n  ".join(lines), f"name them in the recipe: columns = {{ {example} }}")


def plural(count: int, word: str) -> str:
    """`1 row`, `13,100 rows`."""
    return f"{count:,} {word}" + ("" if count == 1 else "s")
