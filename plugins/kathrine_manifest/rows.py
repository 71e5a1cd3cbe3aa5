"""Rows of a table to utterances: which key says what, and everything that is wrong with a row."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from kathrine.types import Split, Utterance

ALIASES: dict[str, tuple[str, ...]] = {
    "id": ("id", "utt_id", "utterance_id"),
    "audio": ("audio", "audio_path", "audio_filepath", "audio_file", "file_name", "wav", "path"),
    "text": ("text", "sentence", "transcript", "transcription"),
    "speaker": ("speaker", "speaker_id", "speaker_name", "client_id"),
    "language": ("language", "lang", "locale"),
    "reference": ("ref_audio", "ref_audio_path", "reference_audio", "reference"),
    "codes": ("audio_codes", "codes"),
    "split": ("split",),
    "start": ("start", "offset"),
    "end": ("end",),
    "seconds": ("duration", "seconds"),
    "cut": ("cut",),
}
"""What a row can say -> the keys under which it may say it, in this order: those of the official trainer and its
forks, of NeMo, of Common Voice and of datasets on the Hub."""

DEFAULT_KEYS = {name: keys[0] for name, keys in ALIASES.items()}
"""What a row can say -> the key that messages name."""

SPLITS: dict[str, Split] = {"train": "train", "validation": "validation", "test": "test"}
SPLITS |= dict.fromkeys(("val", "valid", "dev", "eval"), "validation")

Find = Callable[[str, str], tuple[Path, str]]
"""(path as written, folder of its table) -> the recording, and why it may not be read, or an empty string."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row as a reader found it. place: `file:line`. row: parsed, or None with the problem that kept it from being.
    base: folder of its table within the corpus. split: what the table's name says. id: for a row whose keys name none.
    """

    place: str
    row: Any = None
    problem: str = ""
    base: str = ""
    split: Split | None = None
    id: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read a row.

    keys: explicit keys by what they say (see ALIASES); one with braces puts several together: "{pid}_{file}". texts:
    further text variants by key. speaker and language: for rows that name none; each_own: a row that names no speaker
    is by somebody of its own. textual: numbers are written as text. licence: told in reports.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    speaker: str = "speaker"
    each_own: bool = False
    language: str = ""
    licence: str = ""
    textual: bool = False

    def key(self, name: str, row: Mapping[str, Any]) -> str:
        """The key under which this row says `name`: the explicit one, else the first alias that it has."""
        if name in self.keys:
            return self.keys[name]
        return next((key for key in ALIASES[name] if row.get(key) is not None), DEFAULT_KEYS[name])

    def read_keys(self, row: Mapping[str, Any]) -> dict[str, str]:
        """What of this row is read: name -> key."""
        chosen = {name: self.key(name, row) for name in ALIASES}
        return {name: key for name, key in chosen.items() if has(row, key)}


@cache
def columns_of(key: str) -> tuple[str, ...]:
    """The columns that a key names: itself, or those in its braces."""
    return tuple(re.findall(r"\{([^{}]+)\}", key)) or (key,)


def has(row: Mapping[str, Any], key: str) -> bool:
    """Whether a row says something under a key."""
    return all(row.get(column) is not None for column in columns_of(key))


class _Fields:
    """Typed access to one row; what does not fit is collected."""

    def __init__(self, row: Mapping[str, Any], layout: Layout) -> None:
        self.row, self.layout = row, layout
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        return self.under(self.layout.key(name, self.row))

    def under(self, key: str) -> str:
        """Text under a key, or of several put together; empty where one of them says nothing."""
        columns = columns_of(key)
        if columns == (key,):
            return self._text(key)
        values = {column: self._text(column) for column in columns}
        filled = re.sub(r"\{([^{}]+)\}", lambda found: values[found[1]], key)
        return filled if all(values.values()) else ""

    def _text(self, key: str) -> str:
        value = self.row.get(key)
        if isinstance(value, dict):  # as datasets writes recordings
            value = value.get("path")
        if value is None:
            return ""
        # Speakers and ids are often plain numbers.
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            self.problems.append(f"'{key}' has to be a string, not {json.dumps(value, default=str)[:40]}")
            return ""
        return value

    def number(self, name: str) -> float | None:
        key = self.layout.key(name, self.row)
        value = self.row.get(key)
        if value is None or (self.layout.textual and value == ""):
            return None
        if self.layout.textual and isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                value = self.row[key]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not value >= 0 or math.isinf(value):
            self.problems.append(f"'{key}' has to be a number of seconds, not {json.dumps(value)[:40]}")
            return None
        return float(value)

    def split(self) -> Split | None:
        written = self.text("split")
        if written and written.lower() not in SPLITS:
            self.problems.append(f"split '{written}' is not one of {', '.join(SPLITS)}")
        return SPLITS.get(written.lower()) if written else None

    def codes(self) -> tuple[tuple[int, ...], ...] | None:
        key = self.layout.key("codes", self.row)
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


def utterance_of(line: Line, layout: Layout, find: Find) -> tuple[Utterance | None, list[str]]:
    """The utterance of one row, or what is wrong with it."""
    row = line.row
    if line.problem:
        return None, [line.problem]
    if not isinstance(row, dict):
        return None, ["a line has to hold a JSON object"]
    fields = _Fields(row, layout)
    text = fields.text("text")
    text_key = layout.key("text", row)
    if not any(column in row for column in columns_of(text_key)):
        fields.problems.append(f"no '{text_key}'")
    recording, codes = fields.text("audio"), fields.codes()
    if not recording and codes is None and not fields.problems:
        fields.problems.append(f"neither '{layout.key('audio', row)}' nor '{layout.key('codes', row)}'")
    start, end, seconds = fields.number("start"), fields.number("end"), fields.number("seconds")
    if start is not None and end is None and seconds is not None:
        end = start + seconds
    if end is not None and end <= (start or 0.0):
        fields.problems.append(f"ends at {end} s, before it starts")
    files: dict[str, Path | None] = {"audio": None, "reference": None}
    for name, written in (("audio", recording), ("reference", fields.text("reference"))):
        if written:
            files[name], problem = find(written, line.base)
            fields.problems += [problem] if problem else []
    variants = {name: fields.under(key) for name, key in layout.texts.items() if has(row, key)}
    made = ("" if line.id and "id" not in layout.keys else fields.text("id").strip()) or line.id
    made = made or stable_id(recording, start, end, text, codes)
    utterance = Utterance(
        id=made,
        audio=files["audio"],
        texts={"text": text, **variants},
        speaker=fields.text("speaker").strip() or (made if layout.each_own else layout.speaker),
        language=fields.text("language") or layout.language,
        split=fields.split() or line.split,
        start=start,
        end=end,
        seconds=seconds or None,
        reference=files["reference"],
        codes=codes,
        cut=row.get(layout.key("cut", row)) is True,
        facts={"licence": layout.licence} if layout.licence else {},
    )
    return (None if fields.problems else utterance), fields.problems


def stable_id(audio: str, start: float | None, end: float | None, text: str, codes: Any = None) -> str:
    """An id that follows from the recording's path as written and its part; from text and codes without a
    recording."""
    what = [audio, start, end] if audio else ["text", text, codes]
    stem = Path(audio.replace("\\", "/")).stem if audio else "codes"
    return f"{stem}-{hashlib.sha256(json.dumps(what).encode()).hexdigest()[:10]}"
