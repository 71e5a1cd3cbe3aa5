"""Layout `days`: the day files of the Hub repository, JSON Lines and a tar.gz of clips for each meeting day."""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from gzip import BadGzipFile
from pathlib import Path
from typing import ClassVar

from kathrine import KathrineError
from kathrine.components import Progress
from kathrine_npsc.clips import archive_members, read_index, write_clips
from kathrine_npsc.layouts import Layout
from kathrine_npsc.metadata import Days, Sentence, read_day

DAY_FILE = re.compile(r"data/(train|eval|test)/(\d{8})\.json")
DAMAGE = (tarfile.TarError, EOFError, zlib.error, BadGzipFile)


class DayFiles(Layout):
    """The day files. A sentence's place is the archive of its day."""

    name: ClassVar[str] = "days"
    described: ClassVar[str] = "day files"
    looks_for: ClassVar[str] = "data/train/yyyymmdd.json"

    @classmethod
    def lies_in(cls, names: Iterable[str]) -> bool:
        return any(map(DAY_FILE.fullmatch, names))

    def read(self, progress: Progress) -> Days:
        names = self._day_files(progress)
        days: Days = {}
        problems: list[str] = []
        with progress.task(f"{self.label}: transcripts of {len(names)} days", len(names)) as advance:
            for (folder, day), name in names.items():
                path, place = self.files.fetch(name), self._archive(folder, day)
                days[folder, day], wrong = read_day(path, name, folder, day, self.options.fields, place)
                problems += wrong
                advance(1)
        self.tell_problems(problems, "the day files", progress)
        return days

    def fetch(self, sentences: Sequence[Sentence], progress: Progress) -> None:
        archives = list(dict.fromkeys(sentence.place for sentence in sentences))
        total = sum(self.files.size(archive) or 0 for archive in archives) / 1e6
        with progress.task(f"{self.label}: {len(archives)} meeting days (MB)", total) as advance:
            for archive in archives:
                told = 0.0

                def count(amount: float) -> None:
                    nonlocal told
                    told += amount / 1e6
                    advance(amount / 1e6)

                self._unpack(archive, progress, count)
                advance(max(0.0, (self.files.size(archive) or 0) / 1e6 - told))

    def where(self, place: str) -> tuple[Path, str]:
        folder, day = place.split("/")[1:]
        return self.files.folder / self.options.rate / folder / day[:8], self.files.stamp(place)

    def _archive(self, folder: str, day: str) -> str:
        return f"data/{folder}/{day}_{self.options.rate}_mp3.tar.gz"

    def _day_files(self, progress: Progress) -> dict[tuple[str, str], str]:
        """(folder, day) -> name of its transcripts, for the splits and days wanted that also have an
        archive."""
        present = set(self.files.names())
        known = {(match[1], match[2]): match[0] for match in map(DAY_FILE.fullmatch, sorted(present)) if match}
        wanted = {key: known[key] for key in self.wanted_days(known)}
        without = {key for key in wanted if self._archive(*key) not in present}
        if without:
            days = ", ".join(sorted(day for _, day in without))
            progress.warn(f"{self.label}: no {self.options.rate} archive for {days}: left out")
        kept = {key: name for key, name in wanted.items() if key not in without}
        if not kept:
            raise KathrineError(
                f"{self.label}: {self.files.label} has no {self.options.rate} archives",
                "set another config, or complete the folder",
            )
        return kept

    def _unpack(self, archive: str, progress: Progress, count: Callable[[float], None]) -> None:
        """Fetch and unpack a day where that was not done before.

        A damaged archive of the Hub is fetched once more; one that stays damaged is refused by name.
        """
        folder, stamp = self.where(archive)
        if read_index(folder, stamp) is not None:
            return
        path: Path | None = self.files.fetch(archive, count)
        for again in (False, True):
            if again:
                progress.warn(f"{self.label}: {archive} is damaged and is fetched again")
                path = self.files.fetch_again(archive)
            if path is None:
                break
            try:
                write_clips(archive_members(path, archive), archive, folder, stamp, progress.warn)
                return
            except DAMAGE as problem:
                reason = problem
        raise KathrineError(
            f"{self.label}: {archive} of {self.files.label} is damaged ({reason})",
            "get the file again; everything that is unpacked already is kept",
        ) from reason
