"""The component of the catalogue: options, and the order of work. Books first, then section by section until it is
enough."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from kathrine import KathrineError, Source, SourceContext
from kathrine.datafiles import safe_name, still_to_fetch
from kathrine.suggest import did_you_mean
from kathrine.types import Utterance
from kathrine_librivox.catalogue.archive import read_item
from kathrine_librivox.catalogue.book_texts import BookTexts
from kathrine_librivox.catalogue.books import Book, text_of
from kathrine_librivox.catalogue.listing import Catalogue, wanted_entries
from kathrine_librivox.catalogue.reading import Desk, ReadSection, Tally, only_reader, read_book
from kathrine_librivox.catalogue.rights import rights_warning
from kathrine_librivox.catalogue.shelves import Shelf, nothing_to_read, tell, utterances_of
from kathrine_librivox.catalogue.web import Web, no_answer
from kathrine_librivox.chapters import ChapterCache
from kathrine_librivox.cutting import CuttingOptions, cutter, cutting_problems, cutting_settings
from kathrine_librivox.voices import VOICES

FILTER_LOSS = 1.15
"""Cut hours over wanted hours: what the gates of prepare are expected to leave out."""


class CatalogueOptions(CuttingOptions):
    """Options of `source = "librivox_catalogue"`."""

    language: str | list[str] = "Norwegian"
    """Language, or several, as LibriVox writes them: "Norwegian" and "Nynorsk" are two."""
    books: list[int] = Field(default_factory=list)
    """Numbers of the books to take, in this order; empty takes every released book of the language."""
    texts: dict[str, str] = Field(default_factory=dict, json_schema_extra={"path": "or_url"})
    """Number of a book -> its text, a path or an address (plain text or HTML); the address in the catalogue is used
    for the others."""
    catalogue: str = Field(default="", json_schema_extra={"path": True})
    """A dump of the catalogue (JSON or JSON Lines in the API's form), read instead of asking for the list."""
    refresh: bool = False
    """Ask for books that came since the last time, and again for texts, items and recordings that failed."""
    librivox_url: str = "https://librivox.org"
    """Base address of the catalogue's API."""
    archive_url: str = "https://archive.org"
    """Base address of the recordings."""
    gutenberg_url: str = "https://www.gutenberg.org"
    """Base address of Project Gutenberg, where most texts lie."""
    requests_per_second: float = Field(default=1.0, gt=0, le=1000)
    """No more requests than this, over all hosts together."""


@dataclass(frozen=True, slots=True)
class Visit:
    """How a call goes about it. loud: tell what is done. refresh: ask for what is new. warn: told of what the user
    should act on."""

    web: Web
    loud: bool
    refresh: bool
    warn: Callable[[str], None]


class CatalogueSource(Source):
    """Books of the LibriVox catalogue: chapters from archive.org, cut into sentences by their texts."""

    name = "librivox_catalogue"
    Options = CatalogueOptions

    def __init__(self, options: Any = None, label: str = "") -> None:
        super().__init__(options, label)
        self._tally = Tally()

    def voices(self) -> str:
        return VOICES

    def problems(self) -> Iterator[str]:
        options = self.options
        yield from cutting_problems(options)
        for name in ("librivox_url", "archive_url", "gutenberg_url"):
            if not re.match(r"https?://[^/]+", getattr(options, name)):
                yield f"{name}: '{getattr(options, name)}' does not begin with http:// or https:// and a host"
        if not languages_of(options):
            yield "language: name one at least, as LibriVox writes it"
        for number, where in options.texts.items():
            if not number.isdigit():
                yield f"texts: '{number}' is no number of a book"
            elif options.books and int(number) not in options.books:
                yield f"texts: book {number} is not among books"
            if "://" in where and not where.startswith(("http://", "https://")):
                yield f"texts: '{where}' is no path and no address of the web"

    def reachable(self, context: SourceContext) -> Iterator[str]:
        options = self.options
        if context.offline or options.catalogue:  # what was kept has to do, or the dump, which the recipe's check saw
            return
        for url in (options.librivox_url, options.archive_url):
            if problem := no_answer(url):
                yield problem

    def bytes_to_fetch(self, context: SourceContext) -> int | None:
        if context.max_hours is None:
            return None
        # chapters are fetched whole, as mp3 of 128 kbit/s where there are such
        return still_to_fetch(context.max_hours * FILTER_LOSS * 58e6, "", context)

    def prepare(self, context: SourceContext) -> None:
        for problem in self.problems():
            raise KathrineError(f"{self.label}: {problem}")
        visit, tally, told = self._visit(context, loud=True), Tally(), f"{self.label}: sections"
        shelves = self._shelves(context, visit)
        with context.progress.task(told, sum(len(shelf.book.sections) for shelf in shelves)) as advance:
            taken = list(self._sections(context, visit, shelves, tally, advance))
            advance(0, told)
        tell(self.label, context, shelves, taken, tally)

    def utterances(self, context: SourceContext) -> Iterator[Utterance]:
        visit, self._tally = self._visit(context, loud=False), Tally()
        for shelf, read in self._sections(context, visit, self._shelves(context, visit), self._tally, nothing):
            yield from utterances_of(shelf, read)

    def left_out(self) -> Mapping[str, int]:
        return self._tally.counts()

    def _folder(self, context: SourceContext) -> Path:
        return context.folder / safe_name(self.options.librivox_url)

    def _visit(self, context: SourceContext, loud: bool) -> Visit:
        """How to go about it: `prepare` is loud, `utterances` takes what it kept."""
        web = Web(self.options.requests_per_second, context.offline or not loud, context.progress.say)

        def warn(message: str) -> None:
            if loud:
                context.progress.warn(f"{self.label}: {message}")

        return Visit(web, loud, self.options.refresh and not web.offline, warn)

    def _shelves(self, context: SourceContext, visit: Visit) -> list[Shelf]:
        """The books to read."""
        options, folder, web, warn = self.options, self._folder(context), visit.web, visit.warn
        dump = Path(options.catalogue) if options.catalogue else None
        catalogue = Catalogue(web, options.librivox_url, folder, dump)
        books = self._books(catalogue, context, visit)
        for number in sorted({int(number) for number in options.texts} - {book.id for book in books}):
            warn(f"texts names book {number}, which is not among those that are taken")
        texts = BookTexts(web, folder / "texts", options.gutenberg_url, options.texts, visit.refresh)
        shelves = []
        for book in books:
            if not any(only_reader(section, context.speakers)[0] for section in book.sections):
                continue
            text = texts.of(book, warn)
            if text is None and not options.transcriber:
                warn(
                    f"{book.label} has no text and is left out; give one with texts = {{ {book.id} = "
                    '"path or url" }, or set transcriber'
                )
                continue
            place = context.folder / safe_name(options.archive_url)
            item = read_item(web, options.archive_url, book.item, place, visit.refresh) if book.item else None
            if item is None:
                warn(f"{book.label} has no recordings on archive.org and is left out")
                continue
            if item.unsafe:
                names = ", ".join(item.unsafe[:3])
                warn(f"{item.identifier} names files outside of its folder, never fetched: {names}")
            if told := rights_warning(book, datetime.date.today().year):
                warn(told)
            shelves.append(Shelf(book, item, text))
        if not shelves:
            raise nothing_to_read(self.label, books, context.speakers)
        return shelves

    def _books(self, catalogue: Catalogue, context: SourceContext, visit: Visit) -> list[Book]:
        """The books of the option, or all released ones of the languages."""
        options = self.options
        languages = languages_of(options)
        if options.books:
            books = [catalogue.book(number, visit.refresh) for number in dict.fromkeys(options.books)]
            for book in books:
                if book.language.casefold() not in {name.casefold() for name in languages}:
                    found = book.language or "no language"
                    raise KathrineError(
                        f"{self.label}: {book.label} is in {found}, not in {' or '.join(languages)}",
                        "set `language` to what LibriVox writes, or take the book out of `books`",
                    )
                if not book.released:
                    raise KathrineError(
                        f"{self.label}: {book.label} is not released yet", "take it out of `books` until it is"
                    )
            return books
        if visit.loud:
            with context.progress.task(f"{self.label}: listing the catalogue") as advance:
                entries = catalogue.entries(visit.refresh, advance)
        else:
            entries = catalogue.entries(False)
        wanted = wanted_entries(entries, languages)
        if not wanted:
            known = Counter(text_of(raw.get("language")) or "none" for raw in entries)
            listed = ", ".join(f"{name} ({count})" for name, count in known.most_common(8))
            raise KathrineError(
                f"{self.label}: the catalogue has no released book in {' or '.join(languages)}"
                + did_you_mean(languages[0], known),
                f"its languages are: {listed}",
            )
        if visit.loud:
            context.progress.say(f"{self.label}: {len(wanted)} of {len(entries)} books are in {' or '.join(languages)}")
        books = [catalogue.book(int(text_of(raw["id"]))) for raw in wanted]
        return [book for book in books if book.released]

    def _sections(
        self,
        context: SourceContext,
        visit: Visit,
        shelves: Sequence[Shelf],
        tally: Tally,
        advance: Callable[..., Any],
    ) -> Iterator[tuple[Shelf, ReadSection]]:
        """Sections in order until their usable speech reaches max_hours x 1.15; speech of a reader beyond the cap
        is kept and not counted. The same files give the same sections."""
        options, folder = self.options, self._folder(context)
        budget = float("inf") if context.max_hours is None else context.max_hours * 3600 * FILTER_LOSS
        cap = float("inf") if context.speaker_cap_minutes is None else context.speaker_cap_minutes * 60 * FILTER_LOSS
        cache = ChapterCache(
            folder / "chapters",
            lambda language, by_ear: cutting_settings(options, language, by_ear),
            cutter(options, context),
        )
        desk = Desk(
            web=visit.web,
            archive_url=options.archive_url,
            folder=context.folder / safe_name(options.archive_url),
            cut=cache.chapter,
            warn=visit.warn,
            advance=advance,
            retry=visit.refresh,
        )
        spoken: dict[str, float] = {}
        usable = 0.0
        for shelf in shelves:
            for read in read_book(shelf.book, shelf.item, shelf.text, context.speakers, desk, tally):
                yield shelf, read
                heard = spoken.get(read.reader.id, 0.0)
                seconds = sum(
                    piece.end - piece.start
                    for piece in read.chapter.pieces
                    if context.min_seconds <= piece.end - piece.start <= context.max_seconds
                )
                counted = max(0.0, min(seconds, cap - heard))
                spoken[read.reader.id] = heard + seconds
                usable += counted
                if usable >= budget:
                    return


def languages_of(options: CatalogueOptions) -> list[str]:
    """The languages by name."""
    names = [options.language] if isinstance(options.language, str) else options.language
    return [name.strip() for name in names if name.strip()]


def nothing(*given: Any, **more: Any) -> None:
    """Tells nobody."""
