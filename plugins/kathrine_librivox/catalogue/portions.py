"""Which part of a book's text belongs to which section.

Headings are the landmarks: a section whose heading is found begins there. Sections between two landmarks share the
text between them, in order: each one takes over what the one before it left.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kathrine.corpus.text import letters
from kathrine_librivox.catalogue.books import Section

SLOWEST, FASTEST = 4.0, 30.0
"""Letters a second between which a reading lies; landmarks that would make it another speed are not believed."""
LEAST_BETWEEN = 200
"""Letters between two headings of chapters; closer ones are a table of contents."""
CHAPTER_WORD = r"(?:kapitt?el|kap|chapter|kapitel|del|bok|akt|sang|brev|eventyr|scene)"
ORDINALS = {
    name: number
    for number, names in enumerate(
        [
            "første fyrste forste", "annen andre anden annet andet", "tredje", "fjerde", "femte", "sjette",
            "syvende sjuende sjuande syvde", "åttende åttande ottende", "niende niande", "tiende tiande",
            "ellevte", "tolvte", "trettende trettande", "fjortende fjortande", "femtende femtande",
            "sekstende sekstande", "syttende syttande", "attende attande", "nittende nittande",
            "tyvende tjuende tjuande",
        ],
        start=1,
    )
    for name in names.split()
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """Sections (by position in the book) that share one stretch of text, in order."""

    sections: tuple[int, ...]
    text: str


def share_out(text: str, sections: Sequence[Section]) -> list[Run]:
    """The runs of a book, in the order of its sections: every section is in exactly one.

    Given: the whole text. A book whose landmarks contradict the lengths of its recordings is one run.
    """
    places = landmarks(text, [section.title for section in sections])
    runs = runs_of(text, places)
    if all(plausible(run, sections) for run in runs):
        return runs
    return [Run(tuple(range(len(sections))), text)]


def runs_of(text: str, places: Sequence[int | None]) -> list[Run]:
    """Cut at the places that are known. The first run also gets what stands before the first landmark when its
    sections have none of their own."""
    starts = [position for position, place in enumerate(places) if place is not None]
    if not starts or starts[0] != 0:
        starts.insert(0, 0)
    bounds = [places[position] or 0 for position in starts] + [len(text)]
    ends = [*starts[1:], len(places)]
    return [
        Run(tuple(range(start, end)), text[bounds[number] : bounds[number + 1]])
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def plausible(run: Run, sections: Sequence[Section]) -> bool:
    """Whether a run's text fits its recordings; true where their lengths are not known."""
    lengths = [sections[position].seconds for position in run.sections]
    seconds = sum(length or 0.0 for length in lengths)
    return not all(lengths) or SLOWEST * seconds <= letters(run.text) <= FASTEST * seconds


def landmarks(text: str, titles: Sequence[str]) -> list[int | None]:
    """Where each section's heading stands in the text (characters from its beginning), or None.

    Places only go up. A heading is a short line by itself that says the section's title, or has its number.
    """
    headings = list(headings_of(text))
    places: list[int | None] = []
    # From the last section to the first: a table of contents stands in front of the headings it lists.
    end = len(headings)
    for title in reversed(titles):
        wanted = {key for key in (words_of(title), number_of(title)) if key}
        match = next((n for n in range(end - 1, -1, -1) if wanted & headings[n][1]), None)
        places.append(None if match is None else headings[match][0])
        end = end if match is None else match
    return places[::-1]


def headings_of(text: str) -> Iterator[tuple[int, set[str]]]:
    """Short paragraphs: where each begins, and the keys by which it may be found. Lines of a table of contents,
    which follow one another closely, are left out but for the last ones."""
    found: list[tuple[int, int, set[str]]] = []
    for match in re.finditer(r"[^\n]+(?:\n[^\n]+)*", text):
        lines = match[0].split("\n")
        if len(lines) <= 3 and len(match[0]) <= 120:
            keys = {words_of(line) for line in lines} | {number_of(line) for line in lines} | {words_of(match[0])}
            if keys - {""}:
                found.append((match.start(), match.end(), keys - {""}))
    ends = [*(start for start, _, _ in found), len(text)][1:]
    for (start, end, keys), following in zip(found, ends, strict=True):
        if letters(text[end:following]) >= LEAST_BETWEEN or has_body(text[end:]):
            yield start, keys


def has_body(rest: str) -> bool:
    """Whether a longer paragraph comes next, after two short ones at most (a heading below a heading)."""
    following = re.findall(r"[^\n]+(?:\n[^\n]+)*", rest[:2000])[:3]
    return any(len(paragraph) > 120 for paragraph in following)


def words_of(title: str) -> str:
    """A title's words in small letters, without the number of the track that LibriVox puts in front."""
    title = re.sub(r"^\s*(?:section|del|track)?\s*\d{1,3}\s*[-–—:.]\s+(?=\S)", "", title, flags=re.IGNORECASE)
    title = re.sub(r"\((?:del|part) .*\)$", "", unicodedata.normalize("NFC", title).casefold())
    words = " ".join(re.findall(r"\w+", title))
    return words if re.search(r"[^\W\d]{2}", words) and not roman(words) else ""


def number_of(title: str) -> str:
    """`#3` for a line that is the heading of a third chapter: `Kapittel 3`, `III.`, `Tredje kapitel`; else empty."""
    line = unicodedata.normalize("NFC", title).casefold().strip(" .:-–—*_\t")
    if (
        match := re.fullmatch(
            rf"(?:\d{{1,3}}\s*[-–—:.]\s+)?{CHAPTER_WORD}\.?\s+(\w+)(?:\s*(?:[-–—]|og|til)\s*\w+)?(?:[\s:.,–—-].*)?",
            line,
        )
    ) or (match := re.fullmatch(rf"(\w+)\s+{CHAPTER_WORD}\.?(?:[\s:.,–—-].*)?", line)):
        value = match[1]
    elif re.fullmatch(r"\d{1,3}|[ivxlc]+", line):
        value = line
    else:
        return ""
    number = int(value) if value.isdigit() else roman(value) or ORDINALS.get(value, 0)
    return f"#{number}" if number else ""


def roman(text: str) -> int:
    """The value of a Roman number up to 399 in small letters; 0 for anything else."""
    if not re.fullmatch(r"(?=[cxliv])c{0,3}(xc|xl|l?x{0,3})(ix|iv|v?i{0,3})", text):
        return 0
    values = [{"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}[letter] for letter in text]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))
