"""Norwegian text, bokmål or nynorsk, to sentences with their places."""

from __future__ import annotations

import re

from kathrine_librivox.segmentation.types import Sentence

WITH_A_POINT = (
    "adv alm avd bd bl.a ca cand d.e d.v.s dvs dr e.kr eks ekskl f f.eks f.kr fr frk fhv gl gt hr inkl instr jf jfr jr "
    "kap kand kapt kgl kl kr kst kvm løytn lt m.a maj maks mill mr mrd mrs nr obl oberstl pst p.g.a pga pr prof sekr "
    "sgt sr st stud s.k såk t.d t.o.m tlf vedk vol jan febr feb apr aug sept sep okt nov des"
)
"""Abbreviations that stand before a name, a number or another word with a capital letter. `osv.` and the like, which
often end a sentence, are not here: they do not end one before a small letter. Neither are abbreviations that are words
as well, such as red, rev, tom, min, kom: a sentence too long is worse than one that is cut after `red.`."""
ABBREVIATIONS = frozenset(WITH_A_POINT.split())
MONTH_NAMES = "januar februar mars april mai juni juli august september oktober november desember marts maj"
MONTHS = frozenset(MONTH_NAMES.split())
CLOSING = "\"'»”’)]›*_"
OPENING = "\"'«“„(["
END = re.compile(rf"[.!?…]+[{re.escape(CLOSING)}]*(?=\s)")
PARAGRAPH = re.compile(r"[ \t]*\r?\n(?:[ \t]*\r?\n)+")
LONGEST = 500
"""Characters: half a minute of speech. What has no end for so long (a list, a text without punctuation) is divided at
its last clause, since no utterance can hold it and every window has to."""
CUTS = (re.compile(r"[;:,–—]\s"), re.compile(r"\s"))
NEXT_WORD = re.compile(r"\W*(\w+)")
MAY_BEGIN = re.compile(rf"\s*(?:[-–—]+\s*)?[{re.escape(OPENING)}*_]*(\w|[-–—])?")


def split_sentences(text: str) -> list[Sentence]:
    """The sentences of a text, in order: every word is in exactly one.

    An empty line ends one always, and so do `LONGEST` characters. A full stop does not after an abbreviation, an
    initial, or an ordinal before a small letter or a month; `!`, `?` and `...` do not before a small letter («Kom!»
    ropte hun).
    """
    found: list[Sentence] = []
    begin = 0
    for gap in [*PARAGRAPH.finditer(text), None]:
        end = gap.start() if gap else len(text)
        _split_paragraph(text, begin, end, found)
        begin = gap.end() if gap else end
    return found


def _split_paragraph(text: str, begin: int, end: int, found: list[Sentence]) -> None:
    """Append the sentences of text[begin:end]."""
    before = len(found)
    start = begin
    for match in END.finditer(text, begin, end):
        if ends_here(text, match.start(), match.end(), start, end):
            _append(text, start, match.end(), found)
            start = match.end()
    _append(text, start, end, found)
    if len(found) > before:
        last = found[-1]
        found[-1] = Sentence(last.text, last.start, last.end, paragraph_end=True)


def _append(text: str, start: int, end: int, found: list[Sentence]) -> None:
    """Append text[start:end] with its spaces in order, if anything in it can be said; signs alone are left out."""
    while end - start > LONGEST:
        places = [
            max((match.end() for match in mark.finditer(text, start, start + LONGEST)), default=0) for mark in CUTS
        ]
        half = next((place for place in places if place > start), start + LONGEST)
        _append(text, start, half, found)
        start = half
    piece = text[start:end]
    if any(character.isalnum() for character in piece):
        start += len(piece) - len(piece.lstrip())
        end -= len(piece) - len(piece.rstrip())
        found.append(Sentence(" ".join(text[start:end].split()), start, end))


def ends_here(text: str, mark: int, after: int, start: int, end: int) -> bool:
    """Whether the marks at text[mark:after] end the sentence that began at `start`, in a paragraph up to `end`."""
    following = MAY_BEGIN.match(text, after, end)
    first = (following[1] if following else None) or ""
    if first.islower():
        return False
    if text[mark:after].rstrip(CLOSING) != ".":
        return True
    word = re.search(r"[^\s«“„\"'(\[]*$", text[start:mark])
    before = word[0] if word else ""
    if before.isdigit():
        return not (len(before) <= 2 and _next_word(text, after, end).casefold() in MONTHS)
    if len(before) == 1 and before.isalpha() and before.isupper():
        return False
    return before.casefold() not in ABBREVIATIONS and not re.fullmatch(r"(?:[A-ZÆØÅ]\.)+[A-ZÆØÅ]", before)


def _next_word(text: str, position: int, end: int) -> str:
    match = NEXT_WORD.match(text, position, end)
    return match[1] if match else ""
