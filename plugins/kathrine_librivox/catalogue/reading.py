"""A book read from beginning to end: recordings, texts and segments of its sections, in order.

A section can only be cut when it is known where in the book its text begins. So sections of one run (see
`portions`) are taken in order, and those of other readers too where one that is wanted comes after them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kathrine.datafiles import safe_name
from kathrine_librivox.catalogue.archive import ArchiveFile, Item, recordings_of
from kathrine_librivox.catalogue.books import Book, Reader, Section
from kathrine_librivox.catalogue.portions import Run, share_out
from kathrine_librivox.catalogue.recordings import Recording, SectionRejected, fetch_recording
from kathrine_librivox.catalogue.web import Web
from kathrine_librivox.chapters import Chapter


@dataclass(slots=True)
class Tally:
    """What was left out. sections: one line each, by reason. segments: [count, seconds] by reason."""

    sections: dict[str, list[str]] = field(default_factory=dict)
    segments: dict[str, list[float]] = field(default_factory=dict)

    def reject(self, section: Section, problem: SectionRejected) -> None:
        line = f"section {section.number}" + (f": {problem.detail}" if problem.detail else "")
        self.sections.setdefault(problem.reason, []).append(line)

    def add(self, chapter: Chapter) -> None:
        for reason, (count, seconds) in chapter.dropped.items():
            told = self.segments.setdefault(reason, [0, 0.0])
            told[0] += count
            told[1] += seconds

    def counts(self) -> dict[str, int]:
        """How many by reason; a reason says whether sections or passages of one are meant."""
        sections = {f"section: {reason}": len(lines) for reason, lines in self.sections.items()}
        return sections | {f"passage: {reason}": int(count) for reason, (count, _) in self.segments.items()}


@dataclass(frozen=True, slots=True)
class Desk:
    """What a book is read with.

    archive_url: base of archive.org. folder: keeps recordings, one folder an item. cut: recording, text and language
    to a chapter. warn: told of what the user should act on. advance: told of sections, and of what is being done.
    retry: fetch recordings again that were found bad before.
    """

    web: Web
    archive_url: str
    folder: Path
    cut: Callable[[Recording, str | None, str], Chapter]
    warn: Callable[[str], Any]
    advance: Callable[..., Any]
    retry: bool = False


@dataclass(frozen=True, slots=True)
class ReadSection:
    """A section that can be used: its only reader, its recording and its segments."""

    section: Section
    reader: Reader
    file: ArchiveFile
    recording: Recording
    chapter: Chapter


def read_book(
    book: Book, item: Item, text: str | None, speakers: Sequence[str], desk: Desk, tally: Tally
) -> Iterator[ReadSection]:
    """The sections of a book that wanted readers read, as they are cut; what can not be used goes to the tally.

    Given: text of the whole book, or None where an aligner writes down what it hears. speakers: parts of names or
    ids; all readers when it is empty.
    """
    runs = (
        [Run((position,), "") for position in range(len(book.sections))]
        if text is None
        else share_out(text, book.sections)
    )
    for run in runs:
        sections = [book.sections[position] for position in run.sections]
        rest = None if text is None else run.text
        lost = False
        for position, section in enumerate(sections):
            reader, problem = only_reader(section, speakers)
            if problem is not None and problem.reason != "another reader":
                tally.reject(section, problem)
            # A section that nobody wants is read for the place in the text alone, where a wanted one follows.
            follows = any(only_reader(later, speakers)[0] is not None for later in sections[position + 1 :])
            if reader is None and (text is None or not follows):
                desk.advance(1)
                continue
            try:
                if lost:
                    raise SectionRejected("place in the text lost", "the section before it could not be read")
                file, recording = record(section, item, desk)
                desk.advance(0, f"{book.title}: cutting section {section.number}")
                chapter = desk.cut(recording, rest, book.code)
            except SectionRejected as rejected:
                lost = text is not None
                tally.reject(section, rejected)
                desk.advance(1)
                continue
            rest = None if rest is None else rest[chapter.consumed :]
            desk.advance(1)
            if reader is not None:
                tally.add(chapter)
                yield ReadSection(section, reader, file, recording, chapter)


def only_reader(section: Section, speakers: Sequence[str]) -> tuple[Reader | None, SectionRejected | None]:
    """The one who reads a section and is wanted, or why there is none: a voice needs an owner."""
    if not section.readers:
        return None, SectionRejected("no reader", "the catalogue names nobody")
    if not any(is_wanted(reader, speakers) for reader in section.readers):
        return None, SectionRejected("another reader")
    if len(section.readers) > 1:
        names = ", ".join(reader.name for reader in section.readers)
        return None, SectionRejected("several readers", f"{names}: nobody says who reads what")
    return section.readers[0], None


def is_wanted(reader: Reader, speakers: Sequence[str]) -> bool:
    """Whether a reader's name or id contains one of `speakers`, upper and lower case alike."""
    told = f"{reader.name} {reader.speaker}".casefold()
    return not speakers or any(part.casefold() in told for part in speakers)


def record(section: Section, item: Item, desk: Desk) -> tuple[ArchiveFile, Recording]:
    """A section's file and its checked recording: the best one that is whole. Raises: SectionRejected, for the best
    one's reason, where none is."""
    problems: list[SectionRejected] = []
    for file in recordings_of(section, item.files):
        try:
            return file, fetched(file, section, item, desk)
        except SectionRejected as problem:
            problems.append(SectionRejected(problem.reason, f"{file.name}: {problem.detail}"))
    raise problems[0] if problems else SectionRejected("no recording", f"{item.identifier} has no mp3 for it")


def fetched(file: ArchiveFile, section: Section, item: Item, desk: Desk) -> Recording:
    """A checked file, telling how far it has come. Raises: SectionRejected."""
    megabytes = 0.0

    def advance(amount: float) -> None:
        nonlocal megabytes
        megabytes += amount / 1e6
        desk.advance(0, f"{file.name}: {megabytes:.1f} MB")

    folder = desk.folder / safe_name(item.identifier)
    promised = (file.seconds, section.seconds)
    return fetch_recording(desk.web, desk.archive_url, item, file, promised, folder, desk.warn, advance, desk.retry)
