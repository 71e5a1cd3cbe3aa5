"""Rows of a manifest to utterances, every mistake with its line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kathrine.types import Split, Utterance

DEFAULT_KEYS = {
    "id": "id",
    "audio": "audio",
    "text": "text",
    "speaker": "speaker",
    "language": "language",
    "reference": "ref_audio",
    "codes": "audio_codes",
    "split": "split",
    "start": "start",
    "end": "end",
    "seconds": "duration",
    "cut": "cut",
}
"""What a row can say -> the key under which it says it."""

SPLITS: dict[str, Split] = {"train": "train", "validation": "validation", "test": "test"}
SPLITS |= dict.fromkeys(("val", "valid", "dev", "eval"), "validation")


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read a row. keys: see DEFAULT_KEYS. texts: further text variants by key. root: where relative
    paths start. speaker and language: for rows that name none. licence: told in reports."""

    root: Path
    keys: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_KEYS))
    texts: Mapping[str, str] = field(default_factory=dict)
    speaker: str = "speaker"
    language: str = ""
    licence: str = ""

    def known(self) -> set[str]:
        """Keys of a row that are read."""
        return {*self.keys.values(), *self.texts.values()}


class _Fields:
    """Typed access to one row; what does not fit is collected."""

    def __init__(self, row: Mapping[str, Any], layout: Layout) -> None:
        self.row, self.layout = row, layout
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        return self._text(self.layout.keys[name])

    def _text(self, key: str) -> str:
        value = self.row.get(key)
        if value is None:
            return ""
        # Speakers and ids are often plain numbers.
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            self.problems.append(f"'{key}' has to be a string, not {json.dumps(value)[:40]}")
            return ""
        return value

    def variant(self, key: str) -> str:
        return self._text(key)

    def number(self, name: str) -> float | None:
        key = self.layout.keys[name]
        value = self.row.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            self.problems.append(f"'{key}' has to be a number of seconds, not {json.dumps(value)[:40]}")
            return None
        return float(value)

    def split(self) -> Split | None:
        written = self.text("split")
        if written and written.lower() not in SPLITS:
            self.problems.append(f"split '{written}' is not one of {', '.join(SPLITS)}")
        return SPLITS.get(written.lower()) if written else None

    def codes(self) -> tuple[tuple[int, ...], ...] | None:
        key = self.layout.keys["codes"]
        value = self.row.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not value:
            self.problems.append(f"'{key}' has to be a list of frames")
            return None
        # One flat list is passed on as it is: only the model knows how many codes make a frame.
        frames = value if isinstance(value[0], list) else [value]
        if not all(isinstance(frame, list) and frame and all(type(code) is int for code in frame) for frame in frames):
            self.problems.append(f"'{key}' has to hold frames of integers")
            return None
        return tuple(map(tuple, frames))


def utterance_of(row: Any, layout: Layout) -> tuple[Utterance | None, list[str]]:
    """The utterance of one parsed line, or what is wrong with it."""
    if not isinstance(row, dict):
        return None, ["a line has to hold a JSON object"]
    fields = _Fields(row, layout)
    text = fields.text("text")
    if layout.keys["text"] not in row:
        fields.problems.append(f"no '{layout.keys['text']}'")
    recording, codes = fields.text("audio"), fields.codes()
    audio = layout.root / recording if recording else None
    if audio is None and codes is None and not fields.problems:
        fields.problems.append(f"neither '{layout.keys['audio']}' nor '{layout.keys['codes']}'")
    start, end, seconds = fields.number("start"), fields.number("end"), fields.number("seconds")
    if start is not None and end is None and seconds is not None:
        end = start + seconds
    if end is not None and end <= (start or 0.0):
        fields.problems.append(f"ends at {end} s, before it starts")
    reference = fields.text("reference")
    variants = {name: fields.variant(key) for name, key in layout.texts.items() if row.get(key) is not None}
    utterance = Utterance(
        id=fields.text("id") or stable_id(recording, start, end, text),
        audio=audio,
        texts={"text": text, **variants},
        speaker=fields.text("speaker") or layout.speaker,
        language=fields.text("language") or layout.language,
        split=fields.split(),
        start=start,
        end=end,
        seconds=seconds or None,
        reference=layout.root / reference if reference else None,
        codes=codes,
        cut=row.get(layout.keys["cut"]) is True,
        facts={"licence": layout.licence} if layout.licence else {},
    )
    return (None if fields.problems else utterance), fields.problems


def stable_id(audio: str, start: float | None, end: float | None, text: str) -> str:
    """An id that follows from the recording's path as written and its part; from the text without a
    recording."""
    what = [audio, start, end] if audio else ["text", text]
    stem = Path(audio).stem if audio else "codes"
    return f"{stem}-{hashlib.sha256(json.dumps(what).encode()).hexdigest()[:10]}"


def lines(path: Path) -> Iterator[tuple[int, Any, str]]:
    """Line number, parsed value, and what is wrong with the line where it can not be parsed."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8")), ""
            except UnicodeDecodeError:
                yield number, None, "not UTF-8"
            except json.JSONDecodeError as error:
                yield number, None, f"not JSON: {error.msg} at column {error.colno}"


def problems_of(path: Path, layout: Layout) -> tuple[list[str], dict[str, int]]:
    """All that is wrong with a manifest, as `file:line: sentence`, and how many rows hold each key nobody
    reads."""
    found: list[str] = []
    unread: dict[str, int] = {}
    first_line: dict[str, int] = {}
    for number, row, problem in lines(path):
        utterance, problems = (None, [problem]) if problem else utterance_of(row, layout)
        if utterance is not None:
            before = first_line.setdefault(utterance.id, number)
            if before != number:
                problems = [f"the id '{utterance.id}' stands in line {before} already"]
            for key in row.keys() - layout.known():
                unread[key] = unread.get(key, 0) + 1
        found += [f"{path.name}:{number}: {each}" for each in problems]
    return found, unread
