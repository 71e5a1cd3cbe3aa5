"""Layout `release`: Språkbanken's own release, a folder for each session with JSON files and wav clips (48 kHz).

    NPSC_1_1/20170110/20170110_sentence_data.json, 20170110_token_data.json, audio/20170110-095504_320246_323590.wav
    NPSC_1_1/project_files/NPSC_speaker_data.json

Clips are used where they lie. What was heard at their ends is kept in an index for each session.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

from kathrine import KathrineError
from kathrine.components import Progress
from kathrine.datafiles import DataFiles, inside, safe_name, write_atomically
from kathrine_npsc.clips import Clip
from kathrine_npsc.layouts import Layout
from kathrine_npsc.metadata import FOLDERS, SPLITS, Days, Sentence, as_spoken, refuse_second, sentence_of
from kathrine_npsc.sound import heard

if TYPE_CHECKING:
    from kathrine_npsc.options import NpscOptions

SESSION = re.compile(r"(?P<folder>(?:.+/)?(?P<session>\d{8}[\w-]*))/(?P=session)_sentence_data\.json")
NORMALISED, STANDARD = "normsentence_text", "standardized_text"
KEEP_EVERY = 200
"""Clips listened to before the index of a session is written: what a killed run has to hear again."""


class Release(Layout):
    """The release. A sentence's place is its wav file."""

    name: ClassVar[str] = "release"
    described: ClassVar[str] = "session folders of Språkbanken's release"
    looks_for: ClassVar[str] = "20170110/20170110_sentence_data.json"

    @classmethod
    def lies_in(cls, names: Iterable[str]) -> bool:
        return any(map(SESSION.fullmatch, names))

    def __init__(self, files: DataFiles, options: NpscOptions, label: str) -> None:
        super().__init__(files, options, label)
        self.names = files.names()
        self._heard: dict[Path, dict[str, dict[str, Any]]] = {}
        self._unsaved: dict[Path, int] = {}

    def read(self, progress: Progress) -> Days:
        sessions = [match for match in map(SESSION.fullmatch, self.names) if match]
        beside: dict[str, list[str]] = {match["folder"]: [] for match in sessions}
        for name in self.names:
            folder, _, file = name.rpartition("/")
            if folder in beside and file.endswith(".json"):
                beside[folder].append(name)
        days: Days = {}
        problems: list[str] = []
        with progress.task(f"{self.label}: transcripts of {len(sessions)} sessions", len(sessions)) as advance:
            for match in sessions:
                folder, sentences, wrong = self._session(match["folder"], match["session"], beside[match["folder"]])
                problems += wrong
                if folder:
                    days.setdefault((folder, match["session"][:8]), []).extend(sentences)
                advance(1)
        self.tell_problems(problems, "the session files", progress)
        return {key: as_spoken(days[key]) for key in sorted(self.wanted_days(days))}

    def fetch(self, sentences: Sequence[Sentence], progress: Progress) -> None:
        present = set(self.names)
        wanted = [sentence.place for sentence in sentences if sentence.place in present]
        with progress.task(f"{self.label}: listening to the ends of {len(wanted)} clips", len(wanted)) as advance:
            for place in wanted:
                self._hear(place)
                advance(1)
            for path in list(self._unsaved):
                self._save(path)

    def where(self, place: str) -> tuple[Path, str]:
        session = str(PurePosixPath(place).parent.parent)
        return self.files.folder / "release" / f"{safe_name(session)}.json", self.files.stamp(place)

    def clip(self, sentence: Sentence) -> Clip | None:
        place = sentence.place
        if self.files.size(place) is None:
            return None
        path, stamp = self.where(place)
        found = self._index(path).get(place)
        if found is None or found["stamp"] != stamp:
            raise KathrineError(
                f"{self.label}: {place} is new since the last prepare", "run `kathrine prepare` for this recipe again"
            )
        return Clip(self.files.fetch(place), sentence.stem, found["sounding"], found["rate"], stamp)

    def _hear(self, place: str) -> None:
        """Listen to the end of a clip where that was not done before."""
        path, stamp = self.where(place)
        index = self._index(path)
        if place in index and index[place]["stamp"] == stamp:
            return
        index[place] = {"stamp": stamp, **heard(self.files.fetch(place))}
        self._unsaved[path] = self._unsaved.get(path, 0) + 1
        if self._unsaved[path] >= KEEP_EVERY:
            self._save(path)

    def _index(self, path: Path) -> dict[str, dict[str, Any]]:
        """What was heard of a session's clips."""
        if path not in self._heard:
            self._heard[path] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return self._heard[path]

    def _save(self, path: Path) -> None:
        write_atomically(path, json.dumps(self._heard[path], ensure_ascii=False).encode())
        del self._unsaved[path]

    def _session(self, folder: str, session: str, beside: Sequence[str]) -> tuple[str, list[Sentence], list[str]]:
        """Folder of the split, sentences, and problems of one session. beside: the JSON files of its folder."""
        name = f"{folder}/{session}_sentence_data.json"
        try:
            content = read_json(self.files.fetch(name))
        except ValueError as problem:
            return "", [], [f"{name}: {problem}"]
        split = FOLDERS.get(str(content.get("data_split") or "").lower(), "")
        if not split:
            return "", [], [f"{name}: data_split '{content.get('data_split')}' is none of {', '.join(FOLDERS)}"]
        if SPLITS[split] not in self.options.splits:
            return split, [], []
        more, problems = self._more_texts(session, beside)
        sentences: list[Sentence] = []
        seen: set[str] = set()
        for number, row in enumerate(rows_of(content), start=1):
            for column, texts in more.items():
                if row.get("sentence_id") in texts:
                    row.setdefault(column, texts[row["sentence_id"]])
            try:
                fields = present_fields(row, self.options.fields)
                sentence = sentence_of(row, split, session[:8], fields, audio_of(row, folder))
                refuse_second(sentence, seen)
            except (ValueError, TypeError) as problem:
                problems.append(f"{name}: sentence {number}: {problem}")
                continue
            sentences.append(sentence)
        return split, sentences, problems

    def _more_texts(self, session: str, beside: Sequence[str]) -> tuple[dict[str, dict[Any, str]], list[str]]:
        """Texts by sentence_id that stand in other files of the session, by column, for the columns that are wanted;
        and what is wrong with those files."""
        texts: dict[str, dict[Any, str]] = {}
        problems: list[str] = []
        for name in beside:
            kind = PurePosixPath(name).stem.removeprefix(session)
            column = NORMALISED if "norm" in kind else STANDARD if kind == "_token_data" else ""
            if column in self.options.fields.values():
                try:
                    texts[column] = texts_of(read_json(self.files.fetch(name)), column)
                except ValueError as problem:
                    problems.append(f"{name}: {problem}")
        return texts, problems


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises: ValueError for anything else."""
    content = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(content, dict):
        raise ValueError("the file is no JSON object")
    return content


def rows_of(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sentences of a session file. Raises: ValueError where there is no list of them."""
    rows = content.get("sentences")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("no list 'sentences' of JSON objects")
    return rows


def present_fields(row: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, str]:
    """Variants that a row has: of the release not every session has each of them. `text` is always asked for."""
    return {name: column for name, column in fields.items() if name == "text" or isinstance(row.get(column), str)}


def audio_of(row: Mapping[str, Any], folder: str) -> str:
    """The file of a row's clip. Raises: ValueError for a row without one, or with one that lies elsewhere."""
    name = row.get("audio_file")
    if not isinstance(name, str) or not name:
        raise ValueError("no text in column 'audio_file'")
    if not inside(name):
        raise ValueError(f"audio_file '{name}' points outside of the session")
    return f"{folder}/audio/{name.removeprefix('audio/')}"


def texts_of(content: Mapping[str, Any], column: str) -> dict[Any, str]:
    """Texts by sentence_id from a file of sentences, or from one of tokens, put together in their order.

    Given: column, `standardized_text` takes a token's standard form where it has one. Raises: ValueError where there
    is no list of sentences.
    """
    texts = {}
    for row in rows_of(content):
        tokens = row.get("tokens")
        if isinstance(tokens, list):
            ordered = sorted(tokens, key=lambda token: token.get("token_order") or 0)
            forms = [
                (column == STANDARD and token.get("standardized_form")) or token.get("token_text") for token in ordered
            ]
            texts[row.get("sentence_id")] = " ".join(form for form in forms if isinstance(form, str) and form)
        else:
            text = row.get(column, row.get("sentence_text"))
            if isinstance(text, str):
                texts[row.get("sentence_id")] = text
    return texts
