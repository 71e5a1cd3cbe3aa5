"""Which text belongs to a book: the one that the recipe names, else the one that the catalogue points to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kathrine import KathrineError
from kathrine.corpus.text import letters
from kathrine.datafiles import write_atomically
from kathrine_librivox.catalogue.books import Book
from kathrine_librivox.catalogue.portions import SLOWEST
from kathrine_librivox.catalogue.texts import is_address, text_at
from kathrine_librivox.catalogue.web import NotThere, Web


class BookTexts:
    """Texts by book.

    Args:
        web: how to ask. folder: keeps what was fetched. gutenberg_url: base of Project Gutenberg. named: number of a
        book -> path or address, by the recipe. refresh: fetch again.
    """

    def __init__(self, web: Web, folder: Path, gutenberg_url: str, named: Mapping[str, str], refresh: bool) -> None:
        self.web = web
        self.folder = folder
        self.gutenberg_url = gutenberg_url
        self.named = named
        self.refresh = refresh

    def of(self, book: Book, warn: Callable[[str], Any]) -> str | None:
        """The whole text of a book, or None where there is none.

        A page that is too short for the recordings is a title page and no text: it is said and not used, unless the
        recipe names it. Raises: KathrineError for a text that the recipe names and that can not be read, and for a
        server that refuses or stays busy.
        """
        named = self.named.get(str(book.id))
        where = named or book.text_url
        if not where:
            return None
        # A text that was not there is not asked for again, until a refresh.
        missing = self.folder / f"{book.id}.missing"
        if named is None and missing.is_file() and missing.read_text("utf-8") == where and not self.refresh:
            return None
        try:
            text = text_at(where, self.web, self.folder, self.gutenberg_url, self.refresh)
        except NotThere as problem:
            if named is not None:
                raise KathrineError(problem.message, f"correct texts = {{ {book.id} = ... }}") from problem
            warn(f"{book.label}: {problem.message}")
            write_atomically(missing, where.encode())
            return None
        except KathrineError as problem:
            remedy = f"or get the text with a browser and name it: texts = {{ {book.id} = 'path' }}"
            if named is not None or self.web.offline:
                raise
            raise KathrineError(f"{book.label}: {problem.message}", f"{problem.hint}; {remedy}") from problem
        seconds = sum(section.seconds or 0.0 for section in book.sections)
        count = letters(text)
        if count < SLOWEST * seconds:
            place = where if is_address(where) else Path(where).name
            warn(f"{book.label}: {place} has {count} letters for {seconds / 60:.0f} minutes of speech: not the text")
            return text if named is not None and count else None
        return text or None
