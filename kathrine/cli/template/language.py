"""The language `newname`: what differs from `kathrine.GenericLanguage`."""

from __future__ import annotations

from collections.abc import Sequence

import kathrine
from kathrine.textrules import Rule

SIGNS = {"&": "and", "%": "percent"}
"""How signs are spoken."""


def speak_signs(text: str) -> str:
    """Signs as words: `5%` becomes `5 percent`. Spaces that are too many go by themselves."""
    for sign, word in SIGNS.items():
        text = text.replace(sign, f" {word} ")
    return text


class NewNameLanguage(kathrine.GenericLanguage):
    """newname, as it is spoken."""

    name = "newname"
    version = 1  # raise it with every change of the rules: texts are then made again, recordings are not

    def rules(self, variant: str) -> Sequence[Rule]:
        return [("signs", speak_signs)]

    def code(self) -> str:
        return ""  # ISO 639, such as "da": how recognisers know the language

    def test_sentences(self) -> tuple[str, ...]:
        """To listen to while it trains: hardest sounds first, written as they are spoken."""
        return (
            "Sixty-six thick thistle sticks stood in the thicket.",
            "She sells sea shells by the sea shore.",
        )
