"""Recordings of Parquet shards, written as files once.

A shard's folder is complete when its index lies in it (JSON Lines: the other columns, with the names of the files).
What a killed run wrote before stays and is not written again. Memory holds a few rows and what Parquet keeps in one
piece (a page, at most a row group: `datasets` writes 100 rows into one), never a shard.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.datafiles import safe_name, write_atomically
from kathrine_manifest.corpus import Corpus, is_audio
from kathrine_manifest.formats.parquet import reading_shard, recording_columns

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 16
READ_BYTES = 1 << 20
MAGIC = ((b"RIFF", ".wav"), (b"fLaC", ".flac"), (b"OggS", ".ogg"), (b"ID3", ".mp3"))
UNKNOWN = ".audio"


def folder_of_shard(corpus: Corpus, name: str) -> Path:
    """Where a shard's recordings and index lie."""
    chosen = "+".join(key for key in (corpus.audio, corpus.reference) if key) or "auto"
    return corpus.files.folder / "shards" / f"{safe_name(name)}@{corpus.files.stamp(name)[:16]}" / safe_name(chosen)


def index_of(corpus: Corpus, name: str) -> Iterator[dict[str, Any]] | None:
    """The rows of an unpacked shard, recordings as paths of files; None where it was not unpacked."""
    folder = folder_of_shard(corpus, name)
    path = folder / "index.jsonl"
    return _rows(path, folder) if path.is_file() else None


def _rows(path: Path, folder: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            entry = json.loads(line)
            yield entry["row"] | {column: str(folder / clip) for column, clip in entry["clips"].items()}


def seconds_of(corpus: Corpus, name: str) -> list[float]:
    """The length of each recording of an unpacked shard; 0 where it is not known."""
    path = folder_of_shard(corpus, name) / "index.jsonl"
    with path.open(encoding="utf-8") as file:
        return [json.loads(line)["seconds"] for line in file]


def unpack_shard(corpus: Corpus, name: str, advance: Callable[[float], Any]) -> None:
    """Write the recordings of a shard as files, and its index last.

    Given: advance, told of each megabyte fetched. Raises: KathrineError for a shard that is damaged.
    """
    folder = folder_of_shard(corpus, name)
    if not (folder / "index.jsonl").is_file():
        reading_shard(corpus, name, lambda path: _unpack(corpus, name, path, folder), advance)


def _unpack(corpus: Corpus, name: str, path: Path, folder: Path) -> None:
    from pyarrow import parquet

    folder.mkdir(parents=True, exist_ok=True)
    audio, reference = recording_columns(corpus, name)
    recordings = [column for column in (audio, reference) if column]
    # A column that was found, and not named, is read as what it is.
    called = {audio: corpus.audio or "audio", reference: corpus.reference or "ref_audio"}
    entries: list[str] = []
    with parquet.ParquetFile(path, pre_buffer=False, buffer_size=READ_BYTES) as file:
        plain = [field.name for field in file.schema_arrow if field.name not in recordings and is_plain(field.type)]
        for batch in file.iter_batches(BATCH_ROWS, use_threads=False, columns=[*plain, *recordings]):
            rows = batch.select(plain).to_pylist()
            for place, row in enumerate(rows):
                clips, seconds = {}, 0.0
                for column in recordings:
                    content, written = value_of(batch.column(column)[place].as_py())
                    row[called[column]] = written
                    if content is not None:
                        clip = f"{len(entries):06d}{'' if column == audio else '-ref'}{suffix_of(content, written)}"
                        write_once(folder / clip, content)
                        clips[called[column]] = clip
                        seconds = length_of(content) if column == audio else seconds
                entry = {"row": row, "clips": clips, "seconds": seconds}
                entries.append(json.dumps(entry, ensure_ascii=False, default=str))
    os.sync()  # the recordings, before the index says that they are there
    write_atomically(folder / "index.jsonl", "".join(f"{entry}\n" for entry in entries).encode())


def is_plain(kind: pa.DataType) -> bool:
    """Whether values of a column can stand in the index: no bytes anywhere in it."""
    import pyarrow as pa

    if pa.types.is_nested(kind):
        return all(is_plain(kind.field(number).type) for number in range(kind.num_fields))
    return not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def value_of(value: Any) -> tuple[bytes | None, str | None]:
    """Bytes and path of a recording, whichever of them it has."""
    if isinstance(value, dict):
        content, path = value.get("bytes"), value.get("path")
        return (content or None), (path if isinstance(path, str) else None)
    return (value or None, None) if isinstance(value, bytes) else (None, value if isinstance(value, str) else None)


def suffix_of(content: bytes, written: str | None) -> str:
    """A file's ending by its first bytes, else by the path that came with it."""
    for magic, suffix in MAGIC:
        if content.startswith(magic):
            return suffix
    if len(content) > 1 and content[0] == 0xFF and content[1] & 0xE0 == 0xE0:  # an MPEG frame
        return ".mp3"
    return Path(written).suffix.lower() if written and is_audio(written) else UNKNOWN


def length_of(content: bytes) -> float:
    """Seconds of a recording in memory; 0 for one that can not be read (prepare rejects it by name)."""
    import soundfile

    try:
        return float(soundfile.info(io.BytesIO(content)).duration)
    except (soundfile.SoundFileError, RuntimeError):
        return 0.0


def write_once(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, then rename; one that is there with the same length stays."""
    if path.is_file() and path.stat().st_size == len(content):
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_bytes(content)
    temporary.replace(path)
