"""Amounts: money, percent, units, ranges, fractions, and every number that is left."""

import re

from kathrine.textrules import NotSpoken

from kathrine_danish.numbers import SMALL, cardinal, decade, year

UNITS = {
    "%": "procent",
    "km/t": "kilometer i timen",
    "°C": "grader",
    "°": "grader",
    "m²": "kvadratmeter",
    "km": "kilometer",
    "cm": "centimeter",
    "mm": "millimeter",
    "m": "meter",
    "kg": "kilo",
    "g": "gram",
    "l": "liter",
    "min.": "minutter",
    "sek.": "sekunder",
}
ONE_OF = {"grader": "grad", "minutter": "minut", "sekunder": "sekund"}
NEUTER = {"barn", "bord", "døgn", "gram", "hold", "hus", "kilo", "kvarter", "minut", "sekund", "stykke", "år", "pund"}
"""Of these there is `et`, of others `en`: the ones that are counted most, and no dictionary."""
FRACTIONS = {"1/2": "en halv", "½": "en halv", "1/3": "en tredjedel", "1/4": "en fjerdedel", "¼": "en fjerdedel"}
FRACTIONS |= {"2/3": "to tredjedele", "3/4": "tre fjerdedele", "¾": "tre fjerdedele"}
COINS = {"€": "euro", "$": "dollar", "£": "pund"}

NUMBER = r"\d{1,3}(?:\.\d{3})+|\d+"
_KRONER = re.compile(rf"(?<!\w)kr\.? ?({NUMBER})(?:,(\d\d|-)(?!\d))?(?![\d,]*\d)", re.IGNORECASE)
_KRONER_BEHIND = re.compile(rf"(?<![\w.,])({NUMBER})(?:,(\d\d|-))? ?(?:kr\b\.?|kroner\b)", re.IGNORECASE)
_KRONER_LEFT = re.compile(r"(?<!\w)kr\.")
_DASH = re.compile(rf"(?<![\w.,])({NUMBER}),-(?!\d)")
_COIN = re.compile(rf"([€$£]) ?({NUMBER})(?![\d,.]*\d)")
_COIN_BEHIND = re.compile(r"(?<=\d) ?([€$£])")
_SCALE = re.compile(rf"(?<![\w.,])({NUMBER})(?:,(\d+))? (mio|mia)\.")
_units = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
_UNIT = re.compile(rf"(?<![\w.,])({NUMBER}|[½¼¾])(,\d+)? ?({_units})(?!\w)")
_FRACTION = re.compile(r"(?<![\d/])(?:\d{1,2}/\d{1,2}|[½¼¾])(?![\d/])")
_DECADE = re.compile(r"(?<!\d)(1\d)?(\d)0'?erne\b")
_RANGE = re.compile(r"(?<=\d)(?: – |[-–])(?=\d)")
_MINUS = re.compile(r"(?<![\w.,)])[-–](?=\d)")
_DECIMAL = re.compile(rf"(?<![\w.,])({NUMBER}),(\d+)(?!\w)")
_AGE = re.compile(r"(?<![\w.,])(\d+)-(?=år)")
_CARDINAL = re.compile(rf"(?<![\w,])(?<!\d[.:])({NUMBER})(?=(?: (\w+))?)(?!\w|[.:]\d)")


def money(text: str) -> str:
    """`kr. 15,50`, `1.000,-`, `100 kr.`, `2,5 mio. kr.`, `€ 5`."""
    text = _SCALE.sub(_scale, text)
    text = _KRONER.sub(lambda found: _kroner(found[1], found[2]), text)
    text = _KRONER_BEHIND.sub(lambda found: _kroner(found[1], found[2]) + _stop(found), text)
    text = _DASH.sub(lambda found: _kroner(found[1], None), text)
    text = _KRONER_LEFT.sub(lambda found: "kroner" + _stop(found), text)
    text = _COIN.sub(lambda found: f"{found[2]} {COINS[found[1]]}", text)
    return _COIN_BEHIND.sub(lambda found: f" {COINS[found[1]]}", text)


def units(text: str) -> str:
    """Percent, and units behind a number."""

    def spoken(found: re.Match[str]) -> str:
        word = UNITS[found[3]]
        if found[1] == "1" and not found[2]:
            word = ONE_OF.get(word, word)
        return f"{found[1]}{found[2] or ''} {word}{_stop(found)}"

    return _UNIT.sub(spoken, text)


def fractions(text: str) -> str:
    """Halves, thirds and quarters. Raises: NotSpoken for others: they may be dates."""

    def spoken(found: re.Match[str]) -> str:
        if found[0] not in FRACTIONS:
            raise NotSpoken(f"{found[0]} may be a date or a fraction: write `d. {found[0]}`, or words")
        return FRACTIONS[found[0]]

    return _FRACTION.sub(spoken, text)


def numbers(text: str) -> str:
    """Decades, ranges, decimals and whole numbers, in this order."""
    text = _DECADE.sub(_decade, text)
    text = _RANGE.sub(" til ", text)
    text = _MINUS.sub("minus ", text)
    text = _DECIMAL.sub(lambda found: f"{cardinal(_whole(found[1]))} komma {_decimals(found[2])}", text)
    text = _AGE.sub(lambda found: cardinal(int(found[1]), "et"), text)
    return _CARDINAL.sub(_cardinal, text)


def digits(text: str) -> str:
    """The text; NotSpoken where a digit is left that no rule reads."""
    found = re.search(r"\S*\d\S*", text)
    if found:
        raise NotSpoken(f"no rule reads {found[0]}")
    return text


def _cardinal(found: re.Match[str]) -> str:
    if found[1].startswith("0") and len(found[1]) > 1:
        return " ".join(SMALL[int(digit)] for digit in found[1])
    one = "et" if (found[2] or "").lower() in NEUTER else "en"
    return cardinal(_whole(found[1]), one) if "." in found[1] or len(found[1]) != 4 else year(int(found[1]))


def _kroner(whole: str, part: str | None) -> str:
    number = _whole(whole)
    kroner = f"{cardinal(number)} {'krone' if number == 1 else 'kroner'}"
    return f"{kroner} og {cardinal(int(part))} øre" if part and part.strip("-0") else kroner


def _scale(found: re.Match[str]) -> str:
    one = found[1] == "1" and not found[2]
    word = {"mio": "million", "mia": "milliard"}[found[3]] + ("" if one else "er")
    part = f" komma {_decimals(found[2])}" if found[2] else ""
    return f"{cardinal(_whole(found[1]))}{part} {word}"


def _decimals(written: str) -> str:
    """Two decimals are read as a number, others and those with a zero in front one by one."""
    if len(written) == 2 and written[0] != "0":
        return cardinal(int(written))
    return " ".join(SMALL[int(digit)] for digit in written)


def _decade(found: re.Match[str]) -> str:
    century = f"{cardinal(int(found[1]))} hundrede og " if found[1] else ""
    return century + decade(int(found[2]))


def _whole(written: str) -> int:
    return int(written.replace(".", ""))


def _stop(found: re.Match[str]) -> str:
    """The dot of an abbreviation, where it also ends the sentence."""
    behind = found.string[found.end() :]
    return "." if found[0].endswith(".") and (not behind or re.match(r" [A-ZÆØÅ]", behind)) else ""
