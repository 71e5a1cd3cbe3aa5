"""A prepared corpus as a folder that is a dataset of the Hub: what `kathrine prepare --push` uploads, and no more.

The manifest and the page of a corpus stay behind: they name files of this machine, and hold what was rejected.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from kathrine.corpus.card import dataset_card
from kathrine.corpus.prepared import FILES as SPLITS
from kathrine.corpus.prepared import read_marker
from kathrine.corpus.push import FILES, MARKER

CARD = "README.md"
BATCH = 256
"""Rows that are hashed at once."""


def copy_dataset(corpus: Path, folder: Path) -> None:
    """Copy what is published of a prepared corpus into an existing folder; the marker of a complete one comes last."""
    for pattern in FILES:
        for path in sorted(corpus.glob(pattern)):
            shutil.copyfile(path, folder / path.name)
    shutil.copyfile(corpus / MARKER, folder / MARKER)


def folder_card(folder: Path, place: str, codes: Collection[str], voices: Mapping[str, str], consent: str) -> str:
    """The card of a published folder; for place (empty for a stand-in) and the rest see `dataset_card`."""
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    files = {split for split in SPLITS if any(folder.glob(f"{split}-*.parquet"))}
    fingerprint = read_marker(folder)["fingerprint"]
    return dataset_card(facts, fingerprint, files, place or "OWNER/NAME", codes, voices, consent)


def rows_digest(folder: Path) -> tuple[int, str]:
    """Number of examples in a folder's shards, and a hash of everything that they hold, read row by row."""
    import pyarrow.parquet as pq

    count, digest = 0, hashlib.sha256()
    for split in SPLITS:
        for path in sorted(folder.glob(f"{split}-*.parquet")):
            digest.update(path.name.encode())
            for batch in pq.ParquetFile(path).iter_batches(BATCH):
                count += batch.num_rows
                digest.update(batch.serialize())
    return count, digest.hexdigest()
