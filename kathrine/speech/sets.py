"""Sets of sentences to measure on: lines `clip|text`, numbered, and held out of training.

The format is that of the MiniMax multilingual set: the clip is the recording whose voice is asked for. Where it is
empty, the sentence is spoken in every prompt voice.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from kathrine.errors import KathrineError
from kathrine.suggest import listing

SUFFIXES = ("", ".wav", ".flac", ".mp3", ".ogg", ".m4a")
BUNDLED = ("english", "german")
"""Base languages whose sentences ship with kathrine, ten each: enough to see that a language was forgotten."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One of a set. number: its place, from 1. clip: recording whose voice is asked for, or None for the prompts'."""

    number: int
    text: str
    clip: Path | None = None


@dataclass(frozen=True, slots=True)
class SentenceSet:
    """name: as it is told. left_out: numbers of sentences that training had."""

    name: str
    sentences: tuple[Sentence, ...]
    left_out: tuple[int, ...] = ()

    def digest(self) -> str:
        """The same exactly for the same sentences in the same order."""
        texts = "\n".join(f"{one.number}|{one.text}" for one in self.sentences)
        return hashlib.sha256(texts.encode()).hexdigest()[:16]


def text_key(text: str) -> str:
    """A hash that is the same for texts that differ in case, punctuation and spaces only."""
    folded = unicodedata.normalize("NFC", text).casefold()
    return hashlib.sha256("".join(filter(str.isalnum, folded)).encode()).hexdigest()[:24]


def set_of(name: str, texts: Sequence[str]) -> SentenceSet:
    """A set of texts without clips."""
    return SentenceSet(name, tuple(Sentence(number, text) for number, text in enumerate(texts, start=1)))


def read_set(path: Path) -> SentenceSet:
    """A file of lines `clip|text`; empty lines are skipped.

    Given: clips, relative to the file, with or without ending, or nothing before the bar. Raises: KathrineError that
    names every line that is wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KathrineError(f"{path} can not be read: {error}", "give a text file in UTF-8") from error
    sentences: list[Sentence] = []
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        clip, bar, text = line.partition("|")
        if not bar or not text.strip():
            problems.append(f"{path}:{number}: expected `clip|text`, found {line.strip()[:60]!r}")
            continue
        found = clip_of(path.parent, clip.strip()) if clip.strip() else None
        if clip.strip() and found is None:
            problems.append(f"{path}:{number}: there is no recording {clip.strip()}")
        sentences.append(Sentence(len(sentences) + 1, text.strip(), found))
    if not sentences and not problems:
        problems.append(f"{path} holds no sentences")
    if problems:
        raise KathrineError("\n  ".join(problems), "a line is `clip|text`; the clip may be empty: `|text`")
    return SentenceSet(path.name, tuple(sentences))


def clip_of(folder: Path, name: str) -> Path | None:
    """The recording of that name in a folder, its ending given or not."""
    return next((path for ending in SUFFIXES if (path := folder / f"{name}{ending}").is_file()), None)


def bundled_set(language: str) -> SentenceSet:
    """The sentences of a base language that ship with kathrine. Raises: KathrineError for another language."""
    if language not in BUNDLED:
        raise KathrineError(f"there are no sentences of '{language}' here", f"there are of {listing(BUNDLED)}")
    text = (files("kathrine.speech") / "sentence_sets" / f"{language}.txt").read_text(encoding="utf-8")
    return set_of(f"kathrine {language}", [line.partition("|")[2] for line in text.splitlines()])


def held_out(found: SentenceSet, trained: Collection[str]) -> SentenceSet:
    """The set without sentences whose key training had; they are counted, never silently kept."""
    overlap = [one for one in found.sentences if text_key(one.text) in trained]
    left = tuple(one for one in found.sentences if one not in overlap)
    return SentenceSet(found.name, left, tuple(one.number for one in overlap))


def limited(found: SentenceSet, most: int) -> SentenceSet:
    """At most so many sentences, spread evenly over the set, so that a few are as varied as all of it."""
    count = len(found.sentences)
    if not most or most >= count:
        return found
    chosen = tuple(found.sentences[place * count // most] for place in range(most))
    return SentenceSet(found.name, chosen, found.left_out)


def human_takes(folder: Path, found: SentenceSet) -> dict[int, Path]:
    """Human recordings of a set's sentences, by number.

    Given: a folder with a file `sentences.txt` of lines `clip|text`, matched by text, or recordings named by number
    (`001.wav`). Raises: KathrineError where none belongs to the set.
    """
    if not folder.is_dir():
        raise KathrineError(f"{folder} is no folder", "name a folder with recordings of the same sentences")
    listed = folder / "sentences.txt"
    if listed.is_file():
        clips = {text_key(one.text): one.clip for one in read_set(listed).sentences if one.clip}
        takes = {one.number: clips[key] for one in found.sentences if (key := text_key(one.text)) in clips}
    else:
        numbered = {one.number: clip_of(folder, f"{one.number:03d}") for one in found.sentences}
        takes = {number: path for number, path in numbered.items() if path is not None}
    if not takes:
        raise KathrineError(
            f"{folder} holds no recording of a sentence of the set {found.name}",
            "name them by the sentence's number (001.wav), or list them in sentences.txt as `clip|text`",
        )
    return takes
