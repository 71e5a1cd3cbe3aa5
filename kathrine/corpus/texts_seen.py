"""Which texts training had: hashes of them, so that what is measured was never learnt by heart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kathrine.corpus.prepared import known_folder, read_marker
from kathrine.speech.sets import text_key

if TYPE_CHECKING:
    from kathrine.recipe.recipe import Recipe
    from kathrine.workspace import Workspace


def training_keys(recipe: Recipe, workspace: Workspace) -> frozenset[str] | None:
    """`text_key` of every text variant that the recipe's prepared corpus trains on; None where it is not at hand."""
    folder = known_folder(recipe, workspace)
    return None if folder is None else keys_of(folder)


def keys_of(folder: Path) -> frozenset[str]:
    """The same for a prepared corpus' folder. Reads the texts alone, shard by shard."""
    import pyarrow.parquet as pq

    read_marker(folder)  # a folder that is not complete has texts that nobody knows
    found: set[str] = set()
    for path in sorted(folder.glob("train-*-of-*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(columns=["spoken"]):
            for texts in batch.column(0).to_pylist():
                found.update(text_key(text) for text in texts)
    return frozenset(found)


def spoken_texts(folder: Path, wanted: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """The spoken text of every training utterance, in the variant that its data entry is trained on most. Reads the
    texts alone, shard by shard.

    Given: a prepared corpus' folder; wanted, shares of text variants by data entry.
    """
    import pyarrow.parquet as pq

    read_marker(folder)
    for path in sorted(folder.glob("train-*-of-*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(columns=["entry", "variants", "spoken"]):
            for row in batch.to_pylist():
                texts = dict(zip(row["variants"], row["spoken"], strict=True))
                shares = wanted.get(row["entry"], {})
                yield texts[max(texts, key=lambda name: (shares.get(name, 0.0), name == "text"))]
