"""A book of the catalogue, as the LibriVox API and its dumps describe it. Numbers come as strings there."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kathrine import KathrineError

CODES = {
    "norwegian": "nb",
    "bokmål": "nb",
    "norwegian bokmål": "nb",
    "nynorsk": "nn",
    "norwegian nynorsk": "nn",
    "danish": "da",
    "swedish": "sv",
    "icelandic": "is",
    "faroese": "fo",
    "english": "en",
    "german": "de",
    "dutch": "nl",
    "french": "fr",
    "spanish": "es",
    "italian": "it",
    "portuguese": "pt",
    "finnish": "fi",
    "polish": "pl",
    "russian": "ru",
}
"""ISO 639-1 codes of names as LibriVox writes them (small letters)."""
IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Person:
    """An author or a translator. born, died: years, or empty where the catalogue does not know."""

    name: str
    born: str
    died: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads. id: LibriVox' own number."""

    id: str
    name: str

    @property
    def speaker(self) -> str:
        return f"librivox-{self.id}"


@dataclass(frozen=True, slots=True)
class Section:
    """A chapter's recording. seconds: its length by the catalogue, or None. url: of the 64 kbit/s file."""

    number: int
    title: str
    url: str
    file_name: str
    seconds: float | None
    readers: tuple[Reader, ...]


@dataclass(frozen=True, slots=True)
class Book:
    """A book. released: its page on librivox.org, empty for one still being recorded ("unknown"
    where a dump does not tell). text_url: where the text
    that was read is said to be. item: identifier on archive.org, or empty. sections: none where the catalogue at
    hand does not list them."""

    id: int
    title: str
    language: str
    released: str
    text_url: str
    item: str
    seconds: float
    authors: tuple[Person, ...]
    translators: tuple[Person, ...]
    sections: tuple[Section, ...]

    @property
    def code(self) -> str:
        """ISO 639-1 code of the language; the name itself where it has none here."""
        return CODES.get(self.language.casefold(), self.language.casefold())

    @property
    def label(self) -> str:
        return f"book {self.id} ({self.title})"


def book_of(raw: Mapping[str, Any]) -> Book:
    """A book from the API's object.

    Raises: KathrineError for one without a number or a title, and for a person or section of another form.
    """
    try:
        sections = sorted(
            (section_of(section) for section in listed(raw.get("sections"))), key=lambda section: section.number
        )
        return Book(
            id=int(text_of(raw["id"])),
            title=text_of(raw["title"]),
            language=text_of(raw.get("language")),
            released=text_of(raw.get("url_librivox", "unknown")),
            text_url=text_of(raw.get("url_text_source")),
            item=item_of(raw),
            seconds=seconds_of(raw.get("totaltimesecs")) or seconds_of(raw.get("totaltime")) or 0.0,
            authors=tuple(person_of(person) for person in listed(raw.get("authors"))),
            translators=tuple(person_of(person) for person in listed(raw.get("translators"))),
            sections=tuple(sections),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as problem:
        raise KathrineError(
            f"the catalogue's book {raw.get('id', '?')} can not be read: {type(problem).__name__}: {problem}",
            "the API may have changed, or the file of `catalogue` is of another kind",
        ) from problem


def section_of(raw: Mapping[str, Any]) -> Section:
    """A section; readers without a number are nobody's voice and left out."""
    readers = tuple(
        Reader(text_of(reader.get("reader_id")), text_of(reader.get("display_name")) or text_of(reader["reader_id"]))
        for reader in listed(raw.get("readers"))
        if re.fullmatch(r"\w+", text_of(reader.get("reader_id")))
    )
    return Section(
        number=int(text_of(raw["section_number"])),
        title=text_of(raw.get("title")),
        url=text_of(raw.get("listen_url")),
        file_name=text_of(raw.get("file_name")),
        seconds=seconds_of(raw.get("playtime")),
        readers=readers,
    )


def person_of(raw: Mapping[str, Any]) -> Person:
    """An author or translator."""
    name = " ".join(part for part in (text_of(raw.get("first_name")), text_of(raw.get("last_name"))) if part)
    return Person(name or "somebody without a name", text_of(raw.get("dob")), text_of(raw.get("dod")))


def listed(value: Any) -> list[Any]:
    """A list; the API writes an absent one as null, false or an empty string."""
    if isinstance(value, Mapping):  # PHP arrays with gaps come out as objects
        return list(value.values())
    return list(value) if value else []


def text_of(value: Any) -> str:
    """A string without HTML entities or needless spaces; None is empty."""
    return " ".join(html.unescape(str(value)).split()) if value is not None else ""


def seconds_of(value: Any) -> float | None:
    """Seconds of "148.68", "2:28", "1:02:03" or a number; None for nothing, for 0 and for what is none of these."""
    parts = text_of(value).split(":")
    if not 1 <= len(parts) <= 3 or not all(re.fullmatch(r"\d+(\.\d+)?", part) for part in parts):
        return None
    seconds = 0.0
    for part in parts:
        seconds = seconds * 60 + float(part)
    return seconds or None


def item_of(raw: Mapping[str, Any]) -> str:
    """The identifier on archive.org: by its page, else by the address of the zip file or of a recording."""
    urls = [raw.get("url_iarchive"), raw.get("url_zip_file")]
    urls += [section.get("listen_url") for section in listed(raw.get("sections"))]
    for url in urls:
        match = re.search(r"/(?:details|download|compress|stream)/([^/?#]+)", text_of(url))
        if match and IDENTIFIER.fullmatch(match[1]):
            return match[1]
    return ""
