"""Append-only stores of what prepare computed, by key: Parquet shards that are written once and never
changed.

codes, speakers and texts are the three caches of a prepared corpus; sounds holds measurements (conditioning
and gates need not listen again), scores and transcripts what optional gates found, and files the content hashes of
files that did not change since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.corpus.files import write_atomically
from kathrine.errors import KathrineError

if TYPE_CHECKING:
    import pyarrow as pa

FLUSH_ROWS = 512
COLUMNS: dict[str, dict[str, str]] = {
    "codes": {"codes": "list<int16>", "frames": "int32"},
    "speakers": {"embedding": "list<float32>"},
    "texts": {"spoken": "string", "ids": "list<int32>", "rejected": "string"},
    "sounds": {"sound": "string", "rejected": "string", "detail": "string"},
    "scores": {"score": "float64"},
    "transcripts": {"text": "string"},
    "files": {"content": "string"},
}


def arrow_schema(columns: Mapping[str, str]) -> pa.Schema:
    """A schema from names to `string`, `bool`, numbers, and `list<...>` of them."""
    import pyarrow as pa

    def kind(name: str) -> pa.DataType:
        if name.startswith("list<"):
            return pa.list_(kind(name[5:-1]))
        return getattr(pa, {"bool": "bool_"}.get(name, name))()

    return pa.schema([(name, kind(text)) for name, text in columns.items()])


class Store:
    """One store. Not for two writers at once: prepare holds the workspace's lock.

    Args:
        folder: made when it is missing; half-written shards of a killed process are removed.
        columns: name -> type of what is kept beside the key.
    """

    def __init__(self, folder: Path, columns: Mapping[str, str]) -> None:
        self.folder = folder
        self.columns = {"key": "string", **columns}
        self._where: dict[str, int] = {}
        self._waiting: dict[str, dict[str, Any]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".*.tmp"):
            left.unlink()
        shards = sorted(folder.glob("*.parquet"))
        for shard in shards:
            number = int(shard.stem)
            for key in self._read(number, ["key"])["key"].to_pylist():
                self._where[key] = number
        self._next = int(shards[-1].stem) + 1 if shards else 0

    def __contains__(self, key: str) -> bool:
        return key in self._where or key in self._waiting

    def __len__(self) -> int:
        return len(self._where) + len(self._waiting)

    def add(self, key: str, **values: Any) -> None:
        """Keep the values under the key, from the next flush on for good. A key that is there already
        stays."""
        if key in self:
            return
        self._waiting[key] = values
        if len(self._waiting) >= FLUSH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting as one shard, atomically."""
        if not self._waiting:
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = self._waiting
        schema = arrow_schema(self.columns)
        arrays = [
            pa.array(
                list(rows) if name == "key" else [row[name] for row in rows.values()],
                type=schema.field(name).type,
            )
            for name in self.columns
        ]
        table = pa.Table.from_arrays(arrays, schema=schema)
        write_atomically(self._path(self._next), lambda path: pq.write_table(table, path, compression="zstd"))
        self._where.update(dict.fromkeys(rows, self._next))
        self._next += 1
        self._waiting = {}

    def many(self, keys: Iterable[str], columns: Iterable[str] = ()) -> dict[str, dict[str, Any]]:
        """The values of those keys that are there; each shard is read once. Lists come as numpy arrays."""
        wanted = list(columns) or [name for name in self.columns if name != "key"]
        found: dict[str, dict[str, Any]] = {}
        by_shard: dict[int, set[str]] = {}
        for key in keys:
            if key in self._waiting:
                found[key] = {name: _plain(self._waiting[key][name], self.columns[name]) for name in wanted}
            elif key in self._where:
                by_shard.setdefault(self._where[key], set()).add(key)
        for number, wanted_keys in sorted(by_shard.items()):
            table = self._read(number, ["key", *wanted])
            for place, key in enumerate(table["key"].to_pylist()):
                if key in wanted_keys:
                    found[key] = {name: _value(table[name][place], self.columns[name]) for name in wanted}
        return found

    def keys(self) -> Iterator[str]:
        """Every key."""
        yield from self._where
        yield from self._waiting

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.parquet"

    def _read(self, number: int, columns: list[str]) -> pa.Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return pq.ParquetFile(self._path(number)).read(columns=columns, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise KathrineError(
                f"{self._path(number)} is damaged: {str(error).splitlines()[0]}",
                "delete it and prepare again: only what it held is made anew",
            ) from error


def _plain(value: Any, kind: str) -> Any:
    import numpy as np

    return np.asarray(value, dtype=kind[5:-1]) if kind.startswith("list<") else value


def _value(scalar: Any, kind: str) -> Any:
    if not kind.startswith("list<"):
        return scalar.as_py()
    return scalar.values.to_numpy(zero_copy_only=False).copy()


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of a workspace."""

    codes: Store
    speakers: Store
    texts: Store
    sounds: Store
    scores: Store
    transcripts: Store
    files: Store

    @classmethod
    def open(cls, folder: Path) -> Stores:
        """Open, or begin, the stores below `folder`. The lock must be held."""
        return cls(**{name: Store(folder / name, columns) for name, columns in COLUMNS.items()})

    def flush(self) -> None:
        """Write what is waiting in every store."""
        for store in (getattr(self, name) for name in COLUMNS):
            store.flush()
