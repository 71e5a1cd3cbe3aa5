"""Tables without a header whose columns are divided by `|`: LJSpeech's and Piper's.

LJSpeech: `id|text` or `id|text|normalised text`, recordings in `wavs/`. Piper: `file|text` or `file|speaker|text`,
with or without the file's ending, recordings in `wavs/`, `wav/` or beside the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import PurePosixPath

from kathrine_manifest.corpus import AUDIO_SUFFIXES, PEEKED, Corpus, folder_of, is_audio
from kathrine_manifest.rows import Line

SUFFIXES = (".csv", ".txt")
LIST = re.compile(r"(metadata|transcripts?|filelist|train|validation|val|dev|eval|test)[^/]*\.txt$", re.IGNORECASE)
"""Names of `.txt` files that may be tables: where every recording has a text file, not all of them are opened."""
ENOUGH_ROWS = 20
FOLDERS = ("wavs", "wav", "")
ENDINGS = tuple(dict.fromkeys(ending for suffix in AUDIO_SUFFIXES for ending in (suffix, suffix.upper())))


def tables(corpus: Corpus) -> list[str]:
    """Files with two or three columns divided by bars in most of their first rows."""
    named = bool(corpus.patterns or corpus.single)
    found = [name for name in corpus.tables(*SUFFIXES) if named or name.lower().endswith(".csv") or LIST.search(name)]
    return [name for name in found if named or widths(corpus, name)]


def first_rows(corpus: Corpus, name: str) -> list[list[str]]:
    """The columns of the first rows."""
    rows = (text.split("|") for _, text, _ in islice(corpus.lines(name), PEEKED))
    return [[column.strip() for column in row] for row in rows]


def widths(corpus: Corpus, name: str) -> int:
    """How many columns a table has, by most of its first rows: 2, 3, or 0 for something else."""
    if corpus.files.size(name) == 0:
        return 0
    rows = first_rows(corpus, name)
    for width in (2, 3):
        if rows and sum(len(row) == width for row in rows) * 2 > len(rows):
            return width
    return 0


def placer(corpus: Corpus, base: str) -> Callable[[str], str]:
    """A function from a recording's name in the first column to its path beside the table; the name itself where there
    is no such file. The place where one was found is tried first for the next."""
    tried = [(folder, ending) for folder in FOLDERS for ending in ENDINGS]

    def place(name: str) -> str:
        endings = [("", "")] if is_audio(name) else []
        for option in [(folder, "") for folder in FOLDERS] if endings else list(tried):
            folder, ending = option
            path = PurePosixPath(folder, f"{name}{ending}").as_posix()
            if ".." in PurePosixPath(path).parts or PurePosixPath(name).is_absolute():
                return name
            if corpus.has(PurePosixPath(base, path).as_posix()):
                if not endings:
                    tried.remove(option)
                    tried.insert(0, option)
                return path
        return name if endings else PurePosixPath(FOLDERS[0], f"{name}.wav").as_posix()

    return place


def middle_column(rows: list[list[str]]) -> str:
    """What the middle of three columns is: `speaker`, `text`, or an empty string where it may be either.

    A speaker has few words and comes again; a text has many, or differs from row to row in a table of some length.
    """
    rows = [row for row in rows if len(row) == 3]
    middle = [row[1] for row in rows]
    if all(not row[2] for row in rows):
        return "text"
    few_words = all(len(text.split()) <= 3 for text in middle)
    repeated = len(set(middle)) * 2 <= len(middle)
    if few_words and repeated:
        return "speaker"
    return "text" if not few_words or len(middle) >= ENOUGH_ROWS else ""


def _describe(corpus: Corpus, wanted: str) -> str | None:
    for name in tables(corpus):
        width = widths(corpus, name)
        if not width:
            continue
        rows, base = first_rows(corpus, name), folder_of(name)
        place = placer(corpus, base)
        found = [path for row in rows if row[0] and corpus.has(PurePosixPath(base, path := place(row[0])).as_posix())]
        if not found:
            continue
        kinds = {"piper"} if any(is_audio(row[0]) for row in rows) else {"ljspeech"}
        if width == 3:
            kinds = {"speaker": {"piper"}, "text": {"ljspeech"}, "": {"ljspeech", "piper"}}[middle_column(rows)]
        if wanted in kinds:
            folder = folder_of(found[0])
            return f"{name} with {width} columns and " + (f"{folder}/" if folder else "recordings beside it")
    return None


def recognise_ljspeech(corpus: Corpus) -> str | None:
    """A table with bars whose first column names files of `wavs/`, and whose others are texts."""
    return _describe(corpus, "ljspeech")


def recognise_piper(corpus: Corpus) -> str | None:
    """A table with bars whose first column names files with their ending, or whose middle column names speakers."""
    return _describe(corpus, "piper")


def _read(corpus: Corpus, columns: dict[int, tuple[str, ...]]) -> Iterator[Line]:
    wanted = " or ".join("|".join(names) for names in columns.values())
    for name, split in corpus.by_split(tables(corpus)):
        base = folder_of(name)
        place = placer(corpus, base)
        for number, text, problem in corpus.lines(name):
            at = f"{name}:{number}"
            values = [value.strip() for value in text.split("|")]
            if not problem and len(values) not in columns:
                problem = f"{len(values)} columns instead of {wanted}"
            elif not problem and not values[0]:
                problem = f"nothing in the column {columns[len(values)][0]}"
            if problem:
                yield Line(at, None, problem, base, split)
                continue
            row = dict(zip(columns[len(values)], values, strict=True))
            first = row.pop(columns[len(values)][0])
            identity = PurePosixPath(first).with_suffix("") if is_audio(first) else first
            yield Line(
                at, {"id": "_".join(PurePosixPath(identity).parts), "audio": place(first), **row}, "", base, split
            )


def read_ljspeech(corpus: Corpus) -> Iterator[Line]:
    """Rows with `text`, and with `normalised` where there is a third column."""
    for line in _read(corpus, {2: ("id", "text"), 3: ("id", "text", "normalised")}):
        if line.row is not None and not line.row.get("normalised", " "):
            del line.row["normalised"]
        yield line


def read_piper(corpus: Corpus) -> Iterator[Line]:
    """Rows with `text`, and with `speaker` where there are three columns."""
    yield from _read(corpus, {2: ("file", "text"), 3: ("file", "speaker", "text")})
