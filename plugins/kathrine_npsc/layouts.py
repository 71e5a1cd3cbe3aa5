"""What the layouts of the corpus have in common: sentences first, then the clips of those that are wanted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from kathrine import KathrineError
from kathrine.components import Progress
from kathrine.datafiles import DataFiles
from kathrine_npsc.clips import Clip, clip_finder, read_index
from kathrine_npsc.metadata import SPLITS, Days, Sentence

if TYPE_CHECKING:
    from kathrine_npsc.options import NpscOptions

MOST_SHOWN = 5


class Quiet:
    """A Progress that says nothing: the second reading of what was read loudly before."""

    def task(self, description: str, total: float | None = None) -> AbstractContextManager[Callable[..., None]]:
        return nullcontext(lambda amount=1, description=None: None)

    def say(self, message: str) -> None:
        pass

    def warn(self, message: str) -> None:
        pass


class Layout(ABC):
    """One way in which the corpus lies at a place.

    Args:
        files: the place. options: of the source. label: the source's name in messages.

    `unreadable` counts rows with mistakes that `read` left out.
    """

    name: ClassVar[str]
    described: ClassVar[str]
    """As messages name it."""
    looks_for: ClassVar[str]
    """The files by which it is known, for the message when they are not there."""

    def __init__(self, files: DataFiles, options: NpscOptions, label: str) -> None:
        self.files = files
        self.options = options
        self.label = label
        self.unreadable = 0
        self._found: dict[str, tuple[Path, dict[str, Any], Callable[[str, int, int], str | None]] | None] = {}

    @classmethod
    @abstractmethod
    def lies_in(cls, names: Iterable[str]) -> bool:
        """Whether files of these names are laid out this way."""

    @abstractmethod
    def read(self, progress: Progress) -> Days:
        """All sentences of the wanted splits and days; no audio is fetched. Raises: KathrineError where there are
        none."""

    @abstractmethod
    def fetch(self, sentences: Sequence[Sentence], progress: Progress) -> None:
        """Bring the clips of sentences onto this machine. What is complete is not fetched again."""

    @abstractmethod
    def where(self, place: str) -> tuple[Path, str]:
        """The folder that the clips of a place are kept in, and the stamp of what they are made from."""

    def clip(self, sentence: Sentence) -> Clip | None:
        """A sentence's clip, or None where its place has none. Raises: KathrineError for a place not fetched."""
        place = sentence.place
        if place not in self._found:
            folder, stamp = self.where(place)
            index = read_index(folder, stamp)
            self._found[place] = None if index is None else (folder, index, clip_finder(index))
        found = self._found[place]
        if found is None:
            raise KathrineError(
                f"{self.label}: {place} is not unpacked", "run `kathrine prepare` for this recipe again"
            )
        folder, index, find = found
        stem = find(sentence.stem, sentence.start, sentence.end)
        if stem is None:
            return None
        entry = index["clips"][stem]
        return Clip(folder / entry["file"], stem, entry["sounding"], entry.get("rate"), index["stamp"])

    def wanted_days(self, known: Mapping[tuple[str, str], Any]) -> list[tuple[str, str]]:
        """The (folder, day) of the wanted splits and days. Raises: KathrineError for a day that is not there."""
        options = self.options
        there = [key for key in known if SPLITS[key[0]] in options.splits]
        unknown = sorted(set(options.days) - {day for _, day in there})
        if unknown:
            splits = ", ".join(options.splits)
            raise KathrineError(
                f"{self.label}: {self.files.label} has no meeting day {', '.join(unknown)} in {splits}",
                f"there are: {', '.join(sorted(day for _, day in there)) or 'none'}",
            )
        return [key for key in there if not options.days or key[1] in options.days]

    def tell_problems(self, problems: Sequence[str], what: str, progress: Progress) -> None:
        """Warn of rows that are left out, the first ones by name. what: the files, as in `rows of WHAT`."""
        self.unreadable += len(problems)
        if problems:
            shown = "".join(f"\n  {problem}" for problem in problems[:MOST_SHOWN])
            more = f"\n  and {len(problems) - MOST_SHOWN} more" if len(problems) > MOST_SHOWN else ""
            rows = f"1 row of {what} is" if len(problems) == 1 else f"{len(problems)} rows of {what} are"
            progress.warn(f"{self.label}: {rows} left out:{shown}{more}")
