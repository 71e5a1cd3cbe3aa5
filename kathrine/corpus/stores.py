"""Append-only stores of what prepare computed, by key: Parquet shards that are written once and never
changed.

codes, speakers and texts are the three caches of a prepared corpus; sounds holds measurements (conditioning
and gates need not listen again), scores and transcripts what optional gates found, and files the content hashes of
files that did not change since."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.corpus.files import write_atomically
from kathrine.corpus.keyindex import KeyIndex
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
        self._where = KeyIndex()
        self._waiting: dict[str, dict[str, Any]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".*.tmp"):
            left.unlink()
        shards = sorted(folder.glob("*.parquet"))
        for shard in shards:
            number = int(shard.stem)
            self._where.add(self._read(number, ["key"])["key"].to_pylist(), number)
        self._next = int(shards[-1].stem) + 1 if shards else 0

    def __contains__(self, key: str) -> bool:
        return key in self._waiting or self._where.find(key) is not None

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
        self._where.add(rows, self._next)
        self._next += 1
        self._waiting = {}

    def absorb(self, folder: Path) -> int:
        """Take over what another store of the same columns holds and this one does not; how many keys that were.

        Shard by shard, each written at once: a killed merge has what it took over, and takes the rest next time."""
        import pyarrow.parquet as pq

        self.flush()
        taken = 0
        for shard in sorted(folder.glob("*.parquet")):
            table = self._open(shard, list(self.columns))
            keys = table["key"].to_pylist()
            new = [place for place, key in enumerate(keys) if self._where.find(key) is None]
            if not new:
                continue
            rows = table.take(new)
            write_atomically(self._path(self._next), functools.partial(pq.write_table, rows, compression="zstd"))
            self._where.add([keys[place] for place in new], self._next)
            self._next += 1
            taken += len(new)
        return taken

    def many(self, keys: Iterable[str], columns: Iterable[str] = ()) -> dict[str, dict[str, Any]]:
        """The values of those keys that are there; each shard is read once. Lists come as numpy arrays."""
        wanted = list(columns) or [name for name in self.columns if name != "key"]
        found: dict[str, dict[str, Any]] = {}
        by_shard: dict[int, set[str]] = {}
        for key in keys:
            if key in self._waiting:
                found[key] = {name: _plain(self._waiting[key][name], self.columns[name]) for name in wanted}
            elif (shard := self._where.find(key)) is not None:
                by_shard.setdefault(shard, set()).add(key)
        for number, wanted_keys in sorted(by_shard.items()):
            table = self._read(number, ["key", *wanted])
            for place, key in enumerate(table["key"].to_pylist()):
                if key in wanted_keys:
                    found[key] = {name: _value(table[name][place], self.columns[name]) for name in wanted}
        return found

    def keys(self) -> Iterator[str]:
        """Every key, read from the shards."""
        for shard in sorted(self.folder.glob("*.parquet")):
            yield from self._open(shard, ["key"])["key"].to_pylist()
        yield from self._waiting

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.parquet"

    def _read(self, number: int, columns: list[str]) -> pa.Table:
        return self._open(self._path(number), columns)

    def _open(self, path: Path, columns: list[str]) -> pa.Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return pq.ParquetFile(path).read(columns=columns, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise KathrineError(
                f"{path} is damaged: {str(error).splitlines()[0]}",
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

    def absorb(self, folder: Path) -> int:
        """Take over what the stores below `folder` hold; how many recordings with codes were new."""
        taken = {name: getattr(self, name).absorb(folder / name) for name in COLUMNS}
        return taken["codes"]

    def flush(self) -> None:
        """Write what is waiting in every store."""
        for store in (getattr(self, name) for name in COLUMNS):
            store.flush()
