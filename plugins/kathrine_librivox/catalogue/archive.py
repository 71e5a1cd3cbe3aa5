"""The item of a book on archive.org: its files, and which of them is a section's recording."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from kathrine import KathrineError
from kathrine.datafiles import inside, safe_name, write_atomically
from kathrine_librivox.catalogue.books import IDENTIFIER, Section, listed, seconds_of, text_of
from kathrine_librivox.catalogue.web import NotThere, Web

LICENCE = "public domain (LibriVox)"
"""Where the item names no licence of its own: every recording of LibriVox is given to the public domain."""
QUALITY_MARK = re.compile(r"_(?:(?:24|32|48|64|96|128|192|256)\s?kb(?:ps)?|vbr)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file of an item. md5: hex, or empty. size in bytes and seconds: None where the item does not tell."""

    name: str
    original: bool
    format: str
    md5: str
    size: int | None
    seconds: float | None
    track: int | None

    @property
    def rank(self) -> int:
        """Order of preference: the reader's own upload, 128 kbit/s, variable rate, others, 64 kbit/s last."""
        if self.narrow:
            return 4
        if self.original:
            return 0
        return 1 if self.format.casefold().startswith("128") else 2 if "vbr" in self.format.casefold() else 3

    @property
    def narrow(self) -> bool:
        """Whether it is coded with 64 kbit/s or less: often at 22.05 kHz, which ends at 10 kHz."""
        told = re.match(r"(\d+)\s?kbps", self.format, re.IGNORECASE)
        return int(told[1]) <= 64 if told else bool(re.search(r"_(24|32|48|64)kb$", PurePosixPath(self.name).stem))


@dataclass(frozen=True, slots=True)
class Item:
    """An item with its mp3 files. unsafe: names that point outside of the item's folder; they are never fetched."""

    identifier: str
    licence: str
    files: tuple[ArchiveFile, ...]
    unsafe: tuple[str, ...]


def read_item(web: Web, url: str, identifier: str, folder: Path, refresh: bool) -> Item | None:
    """An item by its identifier, asked for once and kept; None where archive.org has no such item.

    Given: url, base of archive.org; folder, keeps the answer; refresh asks again. Raises: as `Web.json`.
    """
    if not IDENTIFIER.fullmatch(identifier):
        raise KathrineError(f"'{identifier}' is no identifier of archive.org", "leave the book out with `books`")
    path = folder / f"{safe_name(identifier)}.json"
    if refresh or not path.is_file():
        try:
            answer = web.json(f"{url.rstrip('/')}/metadata/{quote(identifier)}")
        except NotThere:
            answer = {}
        write_atomically(path, json.dumps(answer, ensure_ascii=False).encode())
    return item_of_answer(identifier, json.loads(path.read_text("utf-8")))


def item_of_answer(identifier: str, answer: Any) -> Item | None:
    """An item from the answer of the metadata API; an unknown one is answered with an empty object."""
    if not isinstance(answer, Mapping) or not answer.get("files"):
        return None
    metadata = answer.get("metadata") or {}
    named = [raw for raw in listed(answer["files"]) if str(raw.get("name", "")).lower().endswith(".mp3")]
    return Item(
        identifier=identifier,
        licence=text_of(metadata.get("licenseurl")) or LICENCE,
        files=tuple(file_of(raw) for raw in named if inside(raw["name"])),
        unsafe=tuple(raw["name"] for raw in named if not inside(raw["name"])),
    )


def file_of(raw: Mapping[str, Any]) -> ArchiveFile:
    """A file; its numbers come as strings."""
    size, track = text_of(raw.get("size")), re.match(r"\d+", text_of(raw.get("track")))
    return ArchiveFile(
        name=str(raw["name"]),
        original=text_of(raw.get("source")) == "original",
        format=text_of(raw.get("format")),
        md5=text_of(raw.get("md5")).lower(),
        size=int(size) if size.isdigit() else None,
        seconds=seconds_of(raw.get("length")),
        track=int(track[0]) if track else None,
    )


def recordings_of(section: Section, files: Sequence[ArchiveFile]) -> list[ArchiveFile]:
    """The codings of a section's recording, best first: found by the name in its address, else by its number as
    track.

    None where no file is the section's, or where the number fits recordings of different names.
    """
    wanted = {stem_of(name) for name in (section.file_name, urlsplit(section.url).path) if name}
    found = [file for file in files if stem_of(file.name) in wanted]
    if not found:
        found = [file for file in files if file.track == section.number]
        if len({stem_of(file.name) for file in found}) > 1:
            return []
    return sorted(found, key=lambda file: (file.rank, file.name))


def stem_of(name: str) -> str:
    """A file's name without folder, extension and quality: the same for all codings of one recording."""
    return QUALITY_MARK.sub("", PurePosixPath(name).stem).casefold()


def download_url(url: str, item: Item, file: ArchiveFile) -> str:
    """Where a file is fetched from."""
    return f"{url.rstrip('/')}/download/{quote(item.identifier)}/{quote(file.name)}"
