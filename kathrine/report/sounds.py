"""Sounds of a page: mp3 in the page itself as long as there is room, then links to the files beside it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from kathrine.corpus.page_parts import escape

ROOM = 17_000_000
"""Characters of sound in one page: with pictures and text it stays below 25 MB."""


class Sounds:
    """Gives players. What was encoded once is kept, so that a page that is written again and again costs only what is
    new. Whoever asks first gets the room, and the first that does not fit closes it: ask for what matters
    most first."""

    def __init__(self, folder: Path, room: int = ROOM) -> None:
        """folder: where the page lies; links are relative to it."""
        self.folder, self.room = folder, room
        self._kept: dict[Path, tuple[tuple[int, int], str]] = {}
        self._used: set[Path] = set()
        self._left, self._full = room, False

    def begin(self) -> None:
        """A new page: all room is free again, and what the last page did not use is forgotten."""
        self._kept = {path: found for path, found in self._kept.items() if path in self._used}
        self._used = set()
        self._left, self._full = self.room, False

    def player(self, path: Path) -> str:
        """An audio element, a link where there is no room left, or a sentence where the file can not be played."""
        try:
            status = path.stat()
        except OSError:
            return '<p class="hint">no sound file</p>'
        if self._full:  # encoding what is not used would take longer with every checkpoint
            return self._link(path)
        mark = (status.st_mtime_ns, status.st_size)
        kept = self._kept.get(path)
        if kept is None or kept[0] != mark:
            try:
                kept = (mark, mp3_of(path))
            except (OSError, RuntimeError) as error:  # soundfile's own error is a RuntimeError
                return f'<p class="hint">not playable: {escape(str(error).splitlines()[0][:120])}</p>'
            self._kept[path] = kept
        self._used.add(path)
        if len(kept[1]) > self._left:
            self._full = True
            return self._link(path)
        self._left -= len(kept[1])
        if not kept[1]:
            return '<p class="hint">an empty sound</p>'
        return f'<audio controls preload="metadata" src="{kept[1]}"></audio>'

    def _link(self, path: Path) -> str:
        place = os.path.relpath(path, self.folder).replace(os.sep, "/")
        return f'<p><a href="{escape(quote(place))}">{escape(path.name)}</a> <small>beside this page</small></p>'


def mp3_of(path: Path) -> str:
    """A sound file as mp3 in a data URI; empty where it holds nothing. Raises: what soundfile raises."""
    import numpy as np
    import soundfile

    from kathrine.corpus.excerpts import RATE, mp3_uri

    wave_NC, rate = soundfile.read(path, dtype="float32", always_2d=True)
    wave_N = wave_NC.mean(axis=1)
    if rate != RATE:
        import soxr

        wave_N = soxr.resample(wave_N, rate, RATE, quality="HQ").astype(np.float32)
    return mp3_uri(wave_N) if len(wave_N) else ""
