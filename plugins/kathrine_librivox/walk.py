"""Which recordings are taken: in order, until their usable speech is enough. Durations are measured as they arrive."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from pathlib import Path

from kathrine import SourceContext
from kathrine.datafiles import DataFiles, write_atomically
from kathrine_librivox.table import Segment

FILTER_LOSS = 1.15
"""Fetched hours over wanted hours: what the gates of prepare are expected to leave out."""
BATCH = 32
"""Recordings fetched at once, at most."""
GUESS_SECONDS = 8.0
"""Length of a recording before the first one is known."""


def wanted_segments(segments: Sequence[Segment], speakers: Sequence[str]) -> list[Segment]:
    """Those read by someone whose name contains one of `speakers`; all when it is empty."""
    parts = [part.casefold() for part in speakers]
    return [
        segment
        for segment in segments
        if not parts or any(part in f"{segment.speaker_name} {segment.speaker}".casefold() for part in parts)
    ]


class Durations:
    """Seconds by recording, kept in a JSON file; None for a recording that can not be read.

    Args:
        files: the corpus; a recording that changes there is measured again.
    """

    def __init__(self, files: DataFiles) -> None:
        self.files = files
        self.path = files.folder / "durations.json"
        self.known: dict[str, float | None] = json.loads(self.path.read_text("utf-8")) if self.path.is_file() else {}
        self.saved = len(self.known)

    def knows(self, name: str) -> bool:
        return self._key(name) in self.known

    def get(self, name: str) -> float | None:
        return self.known.get(self._key(name))

    def measure(self, name: str, path: Path) -> None:
        import soundfile

        if not self.knows(name):
            try:
                self.known[self._key(name)] = soundfile.info(path).duration
            except soundfile.SoundFileError:
                self.known[self._key(name)] = None

    def save(self) -> None:
        if len(self.known) > self.saved:
            write_atomically(self.path, json.dumps(self.known, indent=0, ensure_ascii=False).encode())
            self.saved = len(self.known)

    def _key(self, name: str) -> str:
        return f"{name}@{self.files.stamp(name)}"


def walk(
    files: DataFiles,
    segments: Sequence[Segment],
    durations: Durations,
    context: SourceContext,
    advance: Callable[..., None] | None,
) -> list[Segment]:
    """Segments in order until their usable speech reaches max_hours x 1.15, fetching what is not here yet.

    The same files give the same answer, so that `utterances` sees what `prepare` fetched. A recording that
    can not be read is kept: prepare rejects it by name. Speech of a reader beyond the cap is kept and not
    counted.
    """
    budget = float("inf") if context.max_hours is None else context.max_hours * 3600 * FILTER_LOSS
    cap = float("inf") if context.speaker_cap_minutes is None else context.speaker_cap_minutes * 60 * FILTER_LOSS
    queue = deque(segment for segment in segments if files.size(segment.file) is not None)
    taken: list[Segment] = []
    spoken: dict[str, float] = {}
    usable = 0.0
    with ThreadPoolExecutor(max_workers=8) as pool:
        while queue and usable < budget:
            batch = next_batch(queue, budget - usable, durations)
            paths = list(pool.map(lambda segment: files.fetch(segment.file), batch))
            for segment, path in zip(batch, paths, strict=True):
                durations.measure(segment.file, path)
                if usable >= budget:
                    continue
                taken.append(segment)
                if advance is not None:
                    advance(1)
                seconds = durations.get(segment.file) or 0.0
                heard = spoken.get(segment.speaker, 0.0)
                if context.min_seconds <= seconds <= context.max_seconds and heard < cap:
                    spoken[segment.speaker] = heard + seconds
                    usable += seconds
            durations.save()
    return taken


def next_batch(queue: deque[Segment], missing: float, durations: Durations) -> list[Segment]:
    """The next segments to fetch at once: one that is here already by itself, so that a second walk never
    fetches more than the first did, else about as many as the `missing` seconds need."""
    batch = [queue.popleft()]
    if durations.knows(batch[0].file):
        return batch
    known = [seconds for seconds in durations.known.values() if seconds]
    mean = sum(known) / len(known) if known else GUESS_SECONDS
    count = BATCH if missing == float("inf") else min(BATCH, ceil(missing / mean))
    while queue and len(batch) < count and not durations.knows(queue[0].file):
        batch.append(queue.popleft())
    return batch
