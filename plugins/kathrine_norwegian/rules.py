"""All rules in the order in which they are applied. Each is a pure function of a text and a style."""

from __future__ import annotations

import re
from collections.abc import Callable

from kathrine.textrules import (
    Rule,
    nfc,
    plain_spaces,
    refuse_empty,
    refuse_inaudible,
    without_tags,
    without_unspoken,
)
from kathrine_norwegian.abbreviations import abbreviations, counted
from kathrine_norwegian.acronyms import acronyms, shouting
from kathrine_norwegian.cardinals import cardinals
from kathrine_norwegian.clean import dashes, refuse_addresses, signs, underscores
from kathrine_norwegian.dates import dates
from kathrine_norwegian.ending import check_digits, check_signs, full_stop, punctuation, sentence_case, sentence_starts
from kathrine_norwegian.money import hundredths, money
from kathrine_norwegian.names import names, symbols
from kathrine_norwegian.ordinals import ordinals
from kathrine_norwegian.phones import phones
from kathrine_norwegian.ranges import fractions, ranges
from kathrine_norwegian.roman import roman
from kathrine_norwegian.spelling import modernised, older_spelling
from kathrine_norwegian.style import Style
from kathrine_norwegian.times import times
from kathrine_norwegian.units import arithmetic, powers, units
from kathrine_norwegian.years import years

NUMERIC = re.compile(r"[0-9½⅓⅔¼¾⅕⅛§²³]|kr|NOK")
StyledRule = tuple[str, Callable[[str, Style], str]]


def _any(rule: Callable[[str], str]) -> Callable[[str, Style], str]:
    """A rule that is the same in every style."""
    return lambda text, style: rule(text)


FIRST: tuple[StyledRule, ...] = (
    ("nfc", _any(nfc)),
    ("unspoken", _any(without_unspoken)),
    ("signs", signs),
    ("inaudible", _any(refuse_inaudible)),
    ("tags", _any(without_tags)),
    ("spaces", _any(plain_spaces)),
    ("underscores", underscores),
    ("addresses", refuse_addresses),
    ("dashes", dashes),
    ("shouting", shouting),
    ("abbreviations", abbreviations),
    ("counted", counted),
)
NUMBERS: tuple[StyledRule, ...] = (
    ("hundredths", hundredths),
    ("dates", dates),
    ("times", times),
    ("arithmetic", arithmetic),
    ("money", money),
    ("units", units),
    ("ordinals", ordinals),
    ("ranges", ranges),
    ("fractions", fractions),
    ("years", years),
    ("phones", phones),
    ("cardinals", cardinals),
    ("names", names),
    ("powers", powers),
)
"""Left out for a text variant that is written with digits."""
LAST: tuple[StyledRule, ...] = (
    ("symbols", symbols),
    ("acronyms", acronyms),
    ("roman", roman),
    ("older_spelling", older_spelling),
    ("modernise", modernised),
    ("punctuation", punctuation),
    ("sentence_starts", sentence_starts),
    ("empty", _any(refuse_empty)),
    ("digits", check_digits),
    ("alphabet", check_signs),
    ("sentence_case", sentence_case),
    ("full_stop", full_stop),
)


def bound(style: Style) -> tuple[Rule, ...]:
    """The rules for a style, in order, as functions of the text alone."""

    def of(rule: Callable[[str, Style], str], numbers: bool) -> Callable[[str], str]:
        if not numbers:
            return lambda text: rule(text, style)
        return lambda text: rule(text, style) if has_number(text) else text

    chosen = [(entry, False) for entry in FIRST]
    chosen += [] if style.digits else [(entry, True) for entry in NUMBERS]
    chosen += [(entry, False) for entry in LAST]
    return tuple((name, of(rule, numbers)) for (name, rule), numbers in chosen)


def has_number(text: str) -> bool:
    """Whether the number rules have anything to read: a digit, a fraction, a power, or the name of a currency."""
    return bool(NUMERIC.search(text))
