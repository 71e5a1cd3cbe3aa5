"""audiofolder, as the Hub calls it: `metadata.csv`, `.jsonl` or `.parquet` with `file_name` (or `*_file_name`), beside
the recordings or above them. Read here, without any builder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from kathrine_manifest.corpus import Corpus, folder_of, plural
from kathrine_manifest.rows import Line

STEMS = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


def tables(corpus: Corpus) -> list[str]:
    """The metadata files; any table where `files` or `path` names it."""
    found = corpus.tables(".csv", ".jsonl", ".parquet")
    free = bool(corpus.patterns or corpus.single)
    return [name for name in found if free or PurePosixPath(name).name.lower() in STEMS]


def columns_of(corpus: Corpus, name: str) -> list[str]:
    """The columns of one metadata file."""
    lower = name.lower()
    if lower.endswith(".csv"):
        return corpus.header(name, ",", quoted=True)
    if lower.endswith(".jsonl"):
        return list(dict.fromkeys(key for row in corpus.peek(name) for key in row))
    from pyarrow import parquet

    return parquet.read_schema(corpus.fetch(name)).names


def columns(corpus: Corpus) -> Iterable[tuple[str, list[str], list[str]]]:
    """Each table with its columns; those of recordings are read as `audio` and `ref_audio`."""
    for name, _ in corpus.by_split(tables(corpus)):
        found = columns_of(corpus, name)
        audio, reference = named_files(found)
        yield name, found, [*(["audio"] if audio else []), *(["ref_audio"] if reference else [])]


def named_files(columns: Iterable[str]) -> tuple[str, str]:
    """The columns that name the recording and the reference: `file_name`, or `*_file_name`."""
    named = [column for column in columns if column == "file_name" or column.endswith("_file_name")]
    reference = next((column for column in named if column.startswith("ref")), "")
    audio = [column for column in named if column != reference]
    preferred = [column for column in audio if column in ("file_name", "audio_file_name")]
    return next(iter([*preferred, *audio]), ""), reference


def recognise(corpus: Corpus) -> str | None:
    """A metadata file that names recordings."""
    found = [name for name in corpus.tables(".csv", ".jsonl", ".parquet") if PurePosixPath(name).name.lower() in STEMS]
    with_files = [name for name in found if named_files(columns_of(corpus, name))[0]]
    if not with_files:
        return None
    column = named_files(columns_of(corpus, with_files[0]))[0]
    told = with_files[0] if len(with_files) == 1 else f"{plural(len(with_files), 'file')} such as {with_files[0]}"
    return f"{told} with the column {column}"


def read(corpus: Corpus) -> Iterator[Line]:
    """The rows; recordings lie relative to their metadata file."""
    for name, split in corpus.by_split(tables(corpus)):
        audio, reference = named_files(columns_of(corpus, name))
        for line in _rows(corpus, name):
            row = line.row
            if isinstance(row, dict):
                row = {("audio" if key == audio else "ref_audio" if key == reference else key): row[key] for key in row}
            yield replace(line, row=row, split=split)


def _rows(corpus: Corpus, name: str) -> Iterator[Line]:
    lower = name.lower()
    if lower.endswith(".csv"):
        yield from corpus.table(name, ",", quoted=True)
    elif lower.endswith(".jsonl"):
        yield from corpus.json_lines(name)
    else:
        from pyarrow import parquet

        with parquet.ParquetFile(corpus.fetch(name)) as file:
            number = 0
            for batch in file.iter_batches(1024):
                for row in batch.to_pylist():
                    number += 1
                    yield Line(f"{name}:{number}", row, "", folder_of(name))
