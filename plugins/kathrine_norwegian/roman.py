"""Rule 15: Roman numerals after names (ordinals) and after what is numbered with them (cardinals)."""

from __future__ import annotations

import re

from kathrine_norwegian.style import Style
from kathrine_norwegian.words import cardinal, ordinal, year

VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
NUMERAL = r"(?=[IVXLCDM])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
SMALL = r"(?=[IVX])X{0,3}(?:IX|IV|V?I{0,3})"
_REGNAL = (
    "Harald Olav Haakon Håkon Karl Christian Kristian Fredrik Henrik Ludvig Johannes Paul Pius Elizabeth Elisabeth "
    "Katarina Margrete Margrethe Gustav Carl Erik Eirik Magnus Sigurd Øystein Inge Leo Benedikt Frans Wilhelm Vilhelm "
    "Edward George Georg James Jakob Richard Rikard Philip Filip Napoleon Nikolai Aleksander Alexander Ivan Peter "
    "Otto Ferdinand Alfonso Carlos Albert Leopold Ramses Charles Louis Oscar Oskar Adolf Valdemar Knut Hans Henry "
    "Innocens Gregor Klemens Urban Sixtus Josef Franz Friedrich Maria Mary Viktor Victor Umberto Manuel Pedro Mehmed "
    "Murad Selim Ptolemaios Kleopatra Dareios Xerxes Baudouin Constantin Konstantin Adolphus Åke Sverre"
)
_NUMBERED = (
    "kapittel kapitlet del bind bok akt scene type klasse fase gruppe artikkel nivå vedlegg tabell figur trinn "
    "divisjon serie sone avsnitt punkt årgang grad bolk band verdenskrig verdskrig steg nummer tom side"
)
ANY = re.compile(r"\b(?!I\b)[IVXLCDM]+s?\b|[^\W\d_] I\b|\bI\. [a-zæøå]")
"""A quick look whether there may be one: `I` only after another word."""
# `I` is also a pronoun and begins many words' sentences: after a name only where no sentence can go on with it
AFTER_ONE = r"(?=[.,;:!?)\"']|$| (?:av|den|og|var|ble|vart|døde|døydde|regjerte|styrte|fikk|fekk) )"
REGNAL = re.compile(
    rf"\b({'|'.join(_REGNAL.split())}) (?:(I{AFTER_ONE})|(?!I\b)({NUMERAL}))('?s)?(?![\w.]\w|\w| [A-ZÆØÅ]\b)"
)
NUMBERED = re.compile(
    rf"\b({'|'.join(_NUMBERED.split())}) ({NUMERAL})(?:[–-]({NUMERAL}))?(?!\w|-\w| [A-ZÆØÅ]\b)", re.IGNORECASE
)
CENTURY = re.compile(rf"(?<![\w.])({NUMERAL})\.?(?= (?:århundre|hundreår|olympiske|ordinære|dynasti))")
DOTTED = re.compile(rf"(?<![\w.])({SMALL})\.(?= [a-zæøå])")
AFTER_CAPITAL = re.compile(rf"(?<=[a-zæøå] )(?=[IVX]{{2}})({SMALL})(?!\w|-\w)")
CAPITAL_BEFORE = re.compile(r"[A-ZÆØÅ][\w-]*[a-zæøå] $")
SURE = re.compile(r"(?<![\w.-])(II|III|IV|VII|VIII|IX|XI|XII|XIII|XIV|XV|XVI|XVII|XVIII|XIX|XXI)(?![\w-]| [A-ZÆØÅ]\b)")
YEAR = re.compile(r"(?<![\w.-])(?=M[DCLXVI]{3})(M{1,2}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3}))(?![\w-])")


def value(numeral: str) -> int:
    """The number that a Roman numeral writes."""
    numbers = [VALUES[letter] for letter in numeral.upper()]
    return sum(-one if later > one else one for one, later in zip(numbers, [*numbers[1:], 0], strict=True))


def roman_spans(text: str) -> list[tuple[int, int]]:
    """Where the Roman numerals of a text stand: no acronyms there."""
    if not ANY.search(text):
        return []
    spans = [found.span(2 if found[2] else 3) for found in REGNAL.finditer(text)]
    for pattern in (NUMBERED, CENTURY, DOTTED, AFTER_CAPITAL, SURE, YEAR):
        for found in pattern.finditer(text):
            if pattern is AFTER_CAPITAL and not CAPITAL_BEFORE.search(text, 0, found.start()):
                continue
            spans += [found.span(group) for group in range(1, found.re.groups + 1) if found[group]]
    return spans


def roman(text: str, style: Style) -> str:
    """`Harald V` is `Harald den femte`, `kapittel IV` is `kapittel fire`, `XIX. århundre` `nittende århundre`.

    `I dag` is none; a single letter is one only after the names and words that are listed here.
    """
    if not ANY.search(text):
        return text
    text = REGNAL.sub(lambda found: _regnal(found, style), text)
    text = NUMBERED.sub(lambda found: _numbered(found, style), text)
    text = CENTURY.sub(lambda found: ordinal(value(found[1]), style), text)
    text = DOTTED.sub(lambda found: ordinal(value(found[1]), style), text)
    whole = text

    def after_capital(found: re.Match[str]) -> str:
        if not CAPITAL_BEFORE.search(whole, 0, found.start()):
            return found[0]
        return cardinal(value(found[1]), style)

    text = AFTER_CAPITAL.sub(after_capital, text)
    text = YEAR.sub(lambda found: year(value(found[1]), style), text)
    return SURE.sub(lambda found: cardinal(value(found[1]), style), text)


def _regnal(found: re.Match[str], style: Style) -> str:
    return f"{found[1]} den {ordinal(value(found[2] or found[3]), style)}{(found[4] or '').lstrip(chr(39))}"


def _numbered(found: re.Match[str], style: Style) -> str:
    if not found[2].isupper() or (found[3] and not found[3].isupper()):
        return found[0]
    last = f" til {cardinal(value(found[3]), style)}" if found[3] else ""
    return f"{found[1]} {cardinal(value(found[2]), style)}{last}"
