"""What shards have listed: the utterances of every data entry in order, with what was found of their recordings.

A machine that merges shards needs neither the recordings nor the source: it reads this in their place. JSON Lines, one
utterance a line: entry, utterance, and where they are known content and reference (digests of files), reason and detail
(why a recording can not be used, where that stands in no store)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.corpus.files import write_json
from kathrine.corpus.keys import recipe_key
from kathrine.corpus.manifest import from_row, write_lines
from kathrine.corpus.rows import Elsewhere, Row
from kathrine.types import Utterance

if TYPE_CHECKING:
    from kathrine.recipe.recipe import Recipe
    from kathrine.workspace import Workspace

NOT_STORED = ("missing file", "too long", "crashed the decoder")
"""Verdicts on a recording that no store keeps: they depend on a machine or an option."""


def line_of(entry: str, raw: dict[str, Any], row: Row) -> dict[str, Any]:
    """A line: the utterance as the source gave it, and what became of its row."""
    told = {"content": row.content, "reference": row.reference_content}
    if row.reason in NOT_STORED:
        told |= {"reason": row.reason, "detail": row.detail}
    return {"entry": entry, "utterance": raw} | {name: value for name, value in told.items() if value}


@dataclass(frozen=True, slots=True)
class Listing:
    """A joined listing of all shards."""

    path: Path

    @classmethod
    def place(cls, recipe: Recipe, workspace: Workspace) -> Listing:
        """Where the listing of a recipe lies, once its shards were merged."""
        return cls(workspace.folder("corpus", "merged") / f"{recipe_key(recipe)}.jsonl")

    @classmethod
    def find(cls, recipe: Recipe, workspace: Workspace) -> Listing | None:
        """The listing of a recipe whose shards were merged in this workspace, or None."""
        if not (workspace.root / "corpus" / "merged").is_dir():
            return None
        listing = cls.place(recipe, workspace)
        return listing if listing.path.is_file() and listing.counts.is_file() else None

    @property
    def counts(self) -> Path:
        """The file beside it that says what sources left out."""
        return self.path.with_suffix(".left_out.json")

    def join(self, parts: Iterable[Path], left_out: Mapping[str, Mapping[str, int]]) -> None:
        """Write the listings of all shards, one after another. left_out: what sources left out, by data entry and
        reason."""
        write_json(self.counts, left_out)
        write_lines(self.path, (line for part in parts for line in _lines(part)))

    def utterances(self, entry: str) -> Iterator[Utterance]:
        """The utterances of a data entry, as its source gave them."""
        for line in _lines(self.path):
            if line["entry"] == entry:
                yield from_row(line["utterance"], Path())

    def left_out(self, entry: str) -> dict[str, int]:
        """What the source of a data entry left out, by reason, on all machines together."""
        return json.loads(self.counts.read_text(encoding="utf-8"))[entry]

    def tell(self, entry: str, rows: Sequence[Row]) -> None:
        """Give rows, made of `utterances` in this order, what was found of their recordings."""
        lines = (line for line in _lines(self.path) if line["entry"] == entry)
        for row, line in zip(rows, lines, strict=True):
            row.elsewhere = Elsewhere(line.get("content", ""), line.get("reason", ""), line.get("detail", ""))
            row.reference_content = line.get("reference", "")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
