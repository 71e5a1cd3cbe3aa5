"""Recordings with a text file each: `a.wav` and `a.txt`, side by side or below folders such as `wav/` and `txt/`.

A folder around them that is not one of those names the speaker.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from kathrine_manifest.corpus import Corpus, folder_of, is_audio, split_of
from kathrine_manifest.rows import SPLITS, Line

TEXTS = (".txt", ".lab")
PLAIN = {"wav", "wavs", "wav48", "audio", "clips", "recordings", "txt", "text", "texts", "transcripts", "lab"}
"""Folders that say what lies in them, not who speaks."""
NOT_SPOKEN = ("readme", "license", "licence", "copying", "changelog")


def key_of(name: str) -> str:
    """What a recording and its text have in common: the path without ending and without plain folders."""
    path = PurePosixPath(name)
    folders = [folder for folder in path.parent.parts if folder.lower() not in PLAIN]
    return PurePosixPath(*folders, path.stem).as_posix()


def matched(corpus: Corpus) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Recordings and texts by their key."""
    sounds: dict[str, list[str]] = {}
    texts: dict[str, list[str]] = {}
    for name in corpus.names if not corpus.patterns else corpus.tables(""):
        if is_audio(name):
            sounds.setdefault(key_of(name), []).append(name)
    for name in corpus.names:
        if name.lower().endswith(TEXTS) and not PurePosixPath(name).stem.lower().startswith(NOT_SPOKEN):
            texts.setdefault(key_of(name), []).append(name)
    return sounds, texts


def recognise(corpus: Corpus) -> str | None:
    """At least half of the recordings have a text of the same name."""
    sounds, texts = matched(corpus)
    both = sounds.keys() & texts.keys()
    if not both or len(both) * 2 < len(sounds):
        return None
    first = min(both)
    return f"{len(both):,} of {len(sounds):,} recordings have a text, such as {sounds[first][0]} and {texts[first][0]}"


def read(corpus: Corpus) -> Iterator[Line]:
    """One row a recording; a recording without a text, and a text without a recording, is a problem of its own."""
    sounds, texts = matched(corpus)
    splits = {split_of(name) for names in sounds.values() for name in names}
    for key, names in sounds.items():
        for name in names:
            folders = [one for one in PurePosixPath(key).parent.parts if one.lower() not in SPLITS]
            split = split_of(folder_of(name)) if {"train", None} & splits else None
            if corpus.splits and split and split not in corpus.splits:
                continue
            row = {"id": key.replace("/", "_"), "audio": name, "speaker": folders[-1] if folders else ""}
            if len(names) > 1 or key not in texts:
                reason = f"{len(names)} recordings share one name" if len(names) > 1 else "no text of the same name"
                yield Line(f"{name}:1", None, reason)
                continue
            if len(texts[key]) > 1:
                yield Line(f"{texts[key][1]}:1", None, f"a second text for {name}, beside {texts[key][0]}")
                continue
            words, problem = [], ""
            for _, text, wrong in corpus.lines(texts[key][0]):
                problem = problem or wrong
                words.append(" ".join(text.split()))
            yield Line(f"{texts[key][0]}:1", row | {"text": " ".join(words)}, problem, "", split)
    folders_heard = {folder_of(key) for key in sounds.keys() & texts.keys()}
    for key, names in texts.items():
        if key not in sounds and folder_of(key) in folders_heard and not corpus.patterns:
            yield Line(f"{names[0]}:1", None, "no recording of the same name")
