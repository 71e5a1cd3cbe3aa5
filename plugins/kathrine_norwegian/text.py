"""Clean-up of Norwegian transcripts: what can be done without reading numbers or abbreviations aloud."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

INAUDIBLE = re.compile(r"<\s*inaudible\b[^<>]*>", re.IGNORECASE)
TAG = re.compile(r"<[^<>]*>")
QUOTES = str.maketrans({"«": '"', "»": '"', "“": '"', "”": '"', "„": '"', "‟": '"', "’": "'", "‘": "'", "‚": "'"})
INVISIBLE = re.compile("[\u00ad\u200b\u200c\u200d\u2060\ufeff]")
SPACES = re.compile(r"\s+")
SPACE_BEFORE_MARK = re.compile(r"\s+([,.;:!?])(?=\s|$)")
JOINED = re.compile(r"(?<=[^\W\d_])_+(?=[^\W\d_])")
ENDS = ".!?…,;:-–—"
"""A transcript that ends in one of these has punctuation of its own."""

RULES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("nfc", lambda text: unicodedata.normalize("NFC", text)),
    ("invisible", lambda text: INVISIBLE.sub("", text)),
    ("tags", lambda text: TAG.sub(" ", text)),
    ("quotes", lambda text: text.translate(QUOTES)),
    ("ellipsis", lambda text: text.replace("…", "...")),
    ("underscore", lambda text: JOINED.sub(" ", text)),
    ("spaces", lambda text: SPACE_BEFORE_MARK.sub(r"\1", SPACES.sub(" ", text)).strip()),
)
"""Name and function of each rule, in the order in which they are applied."""


def clean(text: str) -> tuple[str, tuple[str, ...]]:
    """Apply the rules until nothing changes; returns the text and the names of the rules that changed it.

    One pass is enough for all but text made to defeat it (a tag within a tag); every rule shortens the text
    or maps it to a form that it leaves alone, so this ends.
    """
    applied: dict[str, None] = {}
    while True:
        before = text
        for name, rule in RULES:
            changed = rule(text)
            if changed != text:
                applied[name] = None
            text = changed
        if text == before:
            return text, tuple(applied)


def has_words(text: str) -> bool:
    """Whether anything in a text can be said."""
    return any(character.isalnum() for character in text)


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
