"""Rules for texts: applied in order until nothing changes, with a record of what each one did.

A rule is a name and a pure function from text to text. It may refuse a text by raising `NotSpoken`. What every
language needs (Unicode form, tags, unspoken characters, spaces) stands here too, as rules.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from kathrine.components import SpokenText, Step

Rule = tuple[str, Callable[[str], str]]
"""Name, as it is reported, and function."""

PASSES = 8
"""Rules that still change something after so many passes contradict each other."""
TAG = re.compile(r"<[^<>]*>")
INAUDIBLE = re.compile(r"<\s*inaudible\b[^<>]*>", re.IGNORECASE)
# Soft hyphen, zero-width space and (non-)joiners, word joiner, byte order mark, marks of writing direction.
UNSPOKEN = re.compile(
    "[\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff]"
)


class NotSpoken(ValueError):
    """Raised by a rule: this text can not be spoken. The message is the reason, and names what is in the way."""


def apply_rules(text: str, rules: Sequence[Rule]) -> SpokenText:
    """Apply rules in order, again and again until a whole pass changes nothing.

    Given: rules, each of which may raise NotSpoken. Returns: the text with every step that changed it, or the
    reason of a refusal. Because the answer is one that no rule changes, applying the rules to it again gives it
    back: idempotence needs no care in the rules themselves.
    """
    steps: list[Step] = []

    def answer(spoken: str, rejected: str = "") -> SpokenText:
        return SpokenText(spoken, tuple(dict.fromkeys(step.rule for step in steps)), rejected, tuple(steps))

    for _ in range(PASSES):
        before = text
        for name, rule in rules:
            try:
                changed = rule(text)
            except NotSpoken as refusal:
                return answer("", str(refusal))
            if changed != text:
                steps.append(Step(name, text, changed))
                text = changed
        if text == before:
            return answer(text)
    return answer("", f"the rules {steps[-1].rule} and {steps[-2].rule} undo each other")


def nfc(text: str) -> str:
    """Unicode NFC: one code point for a letter with its accent."""
    return unicodedata.normalize("NFC", text)


def without_tags(text: str) -> str:
    """`<...>` out."""
    return TAG.sub(" ", text) if "<" in text else text


def without_unspoken(text: str) -> str:
    """Characters out that only guide a typesetter."""
    return UNSPOKEN.sub("", text)


def plain_spaces(text: str) -> str:
    """Every run of spaces, of whatever kind, one plain space."""
    return " ".join(text.split())


CLEAN: tuple[Rule, ...] = (
    ("nfc", nfc),
    ("tags", without_tags),
    ("unspoken", without_unspoken),
    ("spaces", plain_spaces),
)
"""What is right for every language."""


def clean(text: str) -> str:
    """A text after the rules of `CLEAN`."""
    return apply_rules(text, CLEAN).text


def refuse_inaudible(text: str) -> str:
    """The text; NotSpoken where its transcriber could not hear a part."""
    if "<" in text and INAUDIBLE.search(text):
        raise NotSpoken("a part is inaudible")
    return text


def refuse_empty(text: str) -> str:
    """The text; NotSpoken where it has neither a letter nor a digit."""
    if not any(character.isalnum() for character in text):
        raise NotSpoken("no words")
    return text


def named(character: str) -> str:
    """A character as a message shows it: sign, code point and Unicode name."""
    shown = f"'{character}' " if character.isprintable() else ""
    return f"{shown}(U+{ord(character):04X} {unicodedata.name(character, 'without a name')})"
