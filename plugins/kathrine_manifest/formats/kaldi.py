"""Kaldi's data folders: `wav.scp`, `text`, `utt2spk`, and `segments` where utterances are parts of recordings.

A recording that is made by a command (`sph2pipe ... |`) is refused: nothing that stands in a corpus is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from kathrine_manifest.corpus import Corpus, folder_of, plural
from kathrine_manifest.rows import Line


def folders(corpus: Corpus) -> list[str]:
    """Folders with `wav.scp` and `text`."""
    names = set(corpus.names)
    if corpus.single and PurePosixPath(corpus.single).name != "wav.scp":
        return []
    scripts = [name for name in corpus.tables("wav.scp") if PurePosixPath(name).name == "wav.scp"]
    beside = [(name, PurePosixPath(name).with_name("text").as_posix()) for name in scripts]
    return [name for name, text in beside if text in names or corpus.has(text)]


def recognise(corpus: Corpus) -> str | None:
    """A folder with `wav.scp` and `text`."""
    found = folders(corpus)
    if not found:
        return None
    told = found[0] if len(found) == 1 else f"{plural(len(found), 'folder')} such as that of {found[0]}"
    parts = corpus.has(PurePosixPath(found[0]).with_name("segments").as_posix())
    return f"{told} with text" + (" and segments" if parts else "")


def pairs(corpus: Corpus, name: str) -> Iterator[tuple[str, str, str, str]]:
    """Key, value, `file:line` and problem of each row of a file `KEY VALUE...`; nothing where it is not there."""
    if not corpus.has(name):
        return
    seen: set[str] = set()
    for number, text, problem in corpus.lines(name):
        key, _, value = text.strip().partition(" ") if " " in text.strip() else text.strip().partition("\t")
        if not problem and key in seen:
            problem = f"'{key}' stands in this file already"
        seen.add(key)
        yield key, value.strip(), f"{name}:{number}", problem


def read(corpus: Corpus) -> Iterator[Line]:
    """The utterances of `text`, in its order."""
    for name, split in corpus.by_split(folders(corpus)):
        for line in _folder(corpus, PurePosixPath(name)):
            yield Line(line.place, line.row, line.problem, folder_of(name), split)


def _folder(corpus: Corpus, script: PurePosixPath) -> Iterator[Line]:
    def file(name: str) -> str:
        return script.with_name(name).as_posix()

    recordings: dict[str, str] = {}
    bad: dict[str, str] = {}
    for key, value, place, problem in pairs(corpus, file("wav.scp")):
        problem = problem or problem_of(value)
        if problem:
            bad[key] = problem
            yield Line(place, None, problem)
        else:
            recordings[key] = value
    speakers: dict[str, str] = {}
    for key, value, place, problem in pairs(corpus, file("utt2spk")):
        if problem:
            yield Line(place, None, problem)
        else:
            speakers[key] = value
    parts: dict[str, tuple[str, str, str]] = {}
    cut = corpus.has(file("segments"))
    for key, value, place, problem in pairs(corpus, file("segments")):
        match = re.fullmatch(r"(\S+)\s+(\S+)\s+(\S+)", value)
        if problem or match is None:
            yield Line(place, None, problem or "a segment is: utterance, recording, start, end")
        else:
            parts[key] = (match[1], match[2], match[3])
    for key, value, place, problem in pairs(corpus, file("text")):
        recording, start, end = parts.get(key, ("", "", "")) if cut else (key, "", "")
        if not problem and cut and not recording:
            problem = f"'{key}' is not in segments"
        if not problem and recording in bad:
            continue  # told where it stands
        if not problem and recording not in recordings:
            problem = f"'{recording}' is not in wav.scp"
        if problem:
            yield Line(place, None, problem)
            continue
        row = {"id": key, "text": value, "audio": recordings[recording], "speaker": speakers.get(key, "")}
        # A negative end means the end of the recording.
        row |= {"start": start, "end": "" if end.startswith("-") else end} if cut else {}
        yield Line(place, row)


def problem_of(value: str) -> str:
    """Why a row of `wav.scp` is no file, or an empty string."""
    if not value:
        return "no path"
    if value.endswith("|") or value.startswith("|"):
        return "a command instead of a file: nothing is run here; write the recordings to files first"
    if re.search(r"\.(ark|scp):\d+$", value):
        return "a place in an archive of Kaldi's own: write the recordings to files first"
    return ""
