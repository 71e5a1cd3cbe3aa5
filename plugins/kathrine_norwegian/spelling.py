"""Older spelling: aa is å, and with `modernise` old words and capital nouns in today's form.

Readers of old books say today's forms of some words and old forms of others, so only what sounds the same is
changed without being asked.
"""

from __future__ import annotations

import re

from kathrine_norwegian.spelling_table import FIRST_PARTS, KEPT_AA, MODERN, NOUNS
from kathrine_norwegian.style import Style

DOUBLE = re.compile(r"[^\W\d_]*[Aa]a[^\W\d_]*")
AA = re.compile(r"(?<![aA])(?:aa|Aa)(?!a)")
COMPOUND = re.compile(rf"^(?:{'|'.join(FIRST_PARTS)})(?=a)", re.IGNORECASE)
WORD = re.compile(r"[^\W\d_]+")
CAPITAL_INSIDE = re.compile(r"(?<=[a-zæøå,;] )[A-ZÆØÅ][a-zæøå]+")


def older_spelling(text: str, style: Style) -> str:
    """`Haabet om at naa fjeldet` is `Håbet om at nå fjeldet`.

    Words with a capital keep aa unless they begin the text or a sentence: inside one they are names (Aasen).
    """
    if "aa" not in text and "Aa" not in text:
        return text

    def modern(found: re.Match[str]) -> str:
        word = found[0]
        if (
            word.lower().startswith(KEPT_AA)
            or COMPOUND.match(word)
            or (word[0].isupper() and not _begins(text, found.start()))
        ):
            return word
        return AA.sub(lambda pair: "Å" if pair[0][0] == "A" else "å", word)

    return DOUBLE.sub(modern, text)


def modernised(text: str, style: Style) -> str:
    """`Hvad blev der af Manden` is `Hva ble der av mannen`; only with the option `modernise`."""
    if not style.modernise:
        return text

    def lowered(found: re.Match[str]) -> str:
        return found[0].lower() if found[0].lower() in NOUNS else found[0]

    def replaced(found: re.Match[str]) -> str:
        new = MODERN.get(found[0].lower())
        if new is None or (len(found[0]) > 1 and found[0].isupper()):
            return found[0]
        return new.capitalize() if found[0][0].isupper() else new

    return WORD.sub(replaced, CAPITAL_INSIDE.sub(lowered, text))


def _begins(text: str, place: int) -> bool:
    before = text[:place].rstrip(" \"'(")
    return not before or before[-1] in ".!?:"
