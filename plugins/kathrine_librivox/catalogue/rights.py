"""Whose work may still be protected where the reader of this lives.

LibriVox checks the law of the USA. In Norway and the European Union an author's rights, and a translator's, end with
the seventieth year after the year of their death (directive 2006/116/EC, article 1; åndsverkloven § 11).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kathrine_librivox.catalogue.books import Book, Person

YEARS = 70


def protected(book: Book, year: int) -> list[str]:
    """Authors and translators whose rights may last in `year`, with the years of their lives; `?` where the
    catalogue does not know one."""
    return [*_named(book.authors, "author", year), *_named(book.translators, "translator", year)]


def _named(people: tuple[Person, ...], role: str, year: int) -> Iterator[str]:
    for person in people:
        died = year_of(person.died)
        if died is None or died + YEARS >= year:
            born = year_of(person.born)
            yield f"{person.name} ({role}, {'?' if born is None else born}-{'?' if died is None else died})"


def year_of(text: str) -> int | None:
    """A year out of `1906`, `c. 1906` or `65 BC` (which is negative), or None."""
    match = re.search(r"\d{1,4}", text)
    if match is None:
        return None
    return -int(match[0]) if re.search(r"\bb\.?c", text, re.IGNORECASE) or text.startswith("-") else int(match[0])


def rights_warning(book: Book, year: int) -> str:
    """One sentence about a book, or an empty string."""
    names = protected(book, year)
    if not names:
        return ""
    return (
        f"{book.label}: {', '.join(names)} died less than {YEARS} years ago or at an unknown time: outside of the USA "
        "the text may still be protected"
    )
