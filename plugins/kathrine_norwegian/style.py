"""How Norwegian is written and spoken here: what the rules need to know of the options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Variant = Literal["nb", "nn"]


@dataclass(frozen=True, slots=True)
class Style:
    """Given to every rule. The fields are the options of the same names (see `language.py`).

    words: acronyms read as words beside those of the lexicon, by their written form. spelled: those spelled
    letter by letter. digits: the text is of a variant that is written with digits, which stay.
    """

    variant: Variant = "nb"
    seven: Literal["sju", "syv"] = "sju"
    acronyms: Literal["spell", "keep"] = "spell"
    spell: Literal["letters", "names"] = "letters"
    words: tuple[str, ...] = ()
    spelled: tuple[str, ...] = ()
    modernise: bool = False
    sentence_case: bool = False
    full_stop: bool = False
    digits: bool = False

    def pick(self, nb: str, nn: str) -> str:
        """The form of this variant."""
        return nn if self.variant == "nn" else nb
