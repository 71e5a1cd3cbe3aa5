"""The language `danish`: rules for texts, and sentences to listen to and to measure on."""

from importlib.resources import files

import kathrine
from kathrine.generic import GenericOptions

from kathrine_danish import abbreviations, amounts, dates
from kathrine_danish.sentences import SENTENCES


class DanishOptions(GenericOptions):
    """Options of `[language.danish]`."""

    alphabet: str = "abcdefghijklmnopqrstuvwxyzæøåéèáóüöä"
    """Letters that a text may have, in either case: Danish ones, and those of common names."""
    signs: str = ".,;:?!-–'\"()/"
    """What a text may have besides letters and spaces."""


class Danish(kathrine.GenericLanguage):
    """Danish: numbers, dates, times, money, units and abbreviations as they are said."""

    name = "danish"
    version = 1  # raise it with every change of the rules: texts are then made again, recordings are not
    Options = DanishOptions

    def rules(self, variant):
        return [
            ("signs", abbreviations.signs),
            ("abbreviations", abbreviations.abbreviations),
            ("dates", dates.dates),
            ("times", dates.times),
            ("money", amounts.money),
            ("units", amounts.units),
            ("fractions", amounts.fractions),
            ("ordinals", dates.ordinals),
            ("numbers", amounts.numbers),
            ("sign words", abbreviations.sign_words),
            ("digits", amounts.digits),
            ("capital", abbreviations.capital),
        ]

    def test_sentences(self):
        return SENTENCES

    def evaluation_sentences(self):
        text = (files("kathrine_danish") / "evaluation.txt").read_text(encoding="utf-8")
        return tuple(text.splitlines())

    def code(self):
        return "da"
