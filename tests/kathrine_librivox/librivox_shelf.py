"""Books for the loopback LibriVox: chapters are the bundled clips joined with pauses, so no recording is added.

Two books, five sections of about 20 to 25 s, two readers. Waves: float32 [samples], mono.
"""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from servers.librivox import LibrivoxServer

from kathrine.datafiles import bundled_sample

SAMPLE = bundled_sample("nb-librivox")
RATE = 22050
READERS = {"bok1": {"reader_id": "7001", "display_name": "Ingeborg Lundeby"}}
READERS["bok2"] = {"reader_id": "7002", "display_name": "Sverre Aasmo"}
SECTIONS = {  # stem: (book, clips)
    "smeden_01_lie": ("bok1", range(0, 4)),
    "smeden_02_lie": ("bok1", range(4, 8)),
    "smeden_03_lie": ("bok1", range(8, 12)),
    "fjellet_01_lie": ("bok2", range(0, 4)),
    "fjellet_02_lie": ("bok2", range(4, 8)),
}


@functools.cache
def clips(book: str) -> tuple[tuple[str, Path], ...]:
    """Text and file of every clip of a bundled book."""
    with (SAMPLE / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return tuple((row["text"], SAMPLE / row["file_name"]) for row in rows if f"/{book}_" in row["file_name"])


@functools.cache
def wave(book: str, numbers: Sequence[int]) -> np.ndarray:
    """Clips joined by pauses of 0.7 s, with half a second of room at both ends."""
    rng = np.random.default_rng(7)
    parts = [np.zeros(RATE // 2, dtype=np.float32)]
    for number in numbers:
        parts += [soundfile.read(clips(book)[number][1], dtype="float32")[0], np.zeros(int(0.7 * RATE), np.float32)]
    joined = np.concatenate(parts)
    return joined + 3e-4 * rng.standard_normal(len(joined)).astype(np.float32)


def mp3(wave_N: np.ndarray, rate: int = RATE, mode: str = "CONSTANT") -> bytes:
    """A wave as mp3. mode: CONSTANT or VARIABLE bit rate."""
    file = io.BytesIO()
    soundfile.write(file, wave_N, rate, format="MP3", bitrate_mode=mode, compression_level=0.5)
    return file.getvalue()


@functools.cache
def recording(stem: str) -> bytes:
    """The mp3 of a section."""
    return mp3(wave(*SECTIONS[stem]))


def seconds(stem: str) -> float:
    return len(wave(*SECTIONS[stem])) / RATE


def sentences(stem: str) -> list[str]:
    book, numbers = SECTIONS[stem]
    return [clips(book)[number][0] for number in numbers]


def book_text(prefix: str, headings: bool = True) -> str:
    """The text of a book: its sections under headings, or in one piece."""
    parts = []
    for number, stem in enumerate([stem for stem in SECTIONS if stem.startswith(prefix)], start=1):
        parts += [f"KAPITTEL {'I' * number}."] if headings else []
        parts.append(" ".join(sentences(stem)))
    return "\n\n".join(parts)


def without_table(content: bytes) -> bytes:
    """An mp3 of variable rate without its first frame, which is where the table of its length (Xing) stands."""
    assert b"Xing" in content[:200]
    return content[content.index(content[:2], 4) :]


def book(number: int, title: str, stems: Sequence[str], url: str, **changes: Any) -> dict[str, Any]:
    """A book as the API writes it: every number but one is a string."""
    item = f"{stems[0].split('_')[0]}_librivox" if stems else "none_librivox"
    total = sum(seconds(stem) for stem in stems)
    made = {
        "id": str(number),
        "title": title,
        "description": "<p>Read &amp; told</p>",
        "url_text_source": "",
        "language": "Norwegian",
        "num_sections": str(len(stems)),
        "url_librivox": f"https://librivox.org/{number}/",
        "url_iarchive": f"https://archive.org/details/{item}",
        "url_zip_file": f"https://www.archive.org/download/{item}/{item}_64kb_mp3.zip",
        "totaltime": f"{int(total // 60)}:{int(total % 60):02d}",
        "totaltimesecs": int(total),
        "authors": [{"id": "1", "first_name": "Jonas", "last_name": "Lie", "dob": "1833", "dod": "1908"}],
        "translators": [],
        "sections": [
            {
                "id": str(number * 100 + place),
                "section_number": str(place),
                "title": f"{place:02d} - Kapittel {place}",
                "listen_url": f"https://www.archive.org/download/{item}/{stem}_64kb.mp3",
                "language": "English",  # what the API says where nobody set it
                "playtime": str(int(seconds(stem))),
                "file_name": "",
                "readers": [READERS[SECTIONS[stem][0]]],
            }
            for place, stem in enumerate(stems, start=1)
        ],
        "since": 1_700_000_000,
    }
    return made | changes


def fill(site: LibrivoxServer) -> LibrivoxServer:
    """Two Norwegian books that can be read, among others that can not be wanted."""
    smeden = [stem for stem in SECTIONS if stem.startswith("smeden")]
    fjellet = [stem for stem in SECTIONS if stem.startswith("fjellet")]
    lengths = ["{:.2f}", "0:{:02.0f}", "00:00:{:02.0f}"]
    for stems in (smeden, fjellet):
        name = stems[0].split("_")[0]
        facts = {
            f"{stem}_mp3": {"length": lengths[place].format(seconds(stem)), "track": f"{place + 1}/{len(stems)}"}
            for place, stem in enumerate(stems)
        }
        files = {f"{stem}.mp3": recording(stem) for stem in stems}
        small = {f"{stem}_64kb.mp3": b"never fetched" for stem in stems}
        site.add_item(f"{name}_librivox", {**files, **small, "cover.txt": b"x"}, **facts)
        site.items[f"{name}_librivox"]["metadata"]["licenseurl"] = "http://creativecommons.org/publicdomain/mark/1.0/"
    for number in range(1, 21):
        site.books.append(book(number, f"English {number}", [], site.url, language="English"))
    site.books.append(book(101, "Smeden", smeden, site.url, url_text_source=site.add_text("smeden.txt", gutenberg())))
    text = site.add_text("fjellet.html", page())
    site.books.append(book(102, "Fjellet", fjellet, site.url, url_text_source=text))
    site.books.append(book(103, "Ikke ferdig", [], site.url, url_librivox=""))
    site.books.append(book(104, "Ei nynorsk bok", [], site.url, language="Nynorsk"))
    return site


def gutenberg() -> str:
    """A text as Project Gutenberg wraps it."""
    return (
        "The Project Gutenberg eBook of Smeden\r\n\r\nTitle: Smeden\r\n\r\n"
        "*** START OF THE PROJECT GUTENBERG EBOOK SMEDEN ***\r\n\r\n"
        "Produced by somebody\r\n\r\nSMEDEN\r\n\r\n"
        + book_text("smeden").replace("\n", "\r\n")
        + "\r\n\r\n*** END OF THE PROJECT GUTENBERG EBOOK SMEDEN ***\r\n\r\nPlease read this licence.\r\n"
    )


def page() -> str:
    """A text in one piece, as a page."""
    return (
        "<!DOCTYPE html><html><head><title>Fjellet</title><style>p {color: red}</style></head><body>"
        f"<nav>Hjem</nav><p>{book_text('fjellet', headings=False).replace('«', '&laquo;')}</p></body></html>"
    )


def options_of(site: LibrivoxServer, **more: Any) -> dict[str, Any]:
    """Options that talk to this server only."""
    urls = {"librivox_url": site.url, "archive_url": site.url, "gutenberg_url": site.url}
    return {**urls, "requests_per_second": 1000.0, "aligner_model": "length", **more}
