"""JSON Lines, those of the official trainer and its forks too, and NeMo's manifests: one object a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from kathrine_manifest.corpus import Corpus, plural
from kathrine_manifest.rows import ALIASES, Line, columns_of

SUFFIXES = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".json.gz")
NEMO = "audio_filepath"
LOOKED_AT = 50
"""Files that are opened to recognise the format."""


def tables(corpus: Corpus) -> list[str]:
    """Files that may hold JSON Lines."""
    return corpus.tables(*SUFFIXES)


def kind_of(corpus: Corpus, name: str, row: Mapping[str, Any]) -> str:
    """Which format a row belongs to: nemo, lhotse, audiofolder, jsonl, or none of them."""
    if {"recording", "supervisions"} & row.keys() or {"id", "sources"} <= row.keys() or "recording_id" in row:
        return "lhotse"
    if PurePosixPath(name).name.lower().startswith("metadata.") and any(key.endswith("file_name") for key in row):
        return "audiofolder"
    if NEMO in row:
        return "nemo"
    says = {field for field, keys in ALIASES.items() if any(key in row for key in keys)}
    named = {"audio": corpus.audio, "text": corpus.text}
    says |= {field for field, key in named.items() if key and all(column in row for column in columns_of(key))}
    return "jsonl" if "text" in says and says & {"audio", "codes"} else ""


def kind_in(corpus: Corpus, name: str) -> str:
    """Which format a file is of, by its first row; one that was named is what its ending says, whatever is wrong."""
    first = next(iter(corpus.peek(name)), None)
    return (kind_of(corpus, name, first) if first is not None else "") or ("jsonl" if corpus.single else "")


def _recognise(corpus: Corpus, wanted: str) -> str | None:
    looked_at = [name for name, _ in corpus.by_split(tables(corpus))][:LOOKED_AT]
    names = [name for name in looked_at if kind_in(corpus, name) == wanted]
    if not names:
        return None
    row: dict[str, Any] = next(iter(corpus.peek(names[0])), {})
    keys = ", ".join(list(row)[:8]) + (", ..." if len(row) > 8 else "")
    told = names[0] if len(names) == 1 else f"{plural(len(names), 'file')} such as {names[0]}"
    return f"{told} with the keys {keys}" if keys else told


def recognise(corpus: Corpus) -> str | None:
    """A file with one object a line that has a recording or codes, and a text."""
    return _recognise(corpus, "jsonl")


def recognise_nemo(corpus: Corpus) -> str | None:
    """The same, with NeMo's name for the recording."""
    return _recognise(corpus, "nemo")


def read(corpus: Corpus) -> Iterator[Line]:
    """The rows as they stand."""
    names = tables(corpus)
    if not corpus.patterns and not corpus.single:
        # A folder may hold other JSON, too: what has no recordings and texts is no table.
        names = [name for name in names if kind_in(corpus, name) in ("jsonl", "nemo")] or names
    for name, split in corpus.by_split(names):
        yield from corpus.json_lines(name, split)
