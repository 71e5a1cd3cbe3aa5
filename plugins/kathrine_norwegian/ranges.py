"""Rule 9: ranges, scores, ratios and fractions."""

from __future__ import annotations

import re

from kathrine_norwegian.nouns import gender_after, plural_follows
from kathrine_norwegian.numbers import FRACTION, read_value
from kathrine_norwegian.phones import outside_phones
from kathrine_norwegian.style import Style
from kathrine_norwegian.words import cardinal

SPORT = re.compile(
    r"\b(?:vant|vann|slo|tapte|tapt|ledet|leia|seieren?|sigeren?|uavgjort|kampen endte|kampen enda|scoret|scora|"
    r"sluttresultat\w*)\b|-(?:seier|siger|tap|ledelse|leiing)",
    re.IGNORECASE,
)
SCORE = re.compile(r"(?=\d)(?<![\w.,/:–-])(\d{1,3})[–-](\d{1,3})(?![\d]|[.,/:]\d|[–-]\d)")
MANY = re.compile(r"(?=\d)(?<![\w.,/:–-])\d+(?:[–-]\d+){2,}(?![\w]|[.,/:]\d)")
YEARS = re.compile(r"(?=[12])(?<![\w.,/:–-])(1[1-9]\d\d|20\d\d)[–/-](\d{4}|\d\d)(?![\w/:]|[.,]\d|[–-]\d)")
RANGE = re.compile(r"(?<=\d) ?[–-] ?(?=\d)|(?<=\d) ?[–-] ?(?=minus \d)")
RATIO = re.compile(r"(?=\d)(?<![\w.,/:])(\d+(?:,\d+)?) ?: ?(?=\d+(?![\d:]*:\d))")
READ_FRACTION = re.compile(rf"(?=[\d½⅓⅔¼¾⅕⅛])(?<![\w.,/:–-]){FRACTION}(?![\w:])")
SLASHES = re.compile(r"(?<=\d)/(?=\d)")


def ranges(text: str, style: Style) -> str:
    """`12–15` is `12 til 15`, a score `3–0` is `tre null`, `1914–18` are years, `1:2` is `1 til 2`.

    A pair that does not rise is a score (nothing ranges from 3 to 0), and so is a pair in a text about a
    match, unless something is counted.
    """
    return outside_phones(text, lambda part: _ranges(part, style))


def _ranges(text: str, style: Style) -> str:
    if "–" in text or "-" in text or "/" in text:
        text = MANY.sub(lambda found: re.sub("[–-]", " ", found[0]), text)
        text = YEARS.sub(_years, text)
        sport = bool(SPORT.search(text))
        text = SCORE.sub(lambda found: _score(found, sport, style), text)
        text = RANGE.sub(" til ", text)
    if ":" in text:
        text = RATIO.sub(r"\1 til ", text)
    return text


def _years(found: re.Match[str]) -> str:
    """1914–18 and 1939–1945 are spans; 2014/15 is one season."""
    joint = " " if "/" in found[0] else " til "
    return f"{found[1]}{joint}{found[2]}"


def _score(found: re.Match[str], sport: bool, style: Style) -> str:
    first, second = int(found[1]), int(found[2])
    match = sport and len(found[2]) < 3 and not plural_follows(found.string, found.end())
    if first >= second or match:
        return f"{cardinal(first, style)} {cardinal(second, style)}"
    return found[0]


def fractions(text: str, style: Style) -> str:
    """`1/2 liter` is `en halv liter`, `2 1/2` is `to og en halv`, `3/4` is `tre firedeler`."""
    if "/" not in text and not any(sign in text for sign in "½⅓⅔¼¾⅕⅛"):
        return text

    def read(found: re.Match[str]) -> str:
        return read_value(found[0], style, gender_after(text, found.end(), style))

    return SLASHES.sub(" ", READ_FRACTION.sub(read, text))
