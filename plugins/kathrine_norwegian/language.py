"""The component: options, and the Norwegian test sentences."""

from __future__ import annotations

from typing import Literal

from kathrine import Language, Options, SpokenText
from kathrine_norwegian.sentences import SENTENCES
from kathrine_norwegian.text import INAUDIBLE, clean, has_end, has_words, with_capital

RULES_VERSION = 1
"""Raise it whenever `normalise` may answer differently."""


class NorwegianOptions(Options):
    """Options of `[language.norwegian]`."""

    variant: Literal["nb", "nn"] = "nb"
    """Bokmål or nynorsk: chooses the test sentences; the clean-up is the same for both."""
    sentence_case: bool = True
    """Begin a transcript that has no punctuation at its end with a capital."""
    full_stop: bool = True
    """End a transcript that has no punctuation at its end with a full stop."""


class NorwegianLanguage(Language):
    """Norwegian, bokmål and nynorsk: clean-up of transcripts, and sentences to listen to."""

    name = "norwegian"
    Options = NorwegianOptions

    def normalise(self, text: str, variant: str = "text") -> SpokenText:
        """Tags, spaces, quotes and Unicode forms put in order; capital and full stop where there is no
        punctuation.

        Numbers and abbreviations stay as they are written. The rule named `full_stop` in the answer says that
        the last character was added: for a clip that ends in the middle of the sound it must be taken off
        again.
        """
        if INAUDIBLE.search(text):
            return SpokenText("", (), "a part is inaudible")
        spoken, rules = clean(text)
        if not has_words(spoken):
            return SpokenText("", rules, "no words")
        if not has_end(spoken):
            if self.options.sentence_case and with_capital(spoken) != spoken:
                spoken, rules = with_capital(spoken), (*rules, "sentence_case")
            if self.options.full_stop:
                spoken, rules = spoken + ".", (*rules, "full_stop")
        return SpokenText(spoken, rules)

    def rules_version(self) -> str:
        return f"norwegian-{RULES_VERSION}-case{self.options.sentence_case:d}-stop{self.options.full_stop:d}"

    def test_sentences(self) -> tuple[str, ...]:
        return SENTENCES[self.options.variant]
