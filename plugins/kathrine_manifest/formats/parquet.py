"""Parquet: shards with a column of recordings, as `datasets` and the Hub write them.

The recordings are bytes with or without a path (`struct<bytes, path>`, or plain binary), or paths. Bytes are written
as files into the source's folder, once, shard by shard (see `kathrine_manifest.shards`); rows are then read from
there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from kathrine.errors import KathrineError
from kathrine.types import Split
from kathrine_manifest.corpus import Corpus, folder_of, held_out_first, plural
from kathrine_manifest.rows import ALIASES, Line


def tables(corpus: Corpus) -> list[str]:
    """The shards."""
    return [name for name in corpus.tables(".parquet") if PurePosixPath(name).name.lower() != "metadata.parquet"]


def recognise(corpus: Corpus) -> str | None:
    """Files that end in .parquet; nothing is fetched to find out."""
    found = tables(corpus)
    if not found:
        return None
    return found[0] if len(found) == 1 else f"{plural(len(found), 'shard')} such as {found[0]}"


def shards(corpus: Corpus) -> list[tuple[str, Split | None]]:
    """Shards with the split that their names say, held-out ones first, as prepare takes them."""
    return held_out_first(corpus.by_split(tables(corpus)))


def reading_shard(
    corpus: Corpus, name: str, read: Callable[[Path], Any], advance: Callable[[float], Any] | None = None
) -> Any:
    """What `read` makes of a shard. A damaged shard of the Hub is fetched once more.

    Raises: KathrineError for a shard that stays damaged.
    """
    import pyarrow as pa

    path: Path | None = corpus.fetch(name, advance)
    for again in (False, True):
        if again:
            path = corpus.files.fetch_again(name)
        if path is None:
            break
        try:
            return read(path)
        except (pa.ArrowInvalid, OSError) as problem:
            reason = str(problem).splitlines()[0][:160]
    raise KathrineError(f"{name} of {corpus.files.label} is damaged: {reason}", "get the file again")


def schema_of(corpus: Corpus, name: str) -> Any:
    """The schema of a shard."""
    from pyarrow import parquet

    return reading_shard(corpus, name, parquet.read_schema)


def columns(corpus: Corpus) -> Iterable[tuple[str, list[str], list[str]]]:
    """The first shard with its columns; its recordings are found by type where no name tells."""
    for name, _ in shards(corpus)[:1]:
        audio, _reference = recording_columns(corpus, name)
        yield name, schema_of(corpus, name).names, ["audio"] if audio else []


def recording_columns(corpus: Corpus, name: str) -> tuple[str, str]:
    """The columns of a shard that hold recordings and references: those that the recipe names, else by name, else the
    only one of the type that `datasets` gives recordings."""
    import pyarrow as pa

    schema = schema_of(corpus, name)
    typed = [field.name for field in schema if pa.types.is_struct(field.type) and "bytes" in names_in(field.type)]

    def pick(explicit: str, aliases: Sequence[str]) -> str:
        if explicit:
            return explicit if explicit in schema.names else ""
        found = [alias for alias in aliases if alias in schema.names]
        return next((alias for alias in found if alias in typed), found[0] if found else "")

    audio = pick(corpus.audio, ALIASES["audio"]) or (typed[0] if len(typed) == 1 and not corpus.audio else "")
    return audio, pick(corpus.reference, ALIASES["reference"])


def names_in(kind: object) -> list[str]:
    """Names of the fields of a struct."""
    return [field.name for field in kind]  # type: ignore[attr-defined]


def read(corpus: Corpus) -> Iterator[Line]:
    """The rows of the shards that were unpacked."""
    for name, split in shards(corpus):
        yield from rows_of(corpus, name, split)


def rows_of(corpus: Corpus, name: str, split: Split | None) -> Iterator[Line]:
    """The rows of one shard; none where it was not unpacked."""
    from kathrine_manifest.shards import index_of

    stem = PurePosixPath(name).with_suffix("").as_posix().replace("/", "_")
    for number, row in enumerate(index_of(corpus, name) or (), start=1):
        yield Line(f"{name}:{number}", row, "", folder_of(name), split, f"{stem}-{number:06d}")
