"""Numbers to words, bokmål and nynorsk.

Forms as the Language Council of Norway gives them ("Tall, tid og dato"): tens before ones in one word (tjuetre),
hundreds and thousands apart (to hundre og trettifire), years in one word (nittenhundreogfem, attenfjorten).
"""

from __future__ import annotations

from typing import Literal

from kathrine_norwegian.style import Style
from kathrine_norwegian.wordlist import listed

Gender = Literal["m", "f", "n"]
"""Of the noun that a number stands before: only 1 shows it (én, ett; nn éin, éi, eitt)."""

SMALL = listed(
    "null én to tre fire fem seks sju åtte ni ti elleve tolv tretten fjorten femten seksten sytten atten nitten"
)
TENS = ("", "", *listed("tjue tretti førti femti seksti sytti åtti nitti"))
ONE = {
    "nb": {"m": "én", "f": "én", "n": "ett"},
    "nn": {"m": "éin", "f": "éi", "n": "eitt"},
}
ONE_JOINED = {
    "nb": {"m": "en", "f": "en", "n": "ett"},
    "nn": {"m": "ein", "f": "ei", "n": "eitt"},
}
"""Where it ends a longer word, 1 needs no accent: tjueen, totusenogen."""
SCALES = ("million", "milliard", "billion", "billiard", "trillion", "trilliard")
"""Powers of a thousand from 10**6 on."""
LARGEST = 10 ** (6 + 3 * len(SCALES)) - 1
MONTHS = listed("januar februar mars april mai juni juli august september oktober november desember")
ORDINALS_NB = listed(
    "nullte første andre tredje fjerde femte sjette sjuende åttende niende tiende ellevte tolvte trettende fjortende "
    "femtende sekstende syttende attende nittende"
)
ORDINALS_NN = listed(
    "nullte første andre tredje fjerde femte sjette sjuande åttande niande tiande ellevte tolvte trettande fjortande "
    "femtande sekstande syttande attande nittande"
)


def cardinal(number: int, style: Style, gender: Gender = "m") -> str:
    """A whole number from 0 to `LARGEST`: 21 000 is `tjueett tusen`, 1 234 `ett tusen to hundre og trettifire`.

    100 to 199 begin with `hundre`, 1000 to 1999 with `ett tusen`. Raises: ValueError above LARGEST.
    """
    if not 0 <= number <= LARGEST:
        raise ValueError(f"{number} has no name here")
    if number == 0:
        return SMALL[0]
    parts: list[str] = []
    for power in range(len(SCALES) + 1, 1, -1):
        count = number // 1000**power % 1000
        if count:
            name = SCALES[power - 2]
            plural = name + style.pick("er", "ar")
            parts.append(f"{_below_thousand(count, style, 'm', not parts)} {name if count == 1 else plural}")
    thousands, rest = number // 1000 % 1000, number % 1000
    if thousands:
        parts.append(f"{_below_thousand(thousands, style, 'n', not parts)} tusen")
    if rest:
        joined = "og " if parts and rest < 100 else ""
        parts.append(joined + _below_thousand(rest, style, gender, not parts))
    return " ".join(parts)


def _below_thousand(number: int, style: Style, gender: Gender, first: bool) -> str:
    """1 to 999. first: nothing stands before it, so that 100 is `hundre` and not `ett hundre`."""
    hundreds, rest = divmod(number, 100)
    parts = []
    if hundreds:
        counted = "" if hundreds == 1 and first else f"{_below_hundred(hundreds, style, 'n')} "
        parts.append(f"{counted}hundre")
    if rest:
        parts.append(_below_hundred(rest, style, gender))
    return " og ".join(parts)


def _below_hundred(number: int, style: Style, gender: Gender) -> str:
    if number == 1:
        return ONE[style.variant][gender]
    if number == 7:
        return seven(style)
    if number < 20:
        return SMALL[number]
    tens, ones = divmod(number, 10)
    if ones == 0:
        return TENS[tens]
    if ones == 1:
        return TENS[tens] + ONE_JOINED[style.variant][gender]
    return TENS[tens] + (seven(style) if ones == 7 else SMALL[ones])


def seven(style: Style) -> str:
    """`sju`, or in bokmål `syv`."""
    return style.seven if style.variant == "nb" else "sju"


def ordinal(number: int, style: Style) -> str:
    """`tredje`, `tjueførste`, `hundrede`, `to hundre og femte`. Raises: ValueError above LARGEST."""
    rest = number % 100
    if number > 100 and rest:
        return f"{cardinal(number - rest, style)} og {ordinal(rest, style)}"
    if number < 20:
        if number == 7:
            return style.pick("syvende" if style.seven == "syv" else ORDINALS_NB[7], ORDINALS_NN[7])
        return style.pick(ORDINALS_NB[number], ORDINALS_NN[number])
    if number < 100:
        tens, ones = divmod(number, 10)
        if ones:
            return TENS[tens] + ordinal(ones, style)
        stem = TENS[tens].removesuffix("e")
        return stem + style.pick("ende", "ande")
    if number == 100:
        return "hundrede"
    whole = "tusen" if number == 1000 else cardinal(number, style)
    if whole.endswith("hundre"):
        return whole + "de"
    if whole.endswith("tusen"):
        return whole.removesuffix("en") + style.pick("ende", "ande")
    count, _, scale = whole.rpartition(" ")
    singular = scale.removesuffix(style.pick("er", "ar"))
    return f"{count} {singular}te" if count not in ONE[style.variant].values() else f"{singular}te"


def year(number: int, style: Style) -> str:
    """A year from 1100 to 2099 in one word: nittenhundreogfem, attenfjorten, totusenogen, tjueatten.

    Other years are read as numbers.
    """
    hundreds, rest = divmod(number, 100)
    if 2000 <= number < 2010:
        return "totusen" + (f"og{_joined(rest, style)}" if rest else "")
    if not 1100 <= number < 2100:
        return cardinal(number, style)
    head = TENS[2] if hundreds == 20 else SMALL[hundreds]
    if rest == 0:
        return f"{head}hundre"
    return f"{head}hundreog{_joined(rest, style)}" if rest < 10 else head + _joined(rest, style)


def _joined(number: int, style: Style) -> str:
    """1 to 99 as the end of a longer word."""
    return ONE_JOINED[style.variant]["m"] if number == 1 else _below_hundred(number, style, "m")


def joined(number: int, style: Style) -> str:
    """A number as the first part of a compound: `femti`(tallet), `hundre`(årsjubileum), `ett`(åring)."""
    if number == 1:
        return ONE_JOINED[style.variant]["n"]
    if number == 1000:
        return "tusen"
    return cardinal(number, style, "n").replace(" ", "").replace("é", "e")


def digits(text: str, style: Style) -> str:
    """Digit by digit: `null null sju`."""
    return " ".join(_below_hundred(int(one), style, "m") if one != "0" else SMALL[0] for one in text)


def decimals(text: str, style: Style) -> str:
    """What stands after the comma: two digits as a number, more or those with a leading zero one by one."""
    if len(text) > 2 or (text.startswith("0") and len(text) > 1):
        return digits(text, style)
    return cardinal(int(text), style)


def plain(text: str, style: Style, gender: Gender = "m") -> str:
    """A run of digits: a number, or digit by digit where it begins with zero or is too long for one."""
    if (len(text) > 1 and text.startswith("0")) or int(text) > LARGEST:
        return digits(text, style)
    return cardinal(int(text), style, gender)
