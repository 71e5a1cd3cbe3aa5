"""Rule 13: names of letters and digits (E18, NRK1, CO2, F-16), and signs that stand for words."""

from __future__ import annotations

import re

from kathrine_norwegian.style import Style
from kathrine_norwegian.words import LARGEST, digits, plain, year

LETTERS_DIGITS = re.compile(r"(?<=[^\W\d_])-?(\d+)(?![.,:]\d)")
DIGITS_LETTERS = re.compile(r"(?<![\d.,:])(\d+)(?=[^\W\d_])")
YEAR = re.compile(r"(?:1[89]|20)\d\d")
WORDS_SLASHED = re.compile(r"(?<=[^\W\d_]) ?/ ?(?=[^\W\d_])")
AND_OR = re.compile(r"\b(og|and)/(eller|or)\b", re.IGNORECASE)
WORD_SIGNS = re.compile(r" ?([&§%‰+=×÷±°€$£¥]) ?")
SIGN_WORDS = {
    "&": ("og", "og"),
    "§": ("paragraf", "paragraf"),
    "%": ("prosent", "prosent"),
    "‰": ("promille", "promille"),
    "+": ("pluss", "pluss"),
    "=": ("er lik", "er lik"),
    "×": ("ganger", "gonger"),
    "÷": ("delt på", "delt på"),
    "±": ("pluss minus", "pluss minus"),
    "°": ("grader", "grader"),
    "€": ("euro", "euro"),
    "$": ("dollar", "dollar"),
    "£": ("pund", "pund"),
    "¥": ("yen", "yen"),
}
KEPT_WITH_DIGITS = "%‰+=×÷±°€$£¥"
"""Where digits stay, these stay beside them."""


def _read(written: str, style: Style) -> str:
    if YEAR.fullmatch(written):
        return year(int(written), style)
    return plain(written, style) if int(written) <= LARGEST else digits(written, style)


def names(text: str, style: Style) -> str:
    """`E18` is `E atten`, `NRK1` is `NRK én`, `H2O` is `H to O`, `Covid-19` is `Covid nitten`."""

    def after_letters(found: re.Match[str]) -> str:
        again = text[found.end() : found.end() + 1].isalpha()
        return f" {_read(found[1], style)}{' ' if again else ''}"

    spoken = LETTERS_DIGITS.sub(after_letters, text)
    return DIGITS_LETTERS.sub(lambda found: f"{_read(found[1], style)} ", spoken)


def symbols(text: str, style: Style) -> str:
    """`&` is `og`; `han/hun` is `han eller hun`, between names (`Berg/Dahl`) a slash is silent."""
    if "/" in text:
        text = AND_OR.sub(r"\1 \2", text)
        text = WORDS_SLASHED.sub(lambda found: _slash(text, found), text)

    def word(found: re.Match[str]) -> str:
        if style.digits and found[1] in KEPT_WITH_DIGITS:
            return found[0]
        return f" {style.pick(*SIGN_WORDS[found[1]])} "

    return WORD_SIGNS.sub(word, text)


def _slash(text: str, found: re.Match[str]) -> str:
    before, after = text[: found.start()].split(" ")[-1], text[found.end() :].split(" ")[0]
    return " eller " if before.islower() and after.islower() and min(len(before), len(after)) > 1 else " "
