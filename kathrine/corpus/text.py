"""Written transcript to spoken text: a minimal clean-up, used where the recipe names no language."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from kathrine.components import SpokenText

if TYPE_CHECKING:
    from kathrine.components import Language

RULES = "clean-1"
"""Raise it when `clean` may answer differently: part of the text key."""
TAG = re.compile(r"<[^<>]*>")
INAUDIBLE = re.compile(r"<\s*inaudible\b[^<>]*>", re.IGNORECASE)
# Soft hyphen, zero-width space and (non-)joiners, word joiner, byte order mark: none of them is spoken.
UNSPOKEN = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
END_MARKS = (".", "!", "?", ":", ";", "…")


def clean(text: str) -> str:
    """Without tags and unspoken characters, every kind of space a plain one, NFC. Twice changes nothing
    more."""
    text = TAG.sub(" ", unicodedata.normalize("NFC", text)).translate(UNSPOKEN)
    return unicodedata.normalize("NFC", " ".join(text.split()))


def spoken_text(written: str, variant: str, language: Language | None) -> SpokenText:
    """The words that are spoken, by the recipe's language or, without one, by `clean`."""
    if language is not None:
        return language.normalise(written, variant)
    cleaned = clean(written)
    return SpokenText(cleaned, ("clean",) if cleaned != written else ())


def rules_key(language: Language | None) -> str:
    """Changes exactly when `spoken_text` may answer differently."""
    return f"{language.name}:{language.rules_version()}" if language is not None else RULES


def without_added_stop(written: str, spoken: str) -> str:
    """The spoken text of a clip that is cut mid-speech: a full stop that the transcript has not is taken
    away."""
    ended = clean(written).endswith(END_MARKS)
    return spoken[:-1].rstrip() if spoken.endswith(".") and not ended else spoken


def letters(text: str) -> int:
    """Letters and digits: what the speaking rate counts."""
    return sum(character.isalnum() for character in text)


def words(text: str) -> int:
    """Words: runs of letters and digits, with what joins them (`o'clock`, `nord-norsk`)."""
    return len(re.findall(r"\w+(?:['’\-]\w+)*", text))
