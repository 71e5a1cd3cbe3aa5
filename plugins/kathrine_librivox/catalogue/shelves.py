"""A book that can be read, what it gives, and what is told about it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kathrine import KathrineError, SourceContext
from kathrine.types import Utterance
from kathrine_librivox.catalogue.archive import Item
from kathrine_librivox.catalogue.books import Book
from kathrine_librivox.catalogue.reading import ReadSection, Tally, only_reader
from kathrine_librivox.chapters import Piece


@dataclass(frozen=True, slots=True)
class Shelf:
    """A book that can be read, with its item on archive.org and its text (None: it is written down by ear)."""

    book: Book
    item: Item
    text: str | None


def utterances_of(shelf: Shelf, read: ReadSection) -> Iterator[Utterance]:
    """The utterances of a section: parts of its file, which prepare cuts."""
    book, section = shelf.book, read.section
    facts = {
        "licence": shelf.item.licence,
        "book": str(book.id),
        "title": book.title,
        "author": ", ".join(person.name for person in book.authors),
        "translator": ", ".join(person.name for person in book.translators),
        "reader": read.reader.name,
        "section": str(section.number),
        "section_title": section.title,
        "url": book.released if "://" in book.released else section.url,
        "aligner": read.chapter.aligner,
    }
    for number, piece in enumerate(read.chapter.pieces, start=1):
        yield Utterance(
            id=f"librivox-{book.id}-{section.number}-{number}",
            audio=read.recording.path,
            texts={"text": piece.text},
            speaker=read.reader.speaker,
            language=book.code,
            start=piece.start,
            end=piece.end,
            seconds=piece.end - piece.start,
            cut=piece.cut,
            facts={name: value for name, value in (facts | {"score": score_of(piece)}).items() if value},
        )


def score_of(piece: Piece) -> str:
    """A score with three places; empty where there is none."""
    return "" if math.isnan(piece.score) else f"{piece.score:.3f}"


def tell(
    label: str,
    context: SourceContext,
    shelves: Sequence[Shelf],
    taken: Sequence[tuple[Shelf, ReadSection]],
    tally: Tally,
) -> None:
    """What became of the sections. Raises: KathrineError where nothing is left."""
    progress = context.progress
    for reason, lines in sorted(tally.sections.items()):
        count = "1 section is" if len(lines) == 1 else f"{len(lines)} sections are"
        shown = "".join(f"\n  {line}" for line in lines[:5])
        more = f"\n  and {len(lines) - 5} more" if len(lines) > 5 else ""
        progress.warn(f"{label}: {count} left out, {reason}:{shown}{more}")
    narrow = [read for _, read in taken if read.file.narrow]
    if narrow:
        count = "1 section is" if len(narrow) == 1 else f"{len(narrow)} sections are"
        progress.warn(
            f"{label}: {count} only there in 64 kbit/s, which ends near 10 kHz where it is coded at 22 kHz; "
            f"the first is {narrow[0].file.name}"
        )
    pieces = [piece for _, read in taken for piece in read.chapter.pieces]
    dropped = [f"{count:.0f} {reason} ({seconds:.0f} s)" for reason, (count, seconds) in sorted(tally.segments.items())]
    left = f"; left out: {', '.join(dropped)}" if dropped else ""
    if not pieces:
        reasons = ", ".join(f"{len(lines)} {reason}" for reason, lines in sorted(tally.sections.items()))
        raise KathrineError(
            f"{label}: no section of {len(shelves)} books gave an utterance ({reasons or 'no reason known'}{left})",
            "look at the warnings above, at `texts` and at the limits of the segments",
        )
    hours = sum(piece.end - piece.start for piece in pieces) / 3600
    progress.say(
        f"{label}: {len(pieces)} utterances of {len(taken)} sections in {len({shelf.book.id for shelf, _ in taken})} "
        f"books, {hours:.2f} h, placed by {', '.join(sorted({read.chapter.aligner for _, read in taken}))}{left}"
    )


def nothing_to_read(label: str, books: Sequence[Book], speakers: Sequence[str]) -> KathrineError:
    """The error where no book is left: nobody wanted reads in any, or none has a text."""
    readers = Counter(reader.name for book in books for section in book.sections for reader in section.readers)
    known = ", ".join(f"{name} ({count})" for name, count in readers.most_common(8)) or "nobody"
    if speakers and not any(only_reader(section, speakers)[0] for book in books for section in book.sections):
        return KathrineError(
            f"{label}: no section of {len(books)} books is read by {' or '.join(speakers)} alone",
            f"the readers are: {known}",
        )
    return KathrineError(
        f"{label}: none of {len(books)} books can be used",
        "look at the warnings above: give texts, or set transcriber",
    )
