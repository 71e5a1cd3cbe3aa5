"""The list of books: asked of the API page by page and kept, or read from a dump of the catalogue.

A listing that was stopped goes on with the page it had come to. Filtering is done here: the API ignores languages.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kathrine import KathrineError
from kathrine.datafiles import write_atomically
from kathrine_librivox.catalogue.books import Book, book_of, text_of
from kathrine_librivox.catalogue.web import NotThere, Web

PAGE = 500
"""Books asked for at once; a server that gives fewer sets the pace."""
FIELDS = "id,title,language,url_librivox,num_sections,totaltimesecs"
OVERLAP = 86400.0
"""Seconds by which a refresh looks further back than the last listing: clocks differ."""


class Catalogue:
    """Books by number: a list of short entries, and the whole entry of each book that is asked for.

    Args:
        web: how to ask. url: base of librivox.org. folder: keeps what was answered. dump: a file that is read
        instead of the list; books that it describes in full are not asked for.
    """

    def __init__(self, web: Web, url: str, folder: Path, dump: Path | None) -> None:
        self.web = web
        self.url = url.rstrip("/")
        self.folder = folder
        self.dump = None if dump is None else {int(text_of(raw["id"])): raw for raw in read_dump(dump)}

    def entries(self, refresh: bool, advance: Callable[..., Any] | None = None) -> list[Mapping[str, Any]]:
        """All books, as the catalogue writes them, by number.

        Given: refresh asks for those that came since the last time. Raises: KathrineError where there are none.
        """
        if self.dump is not None:
            return [self.dump[number] for number in sorted(self.dump)]
        path = self.folder / "books.json"
        known: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        if not known or refresh:
            since = int(known["asked"] - OVERLAP) if known else None
            asked, pages = self._pages(since, advance)
            if not known and not pages:
                raise KathrineError(f"the catalogue at {self.url} lists no books", "check librivox_url")
            merged = {int(text_of(raw["id"])): raw for raw in [*known.get("books", []), *pages]}
            known = {"url": self.url, "asked": asked, "books": [merged[number] for number in sorted(merged)]}
            write_atomically(path, json.dumps(known, ensure_ascii=False).encode())
            for raw in pages if since is not None else []:
                self._kept(int(text_of(raw["id"]))).unlink(missing_ok=True)
        for left in self.folder.glob("pages-*"):
            shutil.rmtree(left)
        return known["books"]

    def book(self, number: int, refresh: bool = False) -> Book:
        """One book with its sections.

        Given: refresh asks again. Raises: KathrineError for a number that the catalogue does not have.
        """
        if self.dump is not None:
            raw = self.dump.get(number)
            if raw is not None and raw.get("sections"):  # all of it is here
                return book_of(raw)
        path = self._kept(number)
        if refresh or not path.is_file():
            try:
                answer = self.web.json(f"{self.url}/api/feed/audiobooks/?id={number}&extended=1&format=json")
            except NotThere as problem:
                raise KathrineError(f"LibriVox has no book {number}", "take it out of `books`") from problem
            found = [raw for raw in books_in(answer, self.url) if text_of(raw.get("id")) == str(number)]
            if not found:
                raise KathrineError(f"LibriVox has no book {number}", "take it out of `books`")
            write_atomically(path, json.dumps(found[0], ensure_ascii=False).encode())
        return book_of(json.loads(path.read_text("utf-8")))

    def _kept(self, number: int) -> Path:
        return self.folder / "books" / f"{number}.json"

    def _pages(self, since: int | None, advance: Callable[..., Any] | None) -> tuple[float, list[Mapping[str, Any]]]:
        """When the first page was asked for (seconds since 1970), and the books of all pages up to the 404."""
        folder = self.folder / f"pages-{since or 'all'}"
        books: list[Mapping[str, Any]] = []
        began = time.time()
        while True:
            path = folder / f"{len(books):07d}.json"
            if path.is_file():
                page = json.loads(path.read_text("utf-8"))
            else:
                page = {"asked": time.time(), "books": self._page(len(books), since)}
                write_atomically(path, json.dumps(page, ensure_ascii=False).encode())
            began = min(began, page["asked"])
            if not page["books"]:
                return began, books
            books += page["books"]
            if advance is not None:
                advance(len(page["books"]))

    def _page(self, offset: int, since: int | None) -> list[Mapping[str, Any]]:
        """One page; empty at the end, which the API tells by a 404."""
        newer = f"&since={since}" if since is not None else ""
        fields = quote(f"{{{FIELDS}}}")
        query = f"limit={PAGE}&offset={offset}&sort_field=id&sort_order=asc&fields={fields}{newer}&format=json"
        try:
            return books_in(self.web.json(f"{self.url}/api/feed/audiobooks/?{query}"), self.url)
        except NotThere:
            return []


def books_in(answer: Any, place: str) -> list[Mapping[str, Any]]:
    """The books of an answer or a dump: `{"books": [...]}`, a list, or books by number.

    Raises: KathrineError for anything else, and for a book without a number.
    """
    if isinstance(answer, dict) and "error" in answer and "books" not in answer:
        return []
    books = answer.get("books", answer) if isinstance(answer, dict) else answer
    if isinstance(books, dict) and "id" in books:
        books = [books]
    if isinstance(books, dict):
        books = list(books.values())
    if not isinstance(books, list):
        raise KathrineError(f"{place} holds no list of books", "it has to be in the form of the LibriVox API")
    for position, raw in enumerate(books, start=1):
        if not isinstance(raw, dict) or not text_of(raw.get("id")).isdigit():
            raise KathrineError(
                f"{place}: entry {position} is no book with a number", "every book needs `id`, `title`, `language`"
            )
    return books


def read_dump(path: Path) -> list[Mapping[str, Any]]:
    """Books of a file: JSON in one of the forms of `books_in`, or JSON Lines with a book on each.

    Raises: KathrineError for a file that is missing or none of these.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise KathrineError(f"catalogue {path} can not be read: {problem}", "give a JSON file") from problem
    try:
        answer = json.loads(text)
    except json.JSONDecodeError as whole:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            answer = [json.loads(line) for line in lines]
        except json.JSONDecodeError:
            place = f"catalogue {path.name}:{whole.lineno}"
            raise KathrineError(f"{place}: not JSON: {whole.msg}", "give JSON or JSON Lines") from whole
    return books_in(answer, f"catalogue {path.name}")


def wanted_entries(entries: Sequence[Mapping[str, Any]], languages: Sequence[str]) -> list[Mapping[str, Any]]:
    """Released books in one of the languages, as LibriVox names them (upper and lower case alike)."""
    names = {name.casefold() for name in languages}
    return [
        raw
        for raw in entries
        if text_of(raw.get("language")).casefold() in names
        and (text_of(raw.get("url_librivox")) or "url_librivox" not in raw)
    ]
