"""Rule 14: acronyms, as words or letter by letter, and words in capitals."""

from __future__ import annotations

import re

from kathrine_norwegian.acronym_lexicon import CAPITALS, LETTER_NAMES, SPELLED, WORDS
from kathrine_norwegian.roman import roman_spans
from kathrine_norwegian.style import Style

TOKEN = re.compile(r"(?=[A-ZÆØÅ])(?<![\w.])([A-ZÆØÅ]{2,})((?:s|en|et|er|ene)?)(?!\w)")
MIXED = re.compile(r"\b(" + "|".join(sorted(SPELLED, key=len, reverse=True)) + r")(s?)(?!\w)")
SLASHED = re.compile(r"(?=[A-ZÆØÅ]/)(?<![\w/])([A-ZÆØÅ])/([A-ZÆØÅ])(?![\w/])")
WORD = re.compile(r"[^\W\d_]+")
LONG = 6
"""So many capitals are a word, not letters to spell, unless the lexicon says so."""
SHOUTED = 3
"""A text of so many words, all in capitals, is an ordinary text that was written in capitals."""


def spell(letters: str, style: Style) -> str:
    """`N R K`, or by the names of the letters `enn ær kå`."""
    if style.spell == "names":
        return " ".join(LETTER_NAMES.get(letter, letter.lower()) for letter in letters.upper())
    return " ".join(letters.upper())


def shouting(text: str, style: Style) -> str:
    """A text all in capitals becomes an ordinary one; acronyms of the lexicon stay."""
    if not text.isupper():
        return text
    found = [word for word in WORD.findall(text) if len(word) > 1]
    known = {*WORDS, *style.words, *style.spelled}
    ordinary = [word for word in found if word.lower() in CAPITALS or (len(word) >= LONG and word not in known)]
    if len(found) < SHOUTED or not ordinary:
        return text
    short = re.compile(r"^[^AEIOUYÆØÅ]+$")
    lowered = WORD.sub(lambda one: one[0] if one[0] in known or short.match(one[0]) else one[0].lower(), text)
    first = next(place for place, letter in enumerate(lowered) if letter.isalpha())
    return lowered[:first] + lowered[first].upper() + lowered[first + 1 :]


def acronyms(text: str, style: Style) -> str:
    """`NRK, EU og FrP` is `N R K, E U og F R P`; `NATO` is `Nato`; `IKKE` is `ikke`."""
    if text.islower() or style.acronyms == "keep":
        return text
    text = SLASHED.sub(lambda found: spell(found[1] + found[2], style), text)
    text = MIXED.sub(lambda found: _spelled(found[1], found[2], style), text)
    for word in style.spelled:
        if not word.isupper():
            pattern = rf"(?<!\w)({re.escape(word)})(s?)(?!\w)"
            text = re.sub(pattern, lambda found: _spelled(found[1], found[2], style), text)
    if not TOKEN.search(text):
        return text
    spans = roman_spans(text)

    def read(found: re.Match[str]) -> str:
        if any(start <= found.start() < end for start, end in spans):
            return found[0]
        written, ending = found.groups()
        if written in style.spelled:
            return _spelled(written, ending, style)
        if written in WORDS or written in style.words:
            return WORDS.get(written, written.capitalize()) + ending
        if not ending and written.lower() in CAPITALS:
            return written.lower() if found.start() else written.capitalize()
        if len(written) >= LONG and written not in SPELLED:
            return written.capitalize() + ending
        return _spelled(written, ending, style)

    return TOKEN.sub(read, text)


def _spelled(written: str, ending: str, style: Style) -> str:
    joint = "-" if ending and ending != "s" else ""
    return f"{spell(written, style)}{joint}{ending}"
