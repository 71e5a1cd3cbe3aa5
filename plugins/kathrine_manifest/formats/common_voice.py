"""Common Voice: tables divided by tabs (`train.tsv`, `dev.tsv`, `test.tsv`, `validated.tsv`) beside `clips/`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from kathrine.types import Split
from kathrine_manifest.corpus import Corpus, folder_of, is_audio
from kathrine_manifest.rows import Line

REQUIRED = {"client_id", "path", "sentence"}
SPLIT_TABLES: dict[str, Split] = {"train.tsv": "train", "dev.tsv": "validation", "test.tsv": "test"}
WHOLE = "validated.tsv"


def tables(corpus: Corpus) -> list[str]:
    """The tables to read: those that `files` or `path` names, else train, dev and test, else the validated rows."""
    named = corpus.tables(".tsv")
    if corpus.patterns or corpus.single:
        return named
    by_split = [name for name in named if PurePosixPath(name).name in SPLIT_TABLES]
    return by_split or [name for name in named if PurePosixPath(name).name == WHOLE]


def columns(corpus: Corpus) -> Iterable[tuple[str, list[str], list[str]]]:
    """Each table with its columns; `path` is read as `audio`, below clips/."""
    for name in tables(corpus):
        found = corpus.header(name, "\t", quoted=False)
        yield name, found, ["audio"] if "path" in found else []


def recognise(corpus: Corpus) -> str | None:
    """A table with Common Voice's columns."""
    found = [name for name in tables(corpus) if set(corpus.header(name, "\t", quoted=False)) >= REQUIRED]
    if not found:
        return None
    return f"{', '.join(PurePosixPath(name).name for name in found)} with client_id, path and sentence, and clips/"


def read(corpus: Corpus) -> Iterator[Line]:
    """The rows, with their split: by the table's name, and in other tables by who speaks. Whoever speaks in dev.tsv or
    test.tsv is held out everywhere, so that nobody is validated on whose voice was trained."""
    for name in tables(corpus):
        file, base = PurePosixPath(name).name, folder_of(name)
        said = SPLIT_TABLES.get(file)
        held_out = {} if said else clients(corpus, base)
        for line in corpus.table(name, "\t", quoted=False):
            row = line.row
            split = said
            if isinstance(row, dict):
                split = said or held_out.get(row.get("client_id") or "", "train" if held_out else None)
                row = {key: value for key, value in row.items() if key != "path"} | recording(row)
            if corpus.splits and split and split not in corpus.splits:
                continue
            yield replace(line, row=row, split=split)


def clients(corpus: Corpus, base: str) -> dict[str, Split]:
    """Who speaks in the held-out tables -> which of them."""
    found: dict[str, Split] = {}
    for table, split in SPLIT_TABLES.items():
        name = PurePosixPath(base, table).as_posix()
        if split != "train" and corpus.has(name):
            rows = (line.row for line in corpus.table(name, "\t", quoted=False))
            found |= {row["client_id"]: split for row in rows if isinstance(row, dict) and row.get("client_id")}
    return found


def recording(row: dict[str, str]) -> dict[str, str]:
    """The clip of a row (older releases leave `.mp3` out), its id, and its language without the country."""
    path = (row.get("path") or "").strip()
    told = {"language": row["locale"].split("-")[0]} if row.get("locale") else {}
    if not path:
        return told
    clip = path if is_audio(path) else f"{path}.mp3"
    return {"audio": f"clips/{clip}", "id": PurePosixPath(clip).stem, **told}
