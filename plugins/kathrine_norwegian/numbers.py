"""What a number looks like in a text, and how one that was found is read."""

from __future__ import annotations

import re

from kathrine_norwegian.style import Style
from kathrine_norwegian.words import Gender, cardinal, decimals, plain

WHOLE = r"(?:\d{1,3}(?: \d{3})+(?!\d)|\d{1,3}(?:\.\d{3})+(?![\d.]*\d)|\d+)"
"""Digits, with thousands apart by a space or a dot: 1 000 000, 1.000, 1000."""
MARKS = {"½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅛": (1, 8)}
FRACTION = rf"(?:(?:\d+ ?)?[{''.join(MARKS)}]|(?:\d+ )?\d{{1,2}}/\d{{1,3}}(?![\d/]))"
"""½, 2½, 1/2, 2 1/2."""
VALUE = rf"(?:{FRACTION}|{WHOLE}(?:,\d+)?)"
"""A number as it is counted or measured: whole, with decimals (comma) or with a fraction."""
BEFORE = r"(?=[\d½⅓⅔¼¾⅕⅛])(?<![\w,./:])(?<![^\W\d]-)"
"""Where a number may begin: not within another one, a word, a date or a version."""
DASH = r"(?: ?[–-] ?)"
AMOUNT = rf"(?:{VALUE}{DASH})?{VALUE}"
"""A number, or a range of two."""
_SPLIT = re.compile(rf"^({VALUE}){DASH}({VALUE})$")
_FRACTION = re.compile(rf"^(?:(\d+) ?)?([{''.join(MARKS)}])$|^(?:(\d+) )?(\d+)/(\d+)$")
HALF = {"nb": {"m": "en halv", "f": "en halv", "n": "et halvt"}, "nn": {"m": "ein halv", "f": "ei halv"}}
HALF["nn"]["n"] = "eit halvt"


def bare(text: str) -> str:
    """Without what keeps thousands apart."""
    return text.replace(" ", "").replace(".", "")


def read_fraction(whole: str, top: int, bottom: int, style: Style, gender: Gender) -> str:
    """`en halv`, `to og en halv`, `tre firedeler`; names of parts are the cardinal with -del (tredel, firedel)."""
    if (top, bottom) == (1, 2):
        part = HALF[style.variant][gender]
    else:
        article = style.pick("en", "ein")
        name = cardinal(bottom, style).replace(" ", "") + "del"
        part = f"{article} {name}" if top == 1 else f"{cardinal(top, style)} {name}{style.pick('er', 'ar')}"
    return f"{plain(whole, style, gender)} og {part}" if whole else part


def read_value(text: str, style: Style, gender: Gender = "m") -> str:
    """One number, as `VALUE` matches it, in words."""
    fraction = _FRACTION.match(text)
    if fraction:
        top, bottom = MARKS[fraction[2]] if fraction[2] else (int(fraction[4]), int(fraction[5]))
        if not top or bottom < 2:
            return f"{plain(str(top), style)} delt på {plain(str(bottom), style)}"
        return read_fraction(fraction[1] or fraction[3] or "", top, bottom, style, gender)
    whole, _, rest = text.partition(",")
    if rest:
        return f"{plain(bare(whole), style)} komma {decimals(rest, style)}"
    return plain(bare(whole), style, gender)


def read_amount(text: str, style: Style, gender: Gender = "m") -> str:
    """A number or a range, as `AMOUNT` matches it: `to til fire tusen`."""
    both = _SPLIT.match(text)
    if both:
        return f"{read_value(both[1], style)} til {read_value(both[2], style, gender)}"
    return read_value(text, style, gender)


def is_one(text: str) -> bool:
    """Whether a noun after this amount stands in the singular: 1, and fractions (2 1/2 time)."""
    return text == "1" or bool(_FRACTION.match(text))
