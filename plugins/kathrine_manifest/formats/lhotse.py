"""Lhotse: `cuts.jsonl(.gz)`, or `recordings.jsonl(.gz)` with `supervisions.jsonl(.gz)`.

Times of a supervision are relative to its cut, or to its recording where there are no cuts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from kathrine_manifest.corpus import Corpus, plural
from kathrine_manifest.rows import Line

SUFFIXES = (".jsonl", ".jsonl.gz")
WHOLE = 0.01
"""Seconds by which a part may be shorter than its recording and still be all of it."""


def tables(corpus: Corpus) -> tuple[list[str], list[tuple[str, str]]]:
    """Files of cuts, and files of supervisions with those of their recordings."""
    names = corpus.tables(*SUFFIXES)
    cuts = [name for name in names if "cuts" in PurePosixPath(name).name]
    pairs = []
    for name in names:
        file = PurePosixPath(name)
        if "supervisions" in file.name:
            recordings = file.with_name(file.name.replace("supervisions", "recordings")).as_posix()
            if corpus.has(recordings):
                pairs.append((name, recordings))
    return cuts, [] if cuts else pairs


def recognise(corpus: Corpus) -> str | None:
    """A file of cuts, or files of recordings and supervisions."""
    cuts, pairs = tables(corpus)
    cuts = [name for name in cuts if any("supervisions" in row or "recording" in row for row in corpus.peek(name))]
    if cuts:
        return cuts[0] if len(cuts) == 1 else f"{plural(len(cuts), 'file')} of cuts such as {cuts[0]}"
    pairs = [pair for pair in pairs if any("recording_id" in row for row in corpus.peek(pair[0]))]
    return f"{pairs[0][0]} with {PurePosixPath(pairs[0][1]).name}" if pairs else None


def read(corpus: Corpus) -> Iterator[Line]:
    """One row a supervision."""
    cuts, pairs = tables(corpus)
    for name, split in corpus.by_split(cuts):
        for line in corpus.json_lines(name, split):
            if not isinstance(line.row, dict):
                yield line
                continue
            for row, problem in of_cut(line.row):
                yield Line(line.place, row, problem, line.base, split)
    beside = dict(pairs)
    for name, split in corpus.by_split(list(beside)):
        recordings = {}
        for line in corpus.json_lines(beside[name]):
            if isinstance(line.row, dict) and isinstance(line.row.get("id"), str):
                recordings[line.row["id"]] = line.row
            else:
                yield Line(line.place, None, line.problem or "a recording has an id", line.base, split)
        for line in corpus.json_lines(name, split):
            row, problem = None, line.problem
            if not problem:
                row, problem = of_supervision(line.row, recordings)
            yield Line(line.place, row, problem, line.base, split)


def of_cut(cut: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any] | None, str]]:
    """Rows of the supervisions of a cut, or what is wrong with it."""
    if cut.get("type", "MonoCut") not in ("MonoCut", "MultiCut", "Cut"):
        yield None, f"a {cut['type']} has no recording of its own"
        return
    supervisions = cut.get("supervisions")
    if not isinstance(supervisions, list) or not supervisions:
        yield None, "the cut has no supervision, so no text"
        return
    offset = cut.get("start", 0)
    for supervision in supervisions:
        if not isinstance(supervision, dict) or not is_number(offset):
            yield None, "a cut has a start and supervisions that are objects"
        elif not isinstance(cut.get("recording"), dict):
            yield None, "the cut has no recording (features alone can not be read)"
        else:
            yield row_of(supervision, cut["recording"], offset)


def of_supervision(row: Any, recordings: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The row of a supervision on its recording."""
    if not isinstance(row, dict) or not isinstance(row.get("recording_id"), str):
        return None, "a supervision has a recording_id"
    recording = recordings.get(row["recording_id"])
    if recording is None:
        return None, f"the recording '{row['recording_id']}' is not listed"
    return row_of(row, recording, 0.0)


def row_of(supervision: Mapping[str, Any], recording: Mapping[str, Any], offset: float) -> tuple[dict | None, str]:
    """A row from a supervision, its recording, and where its times begin (seconds)."""
    path, problem = source_of(recording)
    if problem:
        return None, problem
    row = {"id": supervision.get("id"), "audio": path, "text": supervision.get("text") or ""}
    row |= {key: supervision[key] for key in ("speaker", "language") if supervision.get(key)}
    start, length, total = supervision.get("start", 0), supervision.get("duration"), recording.get("duration")
    if not is_number(start) or not isinstance(length, int | float):
        return None, "a supervision has numbers as start and duration"
    first, last = offset + start, offset + start + length
    if first <= 0 and isinstance(total, int | float) and last >= total - WHOLE:
        return row | {"duration": total}, ""
    return row | {"start": max(round(first, 6), 0.0), "end": round(last, 6)}, ""


def source_of(recording: Mapping[str, Any]) -> tuple[str, str]:
    """The file of a recording, or why there is none: commands are never run, addresses never opened."""
    sources = recording.get("sources")
    if not isinstance(sources, list) or not sources or not isinstance(sources[0], dict):
        return "", "the recording has no source"
    if len(sources) > 1:
        return "", "the recording is spread over several files"
    kind, path = sources[0].get("type"), sources[0].get("source")
    if kind != "file" or not isinstance(path, str) or re.match(r"[a-z0-9+]+://", path):
        return "", f"the recording is a {kind or 'source'} that is no file: only files are read, nothing is run"
    return path, ""


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
