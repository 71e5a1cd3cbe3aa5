"""The prepared corpus: written from the stores in manifest order, under a name that follows from its
content."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from kathrine.corpus.card import dataset_card
from kathrine.corpus.files import sync, write_json, write_text
from kathrine.corpus.manifest import write_lines
from kathrine.corpus.measure import chunks
from kathrine.corpus.prepared import FILES, FORMAT, GROUP_ROWS, SHARD_ROWS, file_of, shard_name
from kathrine.corpus.rows import Row
from kathrine.corpus.stores import Stores, arrow_schema
from kathrine.corpus.verdicts import verdict

EXAMPLES = {
    "entry": "string",
    "id": "string",
    "speaker": "string",
    "language": "string",
    "split": "string",
    "seconds": "float64",
    "text": "string",
    "cut": "bool",
    "facts": "string",
    "frames": "int32",
    "codes": "list<int16>",
    "embedding": "list<float32>",
    "variants": "list<string>",
    "spoken": "list<string>",
    "text_ids": "list<list<int32>>",
}
INDEX = {
    "entry": "string",
    "id": "string",
    "speaker": "string",
    "language": "string",
    "split": "string",
    "seconds": "float64",
    "frames": "int32",
    "variants": "list<string>",
    "tokens": "list<int32>",
    "cut": "bool",
    "reference": "string",
    "original_rate": "int32",
    "bandwidth_hz": "float64",
}


def index_row(row: Row) -> dict[str, Any]:
    """A row of the index."""
    return {
        "entry": row.entry,
        "id": row.id,
        "speaker": row.speaker,
        "language": row.language,
        "split": row.split,
        "seconds": row.seconds,
        "frames": row.frames,
        "variants": list(row.tokens),
        "tokens": list(row.tokens.values()),
        "cut": row.cut,
        "reference": row.reference,
        "original_rate": row.sound.original_rate if row.sound else 0,
        "bandwidth_hz": row.sound.bandwidth_hz if row.sound else 0.0,
    }


def content_digest(rows: Sequence[Row], facts: dict[str, Any]) -> str:
    """Equal exactly when the corpus is: every row with the keys of its codes, voice and texts, and the
    facts."""
    digest = hashlib.sha256(f"prepared {FORMAT}\n{json.dumps(facts, sort_keys=True)}\n".encode())
    for row in rows:
        content = [index_row(row), row.codes_key, row.speaker_key, row.texts]
        digest.update(json.dumps(content, ensure_ascii=False, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def assemble(
    folder: Path,
    rows: Sequence[Row],
    everything: Iterable[Row],
    facts: dict[str, Any],
    fingerprint: str,
    stores: Stores,
) -> None:
    """Write the corpus in a temporary folder and rename it to `folder`, which must not exist.

    rows: the examples, in order. everything: all utterances that were seen, for `manifest.jsonl`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for split in FILES:
        part = [row for row in rows if file_of(row) == split]
        count = -(-len(part) // SHARD_ROWS)
        for number in range(count):
            table = _examples(part[number * SHARD_ROWS : (number + 1) * SHARD_ROWS], stores)
            path = temporary / shard_name(split, number, count)
            # Not compressed: codes hardly shrink, and reading one utterance should not unpack its neighbours.
            pq.write_table(table, path, row_group_size=GROUP_ROWS, compression="none", use_dictionary=False)
            sync(path)
    schema = arrow_schema(INDEX)
    with pq.ParquetWriter(temporary / "index.parquet", schema, compression="zstd") as writer:
        for portion in chunks(rows, SHARD_ROWS):
            writer.write_table(pa.Table.from_pylist([index_row(row) for row in portion], schema=schema))
    sync(temporary / "index.parquet")
    write_lines(temporary / "manifest.jsonl", map(verdict, everything))
    write_json(temporary / "facts.json", facts)
    write_text(temporary / "README.md", dataset_card(facts, fingerprint, {file_of(row) for row in rows}))
    write_json(temporary / "complete.json", {"format": FORMAT, "fingerprint": fingerprint, "rows": len(rows)})
    os.replace(temporary, folder)  # noqa: PTH105


def _examples(rows: Sequence[Row], stores: Stores) -> Any:
    import pyarrow as pa

    codes = stores.codes.many({row.codes_key for row in rows}, ["codes"])
    voices = stores.speakers.many({row.speaker_key for row in rows if row.speaker_key})
    texts = stores.texts.many({key for row in rows for key in row.texts.values()}, ["spoken", "ids"])
    schema = arrow_schema(EXAMPLES)
    columns: dict[str, list[Any]] = {
        **{name: [getattr(row, name) for row in rows] for name in ("entry", "id", "speaker", "language", "split")},
        "seconds": [row.seconds for row in rows],
        "text": [texts[row.texts["text"]]["spoken"] for row in rows],
        "cut": [row.cut for row in rows],
        "facts": [json.dumps(dict(row.utterance.facts), ensure_ascii=False) for row in rows],
        "frames": [row.frames for row in rows],
        "codes": [codes[row.codes_key]["codes"] for row in rows],
        "embedding": [voices[row.speaker_key]["embedding"] if row.speaker_key else None for row in rows],
        "variants": [list(row.texts) for row in rows],
        "spoken": [[texts[key]["spoken"] for key in row.texts.values()] for row in rows],
        "text_ids": [[texts[key]["ids"] for key in row.texts.values()] for row in rows],
    }
    return pa.Table.from_arrays(
        [pa.array(columns[name], type=schema.field(name).type) for name in schema.names], schema=schema
    )
