"""How far two transcripts differ, in letters. Pure Python, independent of any recogniser."""

from __future__ import annotations

import unicodedata


def plain_letters(text: str) -> str:
    """The letters of a text alone, in lower case, composed: without spaces, digits, punctuation and case, about
    which corpora and recognisers disagree. å, æ and ø stay what they are."""
    return "".join(letter for letter in unicodedata.normalize("NFC", text).lower() if letter.isalpha())


def edit_distance(one: str, other: str) -> int:
    """Fewest insertions, deletions and substitutions of characters that make one text the other (Levenshtein)."""
    if len(one) < len(other):
        one, other = other, one
    row = list(range(len(other) + 1))
    for number, character in enumerate(one, start=1):
        diagonal, row[0] = row[0], number
        for place, second in enumerate(other, start=1):
            diagonal, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, diagonal + (character != second)),
            )
    return row[-1]


def error_rate(given: str, heard: str) -> float:
    """Edit distance over the length of the given text: 0 for equal texts, above 1 where much was added."""
    if not given:
        return float(bool(heard))
    return edit_distance(given, heard) / len(given)
