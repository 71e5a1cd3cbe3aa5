"""The source `prepared`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from kathrine.components import Options, Source, SourceContext
from kathrine.datafiles import HUB_ID, DataFiles, corpus_problems, hub_datasets, open_files
from kathrine.errors import KathrineError
from kathrine.types import Utterance

FORMATS = (2,)
"""Formats of prepared corpora that are read here."""
SHARD = re.compile(r"(train|validation|test|reference)-(\d{5})-of-(\d{5})\.parquet")
HIDDEN = "__reference__"
READ = ["entry", "id", "speaker", "language", "split", "seconds", "cut", "facts", "frames", "codes", "embedding"]
TEXTS = ["variants", "spoken"]
ROWS = 64
"""Utterances read at once."""


class PreparedOptions(Options):
    """A corpus that was prepared before, here or by somebody else."""

    root: str = Field(json_schema_extra={"path": "or_id"})
    """Dataset id on the Hub, or the folder of a prepared corpus (`corpus/prepared-...` in a workspace)."""
    revision: str = "main"
    """Branch, tag or commit of the Hub repository."""
    entries: list[str] = Field(default_factory=list)
    """Data entries of that corpus to take; empty takes all of them."""


class Prepared(Source):
    """Codes, speaker embeddings and texts of a prepared corpus."""

    name = "prepared"
    Options = PreparedOptions
    options: PreparedOptions

    def hub_datasets(self) -> tuple[str, ...]:
        return hub_datasets(self.options.root)

    def licences(self) -> tuple[str, ...] | None:
        """Of a folder that is here, those of its entries; empty where one of them states none."""
        path = Path(self.options.root).expanduser() / "facts.json"
        if not path.is_file():
            return None
        entries = json.loads(path.read_text(encoding="utf-8"))["entries"]
        found = [entry["licence"] for name, entry in entries.items() if name in (self.options.entries or entries)]
        return tuple(sorted({one for each in found for one in each})) if all(found) else ()

    def reachable(self, context: SourceContext) -> Iterator[str]:
        path = Path(self.options.root).expanduser()
        if path.is_dir() and not (path / "complete.json").is_file():
            yield f"{self.options.root} is no complete prepared corpus; name corpus/prepared-... of a workspace"
        else:
            yield from corpus_problems(self.options.root, self.options.revision, context)

    def bytes_to_fetch(self, context: SourceContext) -> int | None:
        root = self.options.root
        remote = not Path(root).expanduser().is_dir() and HUB_ID.fullmatch(root) is not None
        return None if remote else 0  # only the repository knows how large it is

    def prepare(self, context: SourceContext) -> None:
        """Fetch all files. Raises KathrineError where the place holds no complete prepared corpus."""
        files = self._open(context)
        facts, _ = self._facts(files)
        names = ["index.parquet", *shards_of(files)]
        total = sum(files.size(name) or 0 for name in names) / 1e6
        with context.progress.task(f"{self.label}: {files.label} (MB)", total) as advance:
            for name in names:
                files.fetch(name, lambda count: advance(count / 1e6))
        told = {name: facts["entries"][name] for name in self._entries(files, facts)}
        hours = sum(entry["hours"] for entry in told.values())
        context.progress.say(f"{self.label}: {', '.join(told)}: {hours:.2f} h, encoded already")

    def utterances(self, context: SourceContext) -> Iterator[Utterance]:
        """The utterances in the order of the corpus. Ids are ENTRY/ID there; speakers of several entries are told
        apart in the same way."""
        files = self._open(context)
        facts, width = self._facts(files)
        taken = self._entries(files, facts)
        prints = facts["fingerprints"]
        apart = len(taken) > 1
        for row in rows_in_order(files):
            if row["entry"] in taken and not row["id"].startswith(HIDDEN):
                yield utterance_of(row, width, prints["codec"], prints["speaker"], apart)

    def _open(self, context: SourceContext) -> DataFiles:
        options = self.options
        return open_files(
            options.root, options.revision, context.workspace, context.folder, context.offline, context.progress.say
        )

    def _facts(self, files: DataFiles) -> tuple[dict[str, Any], int]:
        """Facts of the corpus, and the codes of a frame."""
        if files.size("complete.json") is None:
            raise KathrineError(
                f"{self.label}: {files.label} is no complete prepared corpus",
                "wait until it is uploaded, or check root; recordings have other sources",
            )
        marker = json.loads(files.fetch("complete.json").read_text(encoding="utf-8"))
        if marker.get("format") not in FORMATS:
            raise KathrineError(
                f"{self.label}: {files.label} was prepared by another kathrine (format {marker.get('format')})",
                "prepare it again with this version, or install that one",
            )
        facts = json.loads(files.fetch("facts.json").read_text(encoding="utf-8"))
        return facts, facts["model"]["codebooks"]

    def _entries(self, files: DataFiles, facts: dict[str, Any]) -> list[str]:
        known = list(facts["entries"])
        unknown = [name for name in self.options.entries if name not in known]
        if unknown:
            raise KathrineError(
                f"{self.label}: {files.label} has no data entry {', '.join(unknown)}", f"it has {', '.join(known)}"
            )
        return [name for name in known if name in (self.options.entries or known)]


def shards_of(files: DataFiles) -> list[str]:
    """The files of examples, by name. Raises KathrineError where one of them is missing."""
    names = [name for name in files.names() if SHARD.fullmatch(name)]
    for split, count in {(match[1], match[3]) for match in map(SHARD.fullmatch, names) if match}:
        for number in range(int(count)):
            wanted = f"{split}-{number:05d}-of-{count}.parquet"
            if wanted not in names:
                raise KathrineError(f"{files.label} lacks {wanted}", "get the whole corpus")
    return names


def rows_in_order(files: DataFiles) -> Iterator[dict[str, Any]]:
    """All examples as plain values, in the order of the index. Each file is read once, a few rows at a time."""
    import pyarrow.parquet as pq

    def split_rows(names: Sequence[str]) -> Iterator[dict[str, Any]]:
        for name in names:
            for batch in pq.ParquetFile(files.fetch(name)).iter_batches(ROWS, columns=[*READ, *TEXTS]):
                yield from batch.to_pylist()

    names = shards_of(files)
    splits = {name.split("-")[0] for name in names}
    readers = {split: split_rows([name for name in names if name.startswith(f"{split}-")]) for split in splits}
    for batch in pq.ParquetFile(files.fetch("index.parquet")).iter_batches(columns=["id", "split"]):
        for known in batch.to_pylist():
            split = "reference" if known["id"].startswith(HIDDEN) else known["split"]
            row = next(readers.get(split, iter(())), None)
            if row is None or row["id"] != known["id"]:
                raise KathrineError(
                    f"{files.label} is damaged: {known['id']} is not where its index says", "get it again"
                )
            yield row


def utterance_of(row: dict[str, Any], width: int, codec: str, encoder: str, apart: bool) -> Utterance:
    """An utterance that brings its codes along. width: codes of a frame. apart: put the entry before the speaker.

    The spoken texts stand for the written ones: the rules of a language change nothing more in them."""
    codes = row["codes"]
    return Utterance(
        id=f"{row['entry']}/{row['id']}",
        audio=None,
        texts=dict(zip(row["variants"], row["spoken"], strict=True)),
        speaker=f"{row['entry']}/{row['speaker']}" if apart else row["speaker"],
        language=row["language"],
        split=row["split"],
        seconds=row["seconds"],
        codes=tuple(tuple(codes[at : at + width]) for at in range(0, len(codes), width)),
        cut=row["cut"],
        facts=json.loads(row["facts"]),
        embedding=tuple(row["embedding"]) if row["embedding"] is not None else None,
        codec=codec,
        speaker_encoder=encoder,
    )
