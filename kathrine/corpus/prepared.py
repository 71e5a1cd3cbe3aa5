"""The prepared corpus: a folder of encoded utterances, read lazily.

Folder: `SPLIT-NNNNN-of-NNNNN.parquet` (the utterances of a split in manifest order, 1024 a file; recordings that only
lend their voice as if they were the split "reference"), `index.parquet` (what `rows` holds), `manifest.jsonl` (every
utterance that was seen, with its verdict), `facts.json`, `README.md` (a dataset card: the folder is an ordinary Parquet
dataset), and `complete.json`, written last.

Shapes: F frames, Q codebooks, H width of the speaker embedding.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.errors import KathrineError
from kathrine.types import Example, Split

if TYPE_CHECKING:
    from kathrine.recipe.recipe import Recipe
    from kathrine.workspace import Workspace

FORMAT = 2
SHARD_ROWS = 1024
GROUP_ROWS = 16
REFERENCE_ID = "__reference__"
"""Hidden examples (recordings that only lend their voice) have an id that starts with this, and split
"test"."""
FILES = ("train", "validation", "test", "reference")
"""What the files of a corpus begin with."""


@dataclass(frozen=True, slots=True)
class CorpusRow:
    """What is known of an example without reading it.

    key: ENTRY/ID, unique. seconds: of the conditioned audio. text_tokens: number of token ids by text
    variant; a variant that this utterance does not have is missing. reference: the id, within the same entry,
    of the example that is fixed as this one's reference; its own id where it has to be its own; None where
    one is drawn. original_rate and bandwidth_hz: of the recording as it was found; 0 where there was none.
    """

    key: str
    entry: str
    id: str
    speaker: str
    language: str
    split: Split
    seconds: float
    frames: int
    text_tokens: Mapping[str, int]
    cut: bool
    reference: str | None
    original_rate: int = 0
    bandwidth_hz: float = 0.0

    @property
    def hidden(self) -> bool:
        """Whether this is a recording that only lends its voice: never trained on, never scored."""
        return self.id.startswith(REFERENCE_ID)


class PreparedCorpus:
    """A prepared corpus, opened for reading.

    Attributes: folder; rows, in manifest order, hidden references last; entries, names of the data entries in
    recipe order; fingerprint, a hash of the content; facts, hours and counts and licence per entry
    (`facts["entries"][NAME]`), rates and codebooks.
    """

    def __init__(self, folder: Path, facts: dict[str, Any], fingerprint: str, rows: list[CorpusRow]) -> None:
        self.folder = folder
        self.facts = facts
        self.fingerprint = fingerprint
        self.rows = rows
        self.entries: tuple[str, ...] = tuple(facts["entries"])
        self._number = {row.key: number for number, row in enumerate(rows)}
        counts: Counter[str] = Counter()
        self._place: list[int] = []
        for row in rows:
            self._place.append(counts[file_of(row)])
            counts[file_of(row)] += 1
        self._shards = {name: -(-count // SHARD_ROWS) for name, count in counts.items()}
        self._files: dict[str, Any] = {}
        self._recent: OrderedDict[str, Example] = OrderedDict()
        self._keep = 512
        self._lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path | str) -> PreparedCorpus:
        """Open a folder that `kathrine.corpus.prepare.prepare` made.

        Raises:
            KathrineError: the folder is not a complete prepared corpus, or one of another version of
                kathrine.
        """
        import pyarrow.parquet as pq

        folder = Path(folder)
        marker = read_marker(folder)
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        rows = [
            CorpusRow(
                key=f"{row['entry']}/{row['id']}",
                # The same few strings for all rows.
                **{name: sys.intern(row[name]) for name in ("entry", "speaker", "language", "split")},  # type: ignore[arg-type]
                **{name: row[name] for name in ("id", "seconds", "frames")},
                text_tokens=dict(zip(row["variants"], row["tokens"], strict=True)),
                **{name: row[name] for name in ("cut", "reference", "original_rate", "bandwidth_hz")},
            )
            for batch in pq.ParquetFile(folder / "index.parquet").iter_batches()
            for row in batch.to_pylist()
        ]
        return cls(folder, facts, marker["fingerprint"], rows)

    def row(self, key: str) -> CorpusRow:
        """The row of ENTRY/ID. Raises KathrineError where there is none."""
        if key not in self._number:
            raise KathrineError(f"the prepared corpus has no utterance {key!r}", f"it lies in {self.folder}")
        return self.rows[self._number[key]]

    def example(self, key: str) -> Example:
        """The encoded utterance ENTRY/ID, read when asked for; the last few hundred are kept.

        Raises:
            KathrineError: there is no such utterance.
        """
        with self._lock:
            if key in self._recent:
                self._recent.move_to_end(key)
                return self._recent[key]
            example = self._read(self.row(key))
            self._recent[key] = example
            if len(self._recent) > self._keep:
                self._recent.popitem(last=False)
            return example

    def _read(self, row: CorpusRow) -> Example:
        import numpy as np
        import pyarrow.parquet as pq

        shard, inside = divmod(self._place[self._number[row.key]], SHARD_ROWS)
        name = shard_name(file_of(row), shard, self._shards[file_of(row)])
        if name not in self._files:
            self._files[name] = pq.ParquetFile(self.folder / name, memory_map=True)
        group, offset = divmod(inside, GROUP_ROWS)
        read = ["id", "codes", "embedding", "variants", "spoken", "text_ids"]
        table = self._files[name].read_row_group(group, columns=read, use_threads=False).slice(offset, 1)
        if table["id"][0].as_py() != row.id:
            raise KathrineError(f"{self.folder} is damaged: {row.key} is not where the index says", "delete it")
        codes_FQ = table["codes"][0].values.to_numpy(zero_copy_only=False).reshape(row.frames, -1)
        embedding = table["embedding"][0]
        variants = table["variants"][0].as_py()
        return Example(
            id=row.id,
            entry=row.entry,
            speaker=row.speaker,
            language=row.language,
            split=row.split,
            seconds=row.seconds,
            codes_FQ=np.array(codes_FQ, dtype=np.int16),
            speaker_embedding_H=(
                np.array(embedding.values.to_numpy(zero_copy_only=False), dtype=np.float32)
                if embedding.is_valid
                else None
            ),
            text_ids={variant: tuple(ids) for variant, ids in zip(variants, table["text_ids"][0].as_py(), strict=True)},
            spoken=dict(zip(variants, table["spoken"][0].as_py(), strict=True)),
            cut=row.cut,
            reference=row.reference,
        )


def file_of(row: Any) -> str:
    """What the name of the file begins with that holds a row: its split, or "reference"."""
    return "reference" if row.id.startswith(REFERENCE_ID) else row.split


def shard_name(split: str, number: int, count: int) -> str:
    """File name of a shard of examples, as dataset repositories name them."""
    return f"{split}-{number:05d}-of-{count:05d}.parquet"


def read_marker(folder: Path) -> dict[str, Any]:
    """What `complete.json` says. Raises KathrineError where the folder is not a complete prepared corpus."""
    path = folder / "complete.json"
    if not path.is_file():
        raise KathrineError(f"{folder} holds no complete prepared corpus", "run `kathrine prepare RECIPE`")
    marker: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if marker.get("format") != FORMAT:
        raise KathrineError(
            f"{folder} was prepared by another kathrine (format {marker.get('format')}, not {FORMAT})",
            "run `kathrine prepare RECIPE` again; what was encoded is kept where it can be",
        )
    return marker


def known_folder(recipe: Recipe, workspace: Workspace) -> Path | None:
    """The folder of the corpus that was last prepared for this recipe, or None; reads one small JSON file."""
    from kathrine.corpus.keys import recipe_key

    pointer = workspace.root / "corpus" / "recipes" / f"{recipe_key(recipe)}.json"
    if not pointer.is_file():
        return None
    folder = workspace.root / "corpus" / json.loads(pointer.read_text(encoding="utf-8"))["corpus"]
    return folder if (folder / "complete.json").is_file() else None


def known_facts(recipe: Recipe, workspace: Workspace) -> dict[str, Any] | None:
    """The facts of the corpus that was last prepared for this recipe, or None.

    For `kathrine check`: needs neither pyarrow nor torch. `facts["entries"][NAME]["splits"]["train"]` holds
    `utterances` and `seconds`.
    """
    folder = known_folder(recipe, workspace)
    if folder is None:
        return None
    facts: dict[str, Any] = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    return facts
