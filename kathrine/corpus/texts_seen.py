"""Which texts training had: hashes of them, so that what is measured was never learnt by heart."""

from __future__ import annotations

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
