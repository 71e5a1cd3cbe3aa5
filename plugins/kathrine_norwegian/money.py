"""Rule 6: amounts of money, with the sign before or after, ranges, millions and hundredths."""

from __future__ import annotations

import re

from kathrine_norwegian.abbreviations import stop_after
from kathrine_norwegian.numbers import AMOUNT, BEFORE, bare, is_one, read_amount
from kathrine_norwegian.style import Style
from kathrine_norwegian.unit_table import ALIASES, CURRENCIES, PER, UNITS, Unit
from kathrine_norwegian.words import cardinal

SCALE = r"(?: (?:tusen|hundre|(?:million|milliard|billion)(?:er|ar)?))"
SIGN_BEFORE = r"(?:[Kk]r\.?|NOK|SEK|DKK|EUR|USD|GBP|CHF|JPY|US\$|[€$£¥])"
SIGN_AFTER = r"(?:kr\b\.?|kroner\b|krone\b|NOK\b|SEK\b|DKK\b|EUR\b|USD\b|GBP\b|CHF\b|JPY\b|dollar\b|euro\b|[€$£¥])"
TAIL = r"(?:,[–-]+(?!\d))?"
PER_UNIT = r"(?:/(?:[A-Za-zæøå]+[²³]?)(?!\w))?"
PREFIXED = re.compile(rf"(?<!\w)({SIGN_BEFORE}) ?(minus )?({AMOUNT}){TAIL}({SCALE})?({PER_UNIT})(?: ?(?:kroner|kr)\b)?")
SUFFIXED = re.compile(rf"{BEFORE}({AMOUNT}){TAIL}({SCALE})? ?({SIGN_AFTER})({PER_UNIT})(?!\w)")
NAKED = re.compile(rf"{BEFORE}({AMOUNT}),[–-]+(?!\d)")
HUNDREDTHS = re.compile(r"^(.*\d),(\d\d)$")
LEFT = re.compile(r"(?<![\w.])(kr|NOK)\b(\.?)(?! ?\d)")


def main_form(unit: Unit, one: bool, style: Style) -> str:
    """The word for the unit beside an amount."""
    return unit[0] if one else style.pick(unit[1], unit[2])


def read_money(amount: str, scale: str, sign: str, style: Style) -> str:
    """`15,30` and `kr` is `femten kroner og tretti øre`. Given: scale, ` millioner` or nothing."""
    unit, cent, cents = CURRENCIES[ALIASES.get(sign, sign)]
    gender = unit[3]
    parts = HUNDREDTHS.match(amount)
    if scale:
        return f"{read_amount(amount, style)}{scale} {main_form(unit, False, style)}"
    if parts and "–" not in amount and "-" not in amount:
        whole, hundredths = bare(parts[1]), int(parts[2])
        named = f"{cardinal(hundredths, style)} {cent if hundredths == 1 else cents}"
        if hundredths and int(whole) == 0:
            return named
        spoken = f"{read_amount(whole, style, gender)} {main_form(unit, whole == '1', style)}"
        return f"{spoken} og {named}" if hundredths else spoken
    return f"{read_amount(amount, style, gender)} {main_form(unit, is_one(amount), style)}"


def read_per(slashed: str, style: Style) -> str:
    """` per kilo` for `/kg`; a word that is no unit is said as it is."""
    if not slashed:
        return ""
    name = slashed[1:]
    if name in PER:
        return " " + style.pick(*PER[name])
    return f" per {UNITS[name][0] if name in UNITS else name}"


def money(text: str, style: Style) -> str:
    """`kr 100`, `100 kr`, `100,-`, `$5`, `3,5 millioner kr`, `2–4 000 kr`, `100 kr/kg`."""
    if any(letter.isdigit() or letter in "½¼¾" for letter in text):
        text = PREFIXED.sub(lambda found: _prefixed(found, style), text)
        text = SUFFIXED.sub(lambda found: _suffixed(found, text, style), text)
        text = NAKED.sub(lambda found: read_money(found[1], "", "kr", style), text)
    if "kr" in text or "NOK" in text:
        # without a number: `i millioner kr`
        text = LEFT.sub(lambda found: "kroner" + (stop_after(text, found.end()) if found[2] else ""), text)
    return text


def _prefixed(found: re.Match[str], style: Style) -> str:
    sign, minus, amount, scale, per = found.groups()
    return (minus or "") + read_money(amount, scale or "", sign, style) + read_per(per, style)


def _suffixed(found: re.Match[str], text: str, style: Style) -> str:
    amount, scale, sign, per = found.groups()
    stop = stop_after(text, found.end()) if sign.endswith(".") and not per else ""
    return read_money(amount, scale or "", sign, style) + read_per(per, style) + stop
