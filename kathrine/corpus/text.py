"""Written transcript to spoken text, by the recipe's language; and what is counted in a text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kathrine.components import SpokenText
from kathrine.generic import GENERIC
from kathrine.textrules import INAUDIBLE, TAG, clean

if TYPE_CHECKING:
    from kathrine.components import Language

__all__ = ["INAUDIBLE", "TAG", "clean", "letters", "rules_key", "spoken_text", "without_added_stop", "words"]

END_MARKS = (".", "!", "?", ":", ";", "…")
FULL_STOP = "full_stop"
"""Name of the rule by which a language says that it added the full stop at the end."""


def spoken_text(written: str, variant: str, language: Language | None) -> SpokenText:
    """The words that are spoken, by the recipe's language or, without one, by `generic`."""
    return (language or GENERIC).normalise(written, variant)


def rules_key(language: Language | None) -> str:
    """Changes exactly when `spoken_text` may answer differently."""
    language = language or GENERIC
    return f"{language.name}:{language.rules_version()}"


def without_added_stop(written: str, spoken: str, rules: Sequence[str] = ()) -> str:
    """The spoken text of a clip that is cut mid-speech: a full stop that the transcript has not is taken away.

    Given: rules, names of the language's rules that changed something. A transcript may end in a full stop that
    belongs to an abbreviation, so the rule's own word goes first.
    """
    added = FULL_STOP in rules or not clean(written).endswith(END_MARKS)
    return spoken[:-1].rstrip() if spoken.endswith(".") and added else spoken


def letters(text: str) -> int:
    """Letters and digits: what the speaking rate counts."""
    return sum(character.isalnum() for character in text)


def words(text: str) -> int:
    """Words: runs of letters and digits, with what joins them (`o'clock`, `nord-norsk`)."""
    return len(re.findall(r"\w+(?:['’\-]\w+)*", text))
