"""Rule 16: spaces and marks, the capital and the full stop, and the last check: digits and unknown signs."""

from __future__ import annotations

import re
import unicodedata

from kathrine.textrules import NotSpoken, named
from kathrine_norwegian.style import Style
from kathrine_norwegian.words import ORDINALS_NB, ORDINALS_NN, SMALL, TENS

BEFORE_MARK = re.compile(r" ([,.;:!?])(?=\s|$)")
BEFORE_BRACKET = re.compile(r"(?<=\() +| +(?=\))")
COMMAS = re.compile(r",(?:\s*,)+(?=\s|$)")
LOST_COMMA = re.compile(r"^\s*,\s*|,(?=[.!?;:](?:\s|$))")
PLAIN = re.compile(r"[A-Za-zÆØÅæøå .,;:!?'\"()-]*$")
"""What most texts are made of; the rest is looked at sign by sign."""
_WHOLE = "|".join(sorted({*SMALL, *ORDINALS_NB, *ORDINALS_NN, "syv", "syvende", "ett", "éin", "eitt", "éi", "minus"}))
_BEGUN = "|".join([*SMALL[11:], *TENS[2:], "hundre", "totusen"])
AFTER_SENTENCE = re.compile(rf"(?<=[^\W\d_][.!?] )(?=(?:{_WHOLE})\b|(?:{_BEGUN})\w*)[^\W\d_]")
"""The first letter of a number word that stands after the end of a sentence."""
ABBREVIATED = re.compile(r"(?<![\w.])[bcdfghjklmnpqrstvwxz]{1,4}\. $")
"""A short word in small letters without a vowel is an abbreviation, known or not: its dot ends no sentence."""
ENDS = ".!?…,;:-–—"
"""A transcript that ends in one of these has punctuation of its own."""
UNREAD = "no rule reads these digits: "
MARKS = frozenset(" .,;:!?-'\"()")
MARKS_WITH_DIGITS = MARKS | frozenset("0123456789–/%‰°+=×÷±€$£¥²³½⅓⅔¼¾⅕⅛<>≤≥≈~*")
"""What may stand beside digits where those are kept."""


def punctuation(text: str, style: Style) -> str:
    """One space between words, none before a mark, one comma where two met."""
    text = " ".join(text.split())
    if "," in text:
        text = LOST_COMMA.sub("", COMMAS.sub(",", text))
    if "(" in text or ")" in text:
        text = BEFORE_BRACKET.sub("", text)
    return BEFORE_MARK.sub(r"\1", text)


def sentence_starts(text: str, style: Style) -> str:
    """A capital where a sentence after another begins with a number: `Han kom. 17. mai dro han.`"""

    def begun(found: re.Match[str]) -> str:
        return found[0] if ABBREVIATED.search(text, 0, found.start()) else found[0].upper()

    return AFTER_SENTENCE.sub(begun, text) if "." in text or "!" in text or "?" in text else text


def has_end(text: str) -> bool:
    """Whether a text ends in punctuation, quotes and brackets aside."""
    bare = text.rstrip("\"')] ")
    return bool(bare) and bare[-1] in ENDS


def with_capital(text: str) -> str:
    """The first letter in upper case, when it has exactly one upper-case form; nothing before it changes."""
    for position, character in enumerate(text):
        if character.isalnum():
            upper = character.upper()
            return text[:position] + (upper if len(upper) == 1 else character) + text[position + 1 :]
    return text


def begins_with_digit(text: str) -> bool:
    """Whether the first letter or digit of a text is a digit."""
    return next((character.isdigit() for character in text if character.isalnum()), False)


def sentence_case(text: str, style: Style) -> str:
    """A capital where a transcript has no punctuation at its end: then it has no capitals either."""
    return with_capital(text) if style.sentence_case and not has_end(text) else text


def full_stop(text: str, style: Style) -> str:
    """A full stop where a transcript has no punctuation at its end."""
    return text + "." if style.full_stop and text and not has_end(text) else text


def allowed(character: str, style: Style) -> bool:
    """Whether a character can stand in a spoken text: a Latin letter, a mark, and a digit where those are kept."""
    if character.isalpha():
        return character.isascii() or (
            unicodedata.category(character) in ("Ll", "Lu") and unicodedata.name(character, "").startswith("LATIN ")
        )
    return character in (MARKS_WITH_DIGITS if style.digits else MARKS)


def check_digits(text: str, style: Style) -> str:
    """The text; NotSpoken where a digit is left that no rule could read."""
    if not style.digits and not PLAIN.match(text) and any(character.isdigit() for character in text):
        left = [word for word in text.split() if any(character.isdigit() for character in word)]
        raise NotSpoken(UNREAD + ", ".join(dict.fromkeys(left)))
    return text


def unread_as_written(reason: str, written: str) -> str:
    """A reason of `check_digits` with the words of the written text, where rules had read a part of them."""
    words, found = written.split(), []
    for left in reason.removeprefix(UNREAD).split(", "):
        holding = [word for word in words if _runs(left) & _runs(word)]
        found += [left] if left in words or not holding else holding
    return UNREAD + ", ".join(dict.fromkeys(found))


def _runs(word: str) -> set[str]:
    """The numbers in a word, and by themselves its digits that are no decimal ones (⁴)."""
    return {*re.findall(r"\d+", word), *(sign for sign in word if sign.isdigit() and not sign.isdecimal())}


def check_signs(text: str, style: Style) -> str:
    """The text; NotSpoken with the first sign that has no rule: nothing is left out in silence."""
    if PLAIN.match(text):
        return text
    for character in dict.fromkeys(text):
        if not allowed(character, style):
            raise NotSpoken(f"no rule for the sign {named(character)}")
    return text
