"""Which texts training had: hashes of them, so that what is measured was never learnt by heart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kathrine.corpus.prepared import PreparedCorpus, known_folder, shard_name
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

    rows = iter(PreparedCorpus.open(folder).rows)
    found: set[str] = set()
    number = 0
    while (path := folder / shard_name(number)).is_file():
        for texts in pq.read_table(path, columns=["spoken"])["spoken"].to_pylist():
            if next(rows).split == "train":
                found.update(text_key(text) for text in texts)
        number += 1
    return frozenset(found)
