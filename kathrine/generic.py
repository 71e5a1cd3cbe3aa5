"""Language `generic`: what is right for every language, and the base of languages that need little more.

A recipe without a `[language...]` table uses it as it is here. It knows no numbers and no abbreviations, so texts
should have them written out.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence

from kathrine.components import Language, Options, SpokenText
from kathrine.textrules import CLEAN, NotSpoken, Rule, apply_rules, named, refuse_empty, refuse_inaudible

LETTERS = ("L", "M", "N")
SIGNS = ("P", "Sc", "Sm")
"""First letters of the Unicode categories that are allowed where the options name no characters."""


class GenericOptions(Options):
    """Options of `[language.generic]`."""

    alphabet: str = ""
    """Letters and digits that a text may have, in either case; empty allows those of every script. A text with
    another one is rejected."""
    signs: str = ""
    """What a text may have besides letters, digits and spaces; empty allows punctuation of every script and the
    signs of currencies and arithmetic. A text with another one (an emoji, a trade mark sign) is rejected."""
    tag: str = ""
    """Name for the language tag; empty: an utterance's own language, where it names one that the model knows."""


class GenericLanguage(Language):
    """Any language, as it is written: Unicode NFC, plain spaces, tags out, and a check of the alphabet.

    A language that needs more is a subclass: write `rules` (and raise `version` with each change of them),
    `test_sentences`, or Options with another alphabet; whatever is not written stays as it is here.
    """

    name = "generic"
    version = 1
    Options = GenericOptions

    def rules(self, variant: str) -> Sequence[Rule]:
        """The rules of this language for a text variant, after the clean-up and before the check."""
        return ()

    def normalise(self, text: str, variant: str = "text") -> SpokenText:
        """Clean-up, `rules`, then the check of the alphabet; nothing that is not known is taken out."""
        return apply_rules(
            text,
            (
                ("inaudible", refuse_inaudible),
                *CLEAN,
                *self.rules(variant),
                ("empty", refuse_empty),
                ("alphabet", self._known),
            ),
        )

    def rules_version(self) -> str:
        """Of the class's `version` and all options."""
        options = hashlib.sha256(self.options.model_dump_json().encode()).hexdigest()[:12]
        return f"{self.name}-{self.version}-{options}"

    def test_sentences(self) -> tuple[str, ...]:
        """None: `[speak] sentences` names some, else held-out transcripts are spoken."""
        return ()

    def tag(self) -> str:
        """The option `tag`; a subclass with a name of its own is tagged by that unless the option says more."""
        own = "" if self.name == GenericLanguage.name else self.name
        return self.options.tag or own

    def _known(self, text: str) -> str:
        """The text; NotSpoken with the first character that is not allowed."""
        for character in dict.fromkeys(text):
            if character != " " and not self._allowed(character):
                raise NotSpoken(f"not in the alphabet: {named(character)}")
        return text

    def _allowed(self, character: str) -> bool:
        category = unicodedata.category(character)
        if category.startswith(LETTERS):
            alphabet = self.options.alphabet
            return not alphabet or character in alphabet or character.swapcase() in alphabet
        signs = self.options.signs
        return character in signs if signs else category.startswith(SIGNS)


GENERIC = GenericLanguage()
"""The language of a recipe that names none."""
