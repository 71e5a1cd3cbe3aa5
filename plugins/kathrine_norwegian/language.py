"""The component: options, the choice of rules, and the Norwegian test sentences."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from kathrine import Language, Options, SpokenText
from kathrine.components import Step
from kathrine.textrules import Rule, apply_rules
from kathrine_norwegian.ending import UNREAD, begins_with_digit, unread_as_written, with_capital
from kathrine_norwegian.evaluation import evaluation_sentences
from kathrine_norwegian.rules import bound
from kathrine_norwegian.sentences import SENTENCES
from kathrine_norwegian.style import Style

RULES_VERSION = 3
"""Raise it whenever `normalise` may answer differently with the same options."""


class NorwegianOptions(Options):
    """Options of `[language.norwegian]`."""

    variant: Literal["nb", "nn"] = "nb"
    """Bokmål or nynorsk: forms of numbers and abbreviations, and the test sentences."""
    sentence_case: bool = False
    """Begin a transcript that has no punctuation at its end with a capital (NPSC is written without)."""
    full_stop: bool = False
    """End a transcript that has no punctuation at its end with a full stop (NPSC is written without)."""
    digit_variants: list[str] = Field(default_factory=lambda: ["normsentence", "normsentence_text"])
    """Text variants that are written with digits: the number rules leave them alone and digits may stay, so that a
    model learns to read digits too."""
    seven: Literal["sju", "syv"] = "sju"
    """The word for 7 in bokmål; both are correct."""
    acronyms: Literal["spell", "keep"] = "spell"
    """What becomes of acronyms: spelled (N R K) or read as words (Nato) by the lexicon, or kept as written."""
    spell: Literal["letters", "names"] = "letters"
    """How letters are spelled: as letters (N R K) or by their names (enn ær kå)."""
    word_acronyms: list[str] = Field(default_factory=list)
    """Acronyms that are read as words, beside those of the lexicon."""
    spelled_acronyms: list[str] = Field(default_factory=list)
    """Acronyms that are spelled although the lexicon, or small letters in them, say otherwise."""
    modernise: bool = False
    """Put old words (efter, sprog, hvad) and capital nouns of old books in today's form. Readers do not always
    read them so: compare with the recordings first. Only what sounds the same (aa for å) is always changed."""


class NorwegianLanguage(Language):
    """Norwegian, bokmål and nynorsk: numbers, abbreviations, acronyms and signs as they are spoken."""

    name = "norwegian"
    Options = NorwegianOptions

    def __init__(self, options: Any = None, label: str = "") -> None:
        super().__init__(options, label)
        self._rules: dict[bool, tuple[Rule, ...]] = {}

    def normalise(self, text: str, variant: str = "text") -> SpokenText:
        """Written text to the words that are spoken, by the rules of `rules.py` in their order.

        Returns: the text and what each rule did, or the reason of a rejection: a part that is inaudible, a web
        address, nothing to say, digits that no rule reads, a sign without a rule. The rule named `full_stop`
        says that the last character was added.
        """
        digits = variant in self.options.digit_variants
        if digits not in self._rules:
            self._rules[digits] = bound(self.style(digits))
        answer = apply_rules(text, self._rules[digits])
        if answer.rejected.startswith(UNREAD):
            return replace(answer, rejected=unread_as_written(answer.rejected, text))
        if self.options.sentence_case and begins_with_digit(text) and answer.text[:1].islower():
            # `17. mai er fridag.` has punctuation, but its capital could not be seen in the digits
            capital = with_capital(answer.text)
            step = Step("sentence_case", answer.text, capital)
            again = apply_rules(capital, self._rules[digits])
            rules = tuple(dict.fromkeys((*answer.rules, step.rule, *again.rules)))
            return SpokenText(again.text, rules, again.rejected, (*answer.steps, step, *again.steps))
        return answer

    def style(self, digits: bool = False) -> Style:
        """The options as the rules need them. digits: for a text variant that keeps its digits."""
        options = self.options
        return Style(
            variant=options.variant,
            seven=options.seven,
            acronyms=options.acronyms,
            spell=options.spell,
            words=tuple(options.word_acronyms),
            spelled=tuple(options.spelled_acronyms),
            modernise=options.modernise,
            sentence_case=options.sentence_case,
            full_stop=options.full_stop,
            digits=digits,
        )

    def rules_version(self) -> str:
        options = hashlib.sha256(self.options.model_dump_json().encode()).hexdigest()[:12]
        return f"norwegian-{RULES_VERSION}-{options}"

    def test_sentences(self) -> tuple[str, ...]:
        return SENTENCES[self.options.variant]

    def evaluation_sentences(self) -> tuple[str, ...]:
        return evaluation_sentences(self.options.variant)

    def code(self) -> str:
        return "nn" if self.options.variant == "nn" else "no"

    def codes(self) -> tuple[str, ...]:
        return ("no", self.options.variant)
