"""A chapter: what segmentation made of one recording and its text, kept as JSON under what it depends on.

Waves: float32 [samples], mono.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.datafiles import write_atomically

if TYPE_CHECKING:
    import numpy as np

    from kathrine_librivox.catalogue.recordings import Recording

VERSION = 1
"""Raise it when segmentation changes its results: part of every key."""
CUTTING_RATE = 16000
"""Hz at which speech is found and aligned; the file itself is cut by prepare, at its own rate."""
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """An utterance of a chapter. start and end in seconds of the file; score as the aligner gives it; cut: its end
    is not in a pause."""

    start: float
    end: float
    text: str
    score: float
    cut: bool


@dataclass(frozen=True, slots=True)
class Chapter:
    """Pieces in order. dropped: count and seconds by reason. aligner: what found the places. consumed: characters of
    the text, from its beginning, that were read aloud up to the end of the recording."""

    pieces: tuple[Piece, ...]
    dropped: Mapping[str, tuple[int, float]]
    aligner: str
    consumed: int


class ChapterCache:
    """Chapters by recording, text, language and settings.

    Args:
        folder: one file a chapter. settings: everything else that a chapter depends on, in types that JSON knows, by
        its language and by whether it has no text. cut: makes a chapter from (wave, rate in Hz, text, language).
    """

    def __init__(
        self,
        folder: Path,
        settings: Callable[[str, bool], Any],
        cut: Callable[[np.ndarray, int, str | None, str], Chapter],
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.cut = cut

    def chapter(self, recording: Recording, text: str | None, language: str) -> Chapter:
        """The chapter, read or made now."""
        key = chapter_key(recording.md5, text, language, self.settings(language, text is None))
        path = self.folder / f"{key}.json"
        if path.is_file():
            return chapter_of(json.loads(path.read_text("utf-8")))
        wave_N, rate = read_wave(recording.path)
        chapter = self.cut(wave_N, rate, text, language)
        write_atomically(path, json.dumps(asdict(chapter), ensure_ascii=False).encode())
        return chapter


def chapter_key(md5: str, text: str | None, language: str, settings: Any) -> str:
    """Equal exactly when the chapters are. md5: of the recording."""
    parts = json.dumps([VERSION, md5, text, language, settings], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:40]


def chapter_of(kept: Mapping[str, Any]) -> Chapter:
    """A chapter from what was kept."""
    return Chapter(
        pieces=tuple(Piece(**piece) for piece in kept["pieces"]),
        dropped={reason: (int(count), float(seconds)) for reason, (count, seconds) in kept["dropped"].items()},
        aligner=kept["aligner"],
        consumed=kept["consumed"],
    )


def read_wave(path: Path) -> tuple[np.ndarray, int]:
    """A recording as mono at 16 kHz, or at its own rate where that is lower; resampled block by block, since an hour
    at its own rate would take 600 MB."""
    import numpy as np
    import soundfile
    import soxr

    with soundfile.SoundFile(path) as sound:
        rate = min(CUTTING_RATE, sound.samplerate)
        stream = soxr.ResampleStream(sound.samplerate, rate, 1, dtype="float32", quality="HQ")
        parts = []
        while len(block_NC := sound.read(BLOCK, dtype="float32", always_2d=True)):
            mono_N = np.ascontiguousarray(block_NC.mean(axis=1, dtype=np.float32))
            parts.append(mono_N if rate == sound.samplerate else stream.resample_chunk(mono_N))
        if rate != sound.samplerate:
            parts.append(stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True))
    return np.concatenate(parts), rate
