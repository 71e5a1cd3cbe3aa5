"""Sentences: what every layout of the corpus says of a clip. Times in milliseconds of the meeting's recording."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kathrine.types import Split

SPLITS: dict[str, Split] = {"train": "train", "eval": "validation", "test": "test"}
"""Folder of the day files -> split. Sentences of every layout are kept under these folders."""
FOLDERS = {split: folder for folder, split in SPLITS.items()} | {"dev": "eval", "eval": "eval"}
"""Split as the layouts name it -> folder of the day files."""
STEM = re.compile(r"(?P<meeting>\d{8}-\d{6})_(?P<start>\d+)_(?P<end>\d+)")
TAG = re.compile(r"<[^<>]*>")
INAUDIBLE = re.compile(r"<\s*inaudible\b[^<>]*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence. folder, day: the meeting day it belongs to. start, end: ms. stem: name of its clip without folder
    and extension, or empty where the row does not say. place: what has to be fetched for its clip, as its layout
    names it. language: nb, nn or en. texts: by variant."""

    day: str
    folder: str
    stem: str
    order: int
    start: int
    end: int
    speaker_id: int
    speaker_name: str
    language: str
    texts: Mapping[str, str]
    place: str = ""

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / 1000

    @property
    def meeting(self) -> str:
        """The recording that the times belong to; several may be made on one day."""
        return self.stem[:15]

    @property
    def tagged(self) -> bool:
        return bool(TAG.search(self.texts["text"]))

    @property
    def inaudible(self) -> bool:
        return any(INAUDIBLE.search(text) for text in self.texts.values())


Days = dict[tuple[str, str], list[Sentence]]
"""Sentences by (folder, day), in the order in which they were spoken."""


def read_day(
    path: Path, name: str, folder: str, day: str, fields: Mapping[str, str], place: str
) -> tuple[list[Sentence], list[str]]:
    """The sentences of a day file (JSON Lines), in the order in which they were spoken, and what is wrong with other
    rows.

    Given: name, the file as problems name it; fields, variant -> column. Returns: sentences, and problems of
    the form `file:line: message`. A row with a problem is left out, never repaired.
    """
    sentences: list[Sentence] = []
    problems: list[str] = []
    seen: set[str] = set()
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                sentence = sentence_of(json.loads(line.decode("utf-8")), folder, day, fields, place)
                refuse_second(sentence, seen)
            except (ValueError, TypeError) as problem:  # JSON and UTF-8 errors are ValueErrors
                problems.append(f"{name}:{number}: {problem}")
                continue
            sentences.append(sentence)
    return as_spoken(sentences), problems


def refuse_second(sentence: Sentence, seen: set[str]) -> None:
    """Note the clip of a sentence. Raises: ValueError where another row had it already."""
    if sentence.stem and sentence.stem in seen:
        raise ValueError(f"second row for the clip {sentence.stem}")
    seen.add(sentence.stem)


def as_spoken(sentences: Iterable[Sentence]) -> list[Sentence]:
    """By meeting, and within one in the order in which they were spoken."""
    return sorted(sentences, key=lambda row: (row.meeting, row.order, row.start))


def sentence_of(row: Any, folder: str, day: str, fields: Mapping[str, str], place: str = "") -> Sentence:
    """One row, checked. Raises: ValueError that says what is wrong."""
    if not isinstance(row, dict):
        raise ValueError("the row is no JSON object")
    start, end = whole(row, "start_time"), whole(row, "end_time")
    if not 0 <= start < end:
        raise ValueError(f"times are not in order: {start} to {end} ms")
    texts = {}
    for variant, column in fields.items():
        text = row.get(column)
        if not isinstance(text, str):
            raise ValueError(f"no text in column '{column}'")
        texts[variant] = text
    code = row.get("sentence_language_code")
    if not isinstance(code, str):
        raise ValueError("no text in column 'sentence_language_code'")
    return Sentence(
        day=day,
        folder=folder,
        stem=stem_of_row(row),
        order=whole(row, "sentence_order"),
        start=start,
        end=end,
        speaker_id=whole(row, "speaker_id"),
        speaker_name=str(row.get("speaker_name") or ""),
        language=code.split("-")[0].lower(),
        texts=texts,
        place=place,
    )


def whole(row: Mapping[str, Any], column: str) -> int:
    """A whole number, also where a table tool wrote it as 3.0."""
    value = row.get(column)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ValueError(f"no whole number in column '{column}'")
    return int(value)


def stem_of_row(row: Mapping[str, Any]) -> str:
    """The clip's name without folder and extension, where a row has one."""
    audio = row.get("audio")
    named = audio.get("path") if isinstance(audio, dict) else row.get("audio_file")
    return PurePosixPath(named).stem if isinstance(named, str) else ""
